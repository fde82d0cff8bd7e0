package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// GrantClient asks the plane what the subjects of tokens may do, with the
// region's own credential: no caller's token ever goes to the plane.
type GrantClient struct{ plane *planeClient }

// NewGrantClient returns a client of the plane to which a reporter so made
// reports. CodeInvalid if its URL cannot be used.
func NewGrantClient(c ReporterConfig) (*GrantClient, error) {
	plane, err := newPlaneClient(c)
	return &GrantClient{plane}, err
}

// Grant returns what a subject may do in an organization, or where the subject
// belongs if the key names none; and the revision of grants as of which that
// is so. CodeUnavailable while the plane, or whatever stands before it, does not
// answer; another error if the plane does not know this region, or says what
// this release does not understand.
func (c *GrantClient) Grant(ctx context.Context, key cloud.GrantKey) (cloud.Grant, uint64, error) {
	answer, err := c.plane.grant(ctx, wire.GetGrantParams{Subject: string(key.Subject), Organization: orNil(key.Organization)})
	if err != nil {
		return cloud.Grant{}, 0, unanswered("a grant", err)
	}
	read := grantIn
	if key.Organization == "" {
		read = membershipsIn
	}
	grant, err := read(answer)
	if err != nil {
		return cloud.Grant{}, 0, err
	}
	return grant, answer.Revision, nil
}

// AccountOf returns whose account an external issuer's subject is, as far as the
// region may serve them. CodeNotFound if it is nobody's; else it fails as Grant
// does.
func (c *GrantClient) AccountOf(ctx context.Context, issuer, subject string) (cloud.ID, error) {
	answer, err := c.plane.identity(ctx, wire.GetIdentityParams{Issuer: issuer, Subject: subject})
	if err != nil {
		return "", unanswered("an identity", err)
	}
	if answer.User == nil {
		return "", cloud.NotFound("this subject opens no account that this region may serve")
	}
	user, err := cloud.ParseID(*answer.User)
	if err != nil {
		return "", fmt.Errorf("the plane names the user %.80q, which is not an id", *answer.User)
	}
	return user, nil
}

// unanswered tells a plane that refuses to answer from one that is away.
func unanswered(what string, err error) error {
	var refused *refusal
	if errors.As(err, &refused) && (refused.status == http.StatusUnauthorized || refused.status == http.StatusForbidden) {
		return fmt.Errorf("ask for %s: %w", what, err)
	}
	return cloud.Unavailable(fmt.Errorf("ask for %s: %w", what, err))
}

// grantIn reads the answer about an organization.
func grantIn(answer wire.Grant) (cloud.Grant, error) {
	grant := cloud.Grant{Suspended: answer.Suspended != nil && *answer.Suspended, SSHKeys: answer.SSHKeys, RevokedTokens: answer.RevokedTokens}
	if answer.Role == nil {
		return grant, nil
	}
	var err error
	if grant.Role, err = cloud.ParseRole(string(*answer.Role)); err != nil {
		return cloud.Grant{}, fmt.Errorf("the plane grants the role %q, which this release does not know", *answer.Role)
	}
	return grant, nil
}

// membershipsIn reads the answer about no organization in particular. Of the
// roles in it none is used: what the subject may do is asked for where it is to
// be done.
func membershipsIn(answer wire.Grant) (cloud.Grant, error) {
	grant := cloud.Grant{SSHKeys: answer.SSHKeys, RevokedTokens: answer.RevokedTokens}
	for _, m := range answer.Organizations {
		id, err := cloud.ParseID(m.Organization)
		if err != nil {
			return cloud.Grant{}, fmt.Errorf("the plane lists the organization %.80q, which is not an id", m.Organization)
		}
		grant.Organizations = append(grant.Organizations, id)
	}
	return grant, nil
}

// fromWireChanges reads what a sync's answer says of grants.
func fromWireChanges(w wire.GrantChanges) cloud.GrantChanges {
	changes := cloud.GrantChanges{Revision: w.Revision, All: w.All}
	for _, k := range w.Changed {
		var key cloud.GrantKey
		if k.Subject != nil {
			key.Subject = cloud.ID(*k.Subject)
		}
		if k.Organization != nil {
			key.Organization = cloud.ID(*k.Organization)
		}
		changes.Keys = append(changes.Keys, key)
	}
	return changes
}
