package control

import (
	"context"

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
// them: their refresh tokens, and the access tokens that came with those.
// Tokens that the person made by name stay.
func (c *Control) SignOutEverywhere(ctx context.Context, session cloud.Secret, origin cloud.Origin) error {
	return c.store.Write(ctx, func(tx cloud.Writer) error {
		v, err := c.visitor(tx, session)
		if err != nil {
			return err
		}
		if err := tx.DeleteSessions(v.User.ID); err != nil {
			return err
		}
		if err := c.endPrograms(tx, v.User.ID); err != nil {
			return err
		}
		return c.auditPerson(tx, v.User.ID, origin, change{
			action: "session.delete", target: string(v.User.ID), before: map[string]any{"sessions": "all"},
		})
	})
}

// endPrograms makes useless what programs got of somebody who signed in for them.
func (c *Control) endPrograms(tx cloud.Writer, user cloud.ID) error {
	tokens, err := tx.DeleteRefreshTokensOf(user)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		revoked := cloud.Revoked(t.UserID, t.TokenID, t.TokenEnd)
		if revoked.Over(c.now()) {
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
