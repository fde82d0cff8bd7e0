package control

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Control runs the use cases. It is safe for concurrent use.
type Control struct {
	store  cloud.Store
	now    func() time.Time
	newID  func() cloud.ID
	policy cloud.HealthPolicy
	settings

	marked atomic.Pointer[time.Time] // when this process last noted that it runs
}

// settings is what an installation may choose.
type settings struct {
	mailed   func()                    // wakes who sends mail; nil where nobody does
	link     func(cloud.Secret) string // to the page of an invitation, by its token; nil for none
	auditTTL time.Duration
	mint     Minter
	bounds   cloud.Bounds
}

// Option is something that an installation chooses.
type Option func(*settings)

// WithMail says that what people are told goes out by mail, and how to wake
// whoever sends it, when a transaction has left some.
func WithMail(wake func()) Option { return func(s *settings) { s.mailed = wake } }

// WithLinks says where the page of an invitation is, by its token. Where there is
// no mail whoever invites gets that link, to pass it on.
func WithLinks(link func(token cloud.Secret) string) Option {
	return func(s *settings) { s.link = link }
}

// Minter makes the JWT of a personal token, and says when exactly it ends.
type Minter func(context.Context, cloud.PersonalToken) (cloud.Secret, time.Time, error)

// WithPersonalTokens says who makes those; without it nobody does.
func WithPersonalTokens(mint Minter) Option { return func(s *settings) { s.mint = mint } }

func mintNone(context.Context, cloud.PersonalToken) (cloud.Secret, time.Time, error) {
	return cloud.Secret{}, time.Time{}, cloud.Unimplemented("this process makes no personal tokens")
}

// WithAuditTTL says for how long the audit is kept, instead of cloud.AuditTTL.
func WithAuditTTL(ttl time.Duration) Option { return func(s *settings) { s.auditTTL = ttl } }

// WithBounds says how much there may be, instead of cloud.DefaultBounds.
func WithBounds(b cloud.Bounds) Option { return func(s *settings) { s.bounds = b } }

// New returns the use cases on a store. now gives the time, newID fresh UUIDv7s.
func New(store cloud.Store, now func() time.Time, newID func() cloud.ID, policy cloud.HealthPolicy, options ...Option) *Control {
	c := &Control{
		store: store, now: func() time.Time { return stored(now()) }, newID: newID, policy: policy,
		settings: settings{auditTTL: cloud.AuditTTL, mint: mintNone, bounds: cloud.DefaultBounds},
	}
	for _, set := range options {
		set(&c.settings)
	}
	return c
}

// stored is a time as stores keep it, so that what is answered at once is what
// is read later.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Ping reports whether the store can be reached.
func (c *Control) Ping(ctx context.Context) error { return c.store.Ping(ctx) }

// Admit decides whether a principal may do the action, in the organization
// that they ask for ("" leaves the choice to their token and membership). It
// reads membership anew each time.
//
// The refusals: CodeUnauthenticated for an account that is gone and a token that
// was revoked, and those of cloud.ChooseOrganization and cloud.Caller.Authorize.
func (c *Control) Admit(ctx context.Context, p cloud.Principal, action cloud.Action, asked string) (cloud.Caller, error) {
	return c.admit(ctx, p, action, func(relations []cloud.Relation) (cloud.Relation, error) {
		var organization cloud.ID
		if asked != "" {
			var err error
			if organization, err = cloud.ParseID(asked); err != nil {
				return cloud.Relation{}, cloud.Invalid("X-ORG-ID: %v", err)
			}
		}
		return cloud.ChooseOrganization(relations, p.OrganizationID, organization)
	})
}

// AdmitTo is Admit for a request whose path names the organization: one that is
// not the caller's, or not their token's, is CodeNotFound.
func (c *Control) AdmitTo(ctx context.Context, p cloud.Principal, action cloud.Action, named string) (cloud.Caller, error) {
	return c.admit(ctx, p, action, func(relations []cloud.Relation) (cloud.Relation, error) {
		organization, err := cloud.ParseID(named)
		if err != nil {
			return cloud.Relation{}, errNoOrganization
		}
		relation, err := cloud.ChooseOrganization(relations, p.OrganizationID, organization)
		if err != nil {
			return cloud.Relation{}, errNoOrganization
		}
		return relation, nil
	})
}

var errNoOrganization = cloud.NotFound("you have no organization of that id; GET /organizations lists yours")

func (c *Control) admit(ctx context.Context, p cloud.Principal, action cloud.Action, choose func([]cloud.Relation) (cloud.Relation, error)) (cloud.Caller, error) {
	standing, err := c.store.Standing(ctx, p.UserID)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return cloud.Caller{}, errNoAccount
	}
	if err != nil {
		return cloud.Caller{}, err
	}
	if p.TokenID != "" && slices.Contains(standing.RevokedTokens, p.TokenID) {
		return cloud.Caller{}, cloud.Unauthenticated("this token was revoked; get another one")
	}
	standing.Relations = p.Within(standing.Relations)
	caller := cloud.Caller{Principal: p, User: standing.User}
	if err := p.CheckIssuer(action); err != nil {
		return caller, err
	}
	if !action.NeedsOrganization() {
		return caller, caller.Authorize(action)
	}
	if caller.Relation, err = choose(standing.Relations); err != nil {
		return caller, err
	}
	caller.Role = caller.Role.AtMost(p.MaxRole)
	caller.Version = cloud.FleetVersion{Fleet: caller.FleetRevision, Health: standing.HealthRevision}
	return caller, caller.Authorize(action)
}

var errNoAccount = cloud.Unauthenticated("the account of this token no longer exists")

// changeAs runs a change in one transaction. The caller's role is read again
// in it: it may have been taken away since the caller was admitted.
func (c *Control) changeAs(ctx context.Context, caller cloud.Caller, action cloud.Action, fn func(tx cloud.Writer) error) error {
	return c.store.Write(ctx, func(tx cloud.Writer) error {
		if err := reauthorize(tx, caller, action); err != nil {
			return err
		}
		return fn(tx)
	})
}

// changing is changeAs for a change that makes something.
func changing[T any](ctx context.Context, c *Control, caller cloud.Caller, action cloud.Action, fn func(tx cloud.Writer) (T, error)) (T, error) {
	var result T
	err := c.changeAs(ctx, caller, action, func(tx cloud.Writer) (err error) {
		result, err = fn(tx)
		return err
	})
	return result, err
}

// reauthorize decides as admit did, by what is so in the transaction.
func reauthorize(tx cloud.Writer, caller cloud.Caller, action cloud.Action) (err error) {
	if !action.NeedsOrganization() {
		if caller.User, err = tx.User(caller.UserID); cloud.CodeOf(err) == cloud.CodeNotFound {
			return errNoAccount
		}
		if err != nil {
			return err
		}
		return caller.Authorize(action)
	}
	// Locked first, so that nobody's role changes while this is decided.
	if err := tx.LockOrganization(caller.Relation.OrganizationID); err != nil {
		return err
	}
	organization, err := tx.Organization(caller.Relation.OrganizationID)
	if err != nil {
		return err
	}
	member, err := tx.Member(organization.ID, caller.UserID)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return cloud.Forbidden("you no longer belong to this organization")
	}
	if err != nil {
		return err
	}
	caller.User = member.User
	caller.Role = member.Role.AtMost(caller.MaxRole)
	caller.Relation.Suspended = !organization.SuspendedAt.IsZero()
	return caller.Authorize(action)
}

// change describes a mutation for the audit. Before and after are what the
// target was and became, in any form that JSON takes; nil for nothing.
type change struct {
	action        string
	target        string
	organization  cloud.ID
	before, after any
}

func (c *Control) audit(tx cloud.Writer, actor cloud.Actor, origin cloud.Origin, ch change) error {
	entry := cloud.AuditEntry{
		ID: c.newID(), At: c.now(), OrganizationID: ch.organization,
		Actor: actor, Action: ch.action, Target: ch.target, Origin: origin,
	}
	for _, side := range []struct {
		value any
		text  *string
	}{{ch.before, &entry.Before}, {ch.after, &entry.After}} {
		if side.value == nil {
			continue
		}
		text, err := json.Marshal(side.value)
		if err != nil {
			return err
		}
		*side.text = string(text)
	}
	return tx.AppendAudit(entry)
}

func (c *Control) auditCaller(tx cloud.Writer, caller cloud.Caller, ch change) error {
	return c.audit(tx, cloud.Actor{Kind: cloud.ActorUser, ID: string(caller.UserID)}, caller.Origin, ch)
}

// read returns what fn finds in one consistent state.
func read[T any](ctx context.Context, c *Control, fn func(tx cloud.Reader) (T, error)) (T, error) {
	var result T
	err := c.store.Read(ctx, func(tx cloud.Reader) (err error) {
		result, err = fn(tx)
		return err
	})
	return result, err
}
