package federation

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// Identity says whose account an external issuer's subject is. Whether there is
// none, or only none that the region may serve, makes no difference, as for a
// Grant.
func (p *Plane) Identity(ctx context.Context, region, issuer, subject string) (wire.Identity, error) {
	if err := cloud.CheckIssuer(issuer); err != nil {
		return wire.Identity{}, err
	}
	if err := cloud.CheckSubject(subject); err != nil {
		return wire.Identity{}, err
	}
	var identity cloud.Identity
	var access cloud.Access
	err := p.store.Read(ctx, func(r cloud.Reader) (err error) {
		if identity, err = r.Identity(issuer, subject); err != nil {
			return err
		}
		access, err = r.Access(region)
		return err
	})
	if err != nil {
		return wire.Identity{}, orNobody(err)
	}
	standing, err := p.store.Standing(ctx, identity.UserID)
	if err != nil {
		return wire.Identity{}, orNobody(err)
	}
	if len(servedMemberships(access, standing.Relations)) == 0 {
		return wire.Identity{}, nil
	}
	return wire.Identity{User: orNil(identity.UserID)}, nil
}

// orNobody takes nobody for an answer.
func orNobody(err error) error {
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return nil
	}
	return err
}
