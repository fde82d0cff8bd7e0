package cloud

import (
	"slices"
	"strings"
	"time"
)

// Principal is who is calling, as a verified token says it. It never says what
// they may do.
type Principal struct {
	UserID         ID
	OrganizationID ID     // a boundary set by the token; "" for none
	MaxRole        Role   // another: what a role gives beyond this one, the token does not open; "" for none
	Personal       bool   // it is a PersonalToken, with which nobody makes others
	TokenID        string // the token's jti, for revocation

	// Organizations, by id, are those for which the token's issuer may speak: a
	// boundary as well. nil for our own issuer, which speaks for all.
	Organizations []ID
}

// Boundary lists, by id, the organizations that the token opens at most; nil for
// all of the caller's.
func (p Principal) Boundary() []ID {
	if p.OrganizationID != "" {
		return slices.DeleteFunc([]ID{p.OrganizationID}, func(id ID) bool { return !p.Admits(id) })
	}
	return p.Organizations
}

// Admits reports whether an organization is within the token's boundaries.
func (p Principal) Admits(organization ID) bool {
	return (p.OrganizationID == "" || p.OrganizationID == organization) &&
		(p.Organizations == nil || slices.Contains(p.Organizations, organization))
}

// Within returns those of the relations that are within the token's boundaries.
func (p Principal) Within(relations []Relation) []Relation {
	if p.OrganizationID == "" && p.Organizations == nil {
		return relations
	}
	return slices.DeleteFunc(slices.Clone(relations), func(r Relation) bool { return !p.Admits(r.OrganizationID) })
}

// CheckIssuer refuses what a token must not do whose issuer speaks for some
// organizations only: an account is also that of its other organizations, so
// whoever changes it, or adds a key to it, acts in those too. CodeForbidden.
func (p Principal) CheckIssuer(a Action) error {
	if p.Organizations == nil || a.NeedsOrganization() || !a.Changes() {
		return nil
	}
	return Forbidden("the issuer of your token speaks for some organizations, and not for your account: to %s, sign in here", a)
}

// Relation is the role of a user in one organization.
type Relation struct {
	OrganizationID ID
	Role           Role
	FleetRevision  int64 // of the organization; see Standing
	Suspended      bool  // the organization is
}

// Standing is what one read tells of a user: where they belong, and the
// revisions that say whether a kept list still holds.
type Standing struct {
	User           User
	Relations      []Relation // ordered by organization
	RevokedTokens  []string   // ids of the user's tokens that are good no more
	HealthRevision int64      // grows when a report makes any health better
}

// Caller is a principal within the organization that a request is about.
type Caller struct {
	Principal
	User     User
	Relation        // zero where the operation needs no organization
	Origin   Origin // for the audit
	Version  FleetVersion
}

// Authorize decides whether the caller may do the action: by their role, by
// their token, and by whether they or the organization are suspended. Every
// refusal is CodeForbidden.
func (c Caller) Authorize(a Action) error {
	if err := c.Role.Authorize(a); err != nil {
		if p, ok := a.permission(); ok && c.Role != "" && c.Role == c.MaxRole {
			return Forbidden("to %s needs the role %s or above in this organization; your token opens no more than %s", a, p.Least, c.Role)
		}
		return err
	}
	if err := c.checkReach(a); err != nil {
		return err
	}
	if !a.Changes() {
		return nil
	}
	if c.MaxRole == RoleViewer {
		return Forbidden("your token opens no more than %s, who reads: to %s, use another one", RoleViewer, a)
	}
	return c.Suspended()
}

func (c Caller) checkReach(a Action) error {
	p, _ := a.permission()
	switch {
	case p.Reach == AnyToken:
		return nil
	case c.User.Kind == Service:
		return Forbidden("a service account may not %s; a person may", a)
	case c.Personal:
		return Forbidden("a personal token may not %s; sign in and use the token that you get by that", a)
	case p.Reach == WholeToken && c.Boundary() != nil:
		return Forbidden("a token that is bound to one organization may not %s; sign in without choosing one", a)
	default:
		return nil
	}
}

// Suspended says why the caller may not change anything, as CodeForbidden; nil
// if they may.
func (c Caller) Suspended() error {
	switch {
	case !c.User.SuspendedAt.IsZero():
		return Forbidden("your account is suspended: you may read, and change nothing; the operator of this cloud can tell why")
	case c.Relation.Suspended:
		return Forbidden("this organization is suspended: it may be read, and not changed; the operator of this cloud can tell why")
	default:
		return nil
	}
}

// FleetVersion names a state of an organization's fleet: two reads with equal
// versions differ at most in health that the passing of time made worse.
type FleetVersion struct{ Fleet, Health int64 }

// Origin is where a change came from.
type Origin struct {
	RequestID string
	Address   string // of the client, without the port
}

// ChooseOrganization picks the organization that a request is about: the one
// asked for, else the one that the token is bound to, else the caller's only
// one.
//
// The refusals: CodeForbidden for an organization that is not the caller's
// (which reads the same as one that does not exist), for a caller who has
// none, and for one outside of the token's boundary; CodeInvalid with the list
// where the caller must choose.
func ChooseOrganization(relations []Relation, bound, asked ID) (Relation, error) {
	if bound != "" && asked != "" && bound != asked {
		return Relation{}, errForeignOrganization
	}
	if asked == "" {
		asked = bound
	}
	if asked != "" {
		i := slices.IndexFunc(relations, func(r Relation) bool { return r.OrganizationID == asked })
		if i < 0 {
			return Relation{}, errForeignOrganization
		}
		return relations[i], nil
	}
	switch len(relations) {
	case 0:
		return Relation{}, Forbidden("you belong to no organization; ask an admin of one for an invitation")
	case 1:
		return relations[0], nil
	default:
		return Relation{}, Invalid("you belong to several organizations; choose one with the header X-ORG-ID: %s", relationIDs(relations))
	}
}

var errForeignOrganization = Forbidden("you do not belong to the organization that X-ORG-ID or your token names; GET /organizations lists yours")

func relationIDs(relations []Relation) string {
	const most = 20
	var ids []string
	for _, r := range relations[:min(len(relations), most)] {
		ids = append(ids, string(r.OrganizationID))
	}
	if len(relations) > most {
		ids = append(ids, "…")
	}
	return strings.Join(ids, ", ")
}

// SigningKey is one key of the built-in issuer.
type SigningKey struct {
	ID        string // the kid: the key's RFC 7638 thumbprint
	PEM       Secret // PKCS #8
	CreatedAt time.Time
	RetiredAt time.Time // zero while it signs; afterwards it only verifies
	ExpiresAt time.Time // zero while it signs; the end of the last token it signed
}
