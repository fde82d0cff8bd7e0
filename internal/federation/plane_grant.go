package federation

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// Bounds on what is told of grants, as api/federation.yaml states them.
const (
	maxGrantKeys     = 200
	maxGrantKeyBytes = 64 << 10
	maxGrantChanges  = 250 // in one answer; over that it is all of them
	maxMemberships   = 1000
)

// Grant says what a subject may do in an organization. Whether there is such a
// subject, such an organization, or only no membership, makes no difference:
// a region learns of nobody whom it does not serve.
func (p *Plane) Grant(ctx context.Context, region, subject, organization string) (wire.Grant, error) {
	if err := checkID("subject", subject); err != nil {
		return wire.Grant{}, err
	}
	if err := checkID("organization", organization); err != nil {
		return wire.Grant{}, err
	}
	var grant wire.Grant
	err := p.store.Read(ctx, func(r cloud.Reader) error {
		plane, err := r.Plane()
		if err != nil {
			return err
		}
		grant = wire.Grant{Revision: plane.GrantRevision, SSHKeys: []string{}}
		if served, err := serves(r, region, cloud.ID(organization)); err != nil || !served {
			return err
		}
		member, err := r.Member(cloud.ID(organization), cloud.ID(subject))
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		return describe(r, member, &grant)
	})
	return grant, err
}

// describe tells of a member what a region needs to know.
func describe(r cloud.Reader, member cloud.Member, grant *wire.Grant) error {
	role := wire.GrantRole(member.Role)
	grant.Role = &role
	organization, err := r.Organization(member.OrganizationID)
	if err != nil {
		return err
	}
	if !member.User.SuspendedAt.IsZero() || !organization.SuspendedAt.IsZero() {
		grant.Suspended = new(true)
	}
	keys, err := r.SSHKeys(member.User.ID, cloud.Page{Limit: maxGrantKeys})
	if err != nil {
		return err
	}
	grant.SSHKeys = fittingLines(keys)
	revoked, err := r.RevokedTokens(member.User.ID)
	for _, t := range revoked {
		grant.RevokedTokens = append(grant.RevokedTokens, t.TokenID)
	}
	return err
}

// Organizations lists where a subject belongs, as far as the region may serve
// it. A subject that does not exist belongs nowhere.
func (p *Plane) Organizations(ctx context.Context, region, subject string) (wire.Grant, error) {
	if err := checkID("subject", subject); err != nil {
		return wire.Grant{}, err
	}
	answer := wire.Grant{SSHKeys: []string{}}
	var access cloud.Access
	err := p.store.Read(ctx, func(r cloud.Reader) error {
		plane, err := r.Plane()
		if err != nil {
			return err
		}
		answer.Revision = plane.GrantRevision
		access, err = r.Access(region)
		return err
	})
	if err != nil {
		return wire.Grant{}, err
	}
	// Read after the revision: what changes in between the region is told of.
	standing, err := p.store.Standing(ctx, cloud.ID(subject))
	if err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
		return wire.Grant{}, err
	}
	answer.Organizations = servedMemberships(access, standing.Relations)
	return answer, nil
}

// servedMemberships are the first memberships in organizations that a region
// may serve, as many as are told.
func servedMemberships(access cloud.Access, relations []cloud.Relation) (list []wire.Membership) {
	for _, r := range relations {
		if len(list) == maxMemberships {
			break
		}
		if access.Admits(r.OrganizationID) {
			list = append(list, wire.Membership{Organization: string(r.OrganizationID), Role: wire.MembershipRole(r.Role)})
		}
	}
	return list
}

// serves reports whether a region may serve an organization.
func serves(r cloud.Reader, region string, organization cloud.ID) (bool, error) {
	access, err := r.Access(region)
	return access.Admits(organization), err
}

// fittingLines are the lines of the first keys, as many as fit.
func fittingLines(keys []cloud.SSHKey) []string {
	lines, size := make([]string, 0, len(keys)), 0
	for _, k := range keys {
		if size += len(k.Line); size > maxGrantKeyBytes {
			break
		}
		lines = append(lines, k.Line)
	}
	return lines
}

// grantChanges is what rides on the answer to a sync of a region that knows the
// grants as of a revision; nil for nothing.
//
// The plane does not note what it told whom: it names every change to every
// region, which knows by itself what it was told. So nothing is lost by a
// restart of the plane, or when its replicas take turns.
func grantChanges(r cloud.Reader, plane cloud.Plane, known *uint64) (*wire.GrantChanges, error) {
	if known == nil || *known == plane.GrantRevision {
		return nil, nil //nolint:nilnil // nothing is an answer
	}
	changes := &wire.GrantChanges{Revision: plane.GrantRevision, Changed: []wire.GrantKey{}}
	// A revision of the future is from before the plane was restored.
	if *known > plane.GrantRevision || plane.GrantRevision-*known > cloud.MaxGrantChanges {
		changes.All = true
		return changes, nil
	}
	keys, err := r.GrantChanges(*known, maxGrantChanges+1)
	if err != nil {
		return nil, err
	}
	if len(keys) > maxGrantChanges {
		changes.All = true
		return changes, nil
	}
	for _, k := range keys {
		changes.Changed = append(changes.Changed, wire.GrantKey{Subject: orNil(k.Subject), Organization: orNil(k.Organization)})
	}
	return changes, nil
}

// orNil is an id as it is told, "" for none.
func orNil(id cloud.ID) *string {
	if id == "" {
		return nil
	}
	return (*string)(&id)
}
