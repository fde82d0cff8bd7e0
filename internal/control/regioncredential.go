package control

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// RotateCredential makes a second credential of a region, which is returned
// this once; the first is good until it is revoked. CodeConflict while there
// are two: which one the region uses only the operator knows.
func (o Operator) RotateCredential(ctx context.Context, name string) (cloud.Secret, error) {
	secret := newRegionSecret()
	err := o.store.Write(ctx, func(tx cloud.Writer) error {
		region, credentials, err := lockCredentials(tx, name)
		if err != nil {
			return err
		}
		if len(credentials) >= cloud.MaxCredentials {
			return cloud.Conflict("region %s has %d credentials already; revoke the one that it no longer uses, most likely the older, with: "+
				"penstock admin region revoke %s --credential %s", name, len(credentials), name, credentials[0].ID)
		}
		return o.addCredential(tx, region, secret, change{action: "region.credential.create", target: name})
	})
	return secret, err
}

// RevokeCredentials makes a credential of a region worthless at once, or all of
// them if id is "". It returns those that it revoked.
func (o Operator) RevokeCredentials(ctx context.Context, name string, id cloud.ID) (revoked []cloud.RegionCredential, err error) {
	err = o.store.Write(ctx, func(tx cloud.Writer) error {
		revoked = nil
		_, credentials, err := lockCredentials(tx, name)
		if err != nil {
			return err
		}
		for _, c := range credentials {
			if id != "" && c.ID != id {
				continue
			}
			if err := o.revoke(tx, c); err != nil {
				return err
			}
			revoked = append(revoked, c)
		}
		switch {
		case len(revoked) > 0:
			return nil
		case id == "":
			return cloud.Conflict("region %s has no credential; make one with: penstock admin region rotate %s", name, name)
		default:
			return cloud.NotFound("region %s has no credential %q; see those it has with: penstock admin region show %s", name, id, name)
		}
	})
	return revoked, err
}

// lockCredentials reads a region's credentials, which nobody else changes
// until the end of the transaction.
func lockCredentials(tx cloud.Writer, name string) (cloud.Region, []cloud.RegionCredential, error) {
	if _, err := tx.Link(name); err != nil {
		return cloud.Region{}, nil, err
	}
	region, err := tx.Region(name)
	if err != nil {
		return region, nil, err
	}
	credentials, err := tx.RegionCredentials(name)
	return region, credentials, err
}

func (o Operator) revoke(tx cloud.Writer, c cloud.RegionCredential) error {
	if err := tx.DeleteRegionCredential(c.Region, c.ID); err != nil {
		return err
	}
	return o.audit(tx, change{
		action: "region.credential.revoke", target: c.Region,
		before: map[string]any{"credential": c.ID, "created_at": c.CreatedAt},
	})
}
