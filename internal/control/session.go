package control

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Visitor is a person whose browser is signed in.
type Visitor struct {
	User    cloud.User
	Session cloud.Session
}

// Visitor returns whose browser holds a session's secret. CodeUnauthenticated
// for a session that is over, or that never was.
func (c *Control) Visitor(ctx context.Context, session cloud.Secret) (Visitor, error) {
	return read(ctx, c, func(tx cloud.Reader) (Visitor, error) { return c.visitor(tx, session) })
}

func (c *Control) visitor(tx cloud.Reader, session cloud.Secret) (v Visitor, err error) {
	if session.Reveal() == "" {
		return v, errSignedOut
	}
	if v.Session, err = tx.Session(session.Hash(), c.now()); err == nil {
		v.User, err = tx.User(v.Session.UserID)
	}
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return v, errSignedOut
	}
	return v, err
}

var errSignedOut = cloud.Unauthenticated("you are not signed in; sign in, and try again")

// beginSession signs a browser in, in the place of whoever was before.
func (c *Control) beginSession(tx cloud.Writer, user cloud.User, with cloud.Identity, secret, former cloud.Secret, origin cloud.Origin) error {
	if former.Reveal() != "" {
		if err := tx.DeleteSession(former.Hash()); err != nil {
			return err
		}
	}
	now := c.now()
	if err := tx.CreateSession(cloud.Session{
		Hash: secret.Hash(), UserID: user.ID, Issuer: with.Issuer, Subject: with.Subject,
		CreatedAt: now, ExpiresAt: now.Add(cloud.SessionTTL),
	}); err != nil {
		return err
	}
	return c.auditPerson(tx, user.ID, origin, change{
		action: "session.create", target: string(user.ID), after: map[string]any{"issuer": with.Issuer},
	})
}

// SignOut ends a browser's session. One that is over already is no error.
func (c *Control) SignOut(ctx context.Context, session cloud.Secret, origin cloud.Origin) error {
	return c.store.Write(ctx, func(tx cloud.Writer) error {
		v, err := c.visitor(tx, session)
		if cloud.CodeOf(err) == cloud.CodeUnauthenticated {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteSession(v.Session.Hash); err != nil {
			return err
		}
		return c.auditPerson(tx, v.User.ID, origin, change{action: "session.delete", target: string(v.User.ID)})
	})
}

// SignOutEverywhere ends all sessions of the visitor, and what programs got by
// them, or were about to get. Only the first access token of a device that asked
// for none to refresh it is not known here, and ends by itself. Tokens that the
// person made by name stay.
func (c *Control) SignOutEverywhere(ctx context.Context, session cloud.Secret, origin cloud.Origin) error {
	return c.store.Write(ctx, func(tx cloud.Writer) error {
		v, err := c.visitor(tx, session)
		if err != nil {
			return err
		}
		if err := tx.DeleteSessions(v.User.ID); err != nil {
			return err
		}
		if err := c.endGrants(tx, v.User.ID); err != nil {
			return err
		}
		return c.auditPerson(tx, v.User.ID, origin, change{
			action: "session.delete", target: string(v.User.ID), before: map[string]any{"sessions": "all"},
		})
	})
}

// endGrants takes back what programs may do for somebody: what they have not
// exchanged yet, their refresh tokens, and the access tokens that they got.
func (c *Control) endGrants(tx cloud.Writer, user cloud.ID) error {
	ends := map[string]time.Time{} // of access tokens, by id
	agreed, err := tx.DeleteAuthorizationsOf(user)
	if err != nil {
		return err
	}
	for _, a := range agreed {
		if a.Family != "" { // which is the id of the first token too
			ends[string(a.Family)] = a.ExpiresAt.Add(cloud.AccessTokenTTL) // or before that
		}
	}
	if err := tx.DeleteDeviceCodesOf(user); err != nil {
		return err
	}
	tokens, err := tx.DeleteRefreshTokensOf(user)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		ends[t.TokenID] = t.TokenEnd
	}
	for _, id := range slices.Sorted(maps.Keys(ends)) {
		revoked := cloud.Revoked(user, id, ends[id])
		if id == "" || revoked.Over(c.now()) {
			continue
		}
		if err := tx.RevokeToken(revoked); err != nil {
			return err
		}
	}
	return nil
}

func (c *Control) auditPerson(tx cloud.Writer, person cloud.ID, origin cloud.Origin, ch change) error {
	return c.audit(tx, cloud.Actor{Kind: cloud.ActorUser, ID: string(person)}, origin, ch)
}
