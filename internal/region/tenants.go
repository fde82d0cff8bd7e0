package region

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Authority knows what the subjects of tokens may do. See Grants.
type Authority interface {
	Grant(ctx context.Context, subject, organization cloud.ID) (Grant, error)
	// Organizations lists where a subject belongs, and whether the plane said so
	// within the last minute; CodeUnavailable if nobody can tell.
	Organizations(ctx context.Context, subject cloud.ID) (organizations []cloud.ID, current bool, err error)
}

// TenantsConfig is what Tenants are made of. Every field is required but those
// that say otherwise.
type TenantsConfig struct {
	Region     *Region
	Reconciler *Reconciler // which is told what there is to do
	Authority  Authority
	Engine     engine.Engine
	Types      []cloud.InstanceType // that are offered
	Quotas     Quotas               // may be empty
	Log        *slog.Logger
}

// Quotas bounds how many instances of a type an organization has.
type Quotas []Quota

// Quota is one bound.
type Quota struct {
	OrganizationID cloud.ID // "" for every organization that has none of its own
	Type           string
	Most           int64
}

// unlimited is more than there can be.
const unlimited = int64(1) << 40

func (q Quotas) most(organization cloud.ID, typeName string) int64 {
	most := unlimited
	for _, quota := range q {
		if quota.Type != typeName {
			continue
		}
		switch quota.OrganizationID {
		case organization:
			return quota.Most
		case "":
			most = quota.Most
		}
	}
	return most
}

// Tenants runs the use cases of those who call a region. It is safe for
// concurrent use.
type Tenants struct {
	TenantsConfig
	owners owners
}

// NewTenants returns the use cases.
func NewTenants(c TenantsConfig) *Tenants { return &Tenants{TenantsConfig: c} }

// Caller is who calls a region, and for which organization and project.
type Caller struct {
	cloud.Principal
	OrganizationID cloud.ID // "" where the action needs none
	ProjectID      cloud.ID // "" where the request names none
	Grant          Grant
	Origin         cloud.Origin // for the audit
	// Revision is that of the project before the caller was admitted; zero where
	// the request names none.
	Revision Revision

	program bool // no user, but the program itself
}

// actor is who the caller is to the audit.
func (c Caller) actor() cloud.Actor {
	if c.program {
		return cloud.Actor{Kind: cloud.ActorSystem, ID: "penstock"}
	}
	return cloud.Actor{Kind: cloud.ActorUser, ID: string(c.UserID)}
}

// Admit decides whether a principal may do the action, in the project that the
// request names, or else in the organization: that one, the one that their
// token is bound to, or their only one.
//
// What needs no organization is the same for everybody, and the plane is asked
// nothing for it: a token that was revoked reads that until it ends.
//
// The refusals: CodeNotFound for a project that is not there or not theirs;
// CodeUnauthenticated for a token that was revoked; CodeUnavailable where the
// plane has to be asked and is away; and those of cloud.ChooseOrganization and
// Grant.Authorize.
func (t *Tenants) Admit(ctx context.Context, p cloud.Principal, a cloud.Action, organization, project cloud.ID) (Caller, error) {
	c := Caller{Principal: p, ProjectID: project}
	if !a.NeedsOrganization() {
		return c, p.CheckIssuer(a)
	}
	var err error
	if project == "" {
		c.OrganizationID, err = t.chooseOrganization(ctx, p, organization)
	} else {
		c.Revision = t.Region.revision(project)
		c.OrganizationID, err = t.ownerOf(ctx, c, organization)
	}
	if err != nil {
		return c, err
	}
	if c.Grant, err = t.Authority.Grant(ctx, p.UserID, c.OrganizationID); err != nil {
		return c, err
	}
	if p.TokenID != "" && slices.Contains(c.Grant.RevokedTokens, p.TokenID) {
		return c, cloud.Unauthenticated("this token was revoked; get another one")
	}
	if c.Grant.Role == "" && project != "" {
		return c, errNoProject(project)
	}
	c.Grant.Role = c.Grant.Role.AtMost(p.MaxRole)
	return c, c.Grant.Authorize(a)
}

func (t *Tenants) chooseOrganization(ctx context.Context, p cloud.Principal, asked cloud.ID) (cloud.ID, error) {
	if asked == "" {
		asked = p.OrganizationID
	}
	if asked != "" {
		chosen, err := cloud.ChooseOrganization(p.Within([]cloud.Relation{{OrganizationID: asked}}), p.OrganizationID, asked)
		return chosen.OrganizationID, err
	}
	organizations, _, err := t.Authority.Organizations(ctx, p.UserID)
	if err != nil {
		return "", err
	}
	relations := make([]cloud.Relation, len(organizations))
	for i, id := range organizations {
		relations[i].OrganizationID = id
	}
	chosen, err := cloud.ChooseOrganization(p.Within(relations), "", "")
	return chosen.OrganizationID, err
}

// ownerOf returns the organization of a project. One that is outside of what
// the caller asked for, or of what their token opens, is not there.
func (t *Tenants) ownerOf(ctx context.Context, c Caller, asked cloud.ID) (cloud.ID, error) {
	owner, known := t.owners.get(c.ProjectID, c.Revision)
	if !known {
		var err error
		if owner, err = t.readOwner(ctx, c); err != nil {
			return "", err
		}
	}
	if asked != "" && asked != owner || !c.Admits(owner) {
		return "", errNoProject(c.ProjectID)
	}
	return owner, nil
}

func (t *Tenants) readOwner(ctx context.Context, c Caller) (cloud.ID, error) {
	var found cloud.Project
	err := t.Region.Read(ctx, func(r cloud.RegionReader) (err error) {
		found, err = r.Project(c.ProjectID)
		return err
	})
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return "", errNoProject(c.ProjectID)
	}
	if err != nil {
		return "", err
	}
	t.owners.put(c.ProjectID, found.OrganizationID, c.Revision)
	return found.OrganizationID, nil
}

func errNoProject(id cloud.ID) error {
	return cloud.NotFound("you have no project %s in this region; GET /projects lists yours", id)
}

// deed is what a caller changed, for the audit.
type deed struct {
	action, target string
	before, after  any // what it was and is; nil for nothing
}

// audit records in its transaction what a caller changed.
func (c *change) audit(by Caller, d deed) error {
	entry := cloud.AuditEntry{
		ID: c.newID(), At: c.at, OrganizationID: by.OrganizationID,
		Actor: by.actor(), Action: d.action, Target: d.target, Origin: by.Origin,
	}
	var err error
	if entry.Before, err = side(d.before); err != nil {
		return err
	}
	if entry.After, err = side(d.after); err != nil {
		return err
	}
	c.audited = true
	return c.AppendAudit(entry)
}

func side(value any) (string, error) {
	if value == nil {
		return "", nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}

// change is a transaction of the region on a caller's behalf. A daemon that was
// fenced cannot serve them.
func (t *Tenants) change(ctx context.Context, fn func(*change) error) error {
	err := t.Region.change(ctx, fn)
	if err == ErrFenced { //nolint:errorlint // nothing is wrapped around it
		return cloud.Unavailable(err)
	}
	return err
}
