package control

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// AccountOf returns whose account an issuer's subject opens, for tokens of issuers
// that an operator trusts. CodeNotFound if there is none.
func (c *Control) AccountOf(ctx context.Context, issuer, subject string) (cloud.ID, error) {
	return read(ctx, c, func(tx cloud.Reader) (cloud.ID, error) {
		identity, err := tx.Identity(issuer, subject)
		return identity.UserID, err
	})
}

// LinkIdentity lets an issuer's subject open the account of an address, which may
// be a service account's: for whom the issuer cannot sign in here. CodeInvalid
// for what is neither an issuer nor a subject, CodeNotFound for an unknown
// address, CodeConflict for a subject that opens an account already.
func (o Operator) LinkIdentity(ctx context.Context, email, issuer, subject string) (cloud.Identity, error) {
	if err := checkIdentity(issuer, subject); err != nil {
		return cloud.Identity{}, err
	}
	linked := cloud.Identity{Issuer: issuer, Subject: subject, CreatedAt: o.now()}
	err := o.store.Write(ctx, func(tx cloud.Writer) error {
		user, err := userByAddress(tx, email)
		if err != nil {
			return err
		}
		linked.UserID, linked.Email = user.ID, user.Email
		if known, err := tx.Identity(issuer, subject); err == nil {
			return cloud.Conflict("this subject of %s opens the account %s already; unlink it first if it is to open another", issuer, known.UserID)
		} else if cloud.CodeOf(err) != cloud.CodeNotFound {
			return err
		}
		if err := tx.CreateIdentity(linked); err != nil {
			return err
		}
		return o.audit(tx, change{action: "identity.link", target: string(user.ID), after: wayIn{issuer, subject}})
	})
	return linked, err
}

// UnlinkIdentity takes from an issuer's subject the account that it opens, and
// signs whose that is out everywhere, since nobody knows what began with it.
// CodeNotFound if it opens none.
func (o Operator) UnlinkIdentity(ctx context.Context, issuer, subject string) (cloud.Identity, error) {
	var gone cloud.Identity
	err := o.store.Write(ctx, func(tx cloud.Writer) (err error) {
		gone, err = tx.Identity(issuer, subject)
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return cloud.NotFound("this subject opens no account; penstock admin identity list EMAIL lists what opens somebody's")
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteIdentity(issuer, subject); err != nil {
			return err
		}
		if err := tx.DeleteSessions(gone.UserID); err != nil {
			return err
		}
		if err := o.endGrants(tx, gone.UserID); err != nil {
			return err
		}
		return o.audit(tx, change{action: "identity.unlink", target: string(gone.UserID), before: wayIn{issuer, subject}})
	})
	return gone, err
}

// Identities lists what opens the account of an address; CodeNotFound for an
// unknown one.
func (o Operator) Identities(ctx context.Context, email string) ([]cloud.Identity, error) {
	return read(ctx, o.Control, func(tx cloud.Reader) ([]cloud.Identity, error) {
		user, err := userByAddress(tx, email)
		if err != nil {
			return nil, err
		}
		return tx.Identities(user.ID)
	})
}

// wayIn is an identity as the audit has it.
type wayIn struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

func checkIdentity(issuer, subject string) error {
	if err := cloud.CheckIssuer(issuer); err != nil {
		return err
	}
	return cloud.CheckSubject(subject)
}

func userByAddress(tx cloud.Reader, address string) (cloud.User, error) {
	email, err := cloud.ParseEmail(address)
	if err != nil {
		return cloud.User{}, err
	}
	user, err := tx.UserByEmail(email)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return user, cloud.NotFound("nobody here has the address %s", email)
	}
	return user, err
}
