package control

import (
	"context"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// parseAddress reads the address of a person who signs in. Nobody reads mail
// under .invalid, where programs have their addresses; and a domain is written
// in one form only, or one that is bound to a provider could be named by another.
func parseAddress(s string) (cloud.Email, error) {
	email, err := cloud.ParseEmail(strings.TrimSpace(s))
	if err != nil {
		return "", err
	}
	domain := email.Domain()
	if strings.ContainsFunc(domain, func(r rune) bool { return r >= 0x80 }) {
		return "", cloud.Invalid("write the address with the domain in its ASCII form, which begins with xn--")
	}
	if domain == "invalid" || strings.HasSuffix(domain, ".invalid") {
		return "", cloud.Invalid("nobody can receive mail at %s; give your own address", domain)
	}
	return email, nil
}

// admitIdentity finds the account that an assertion opens, or makes it, or adds
// the way in to the account linkTo.
func (e Entrance) admitIdentity(tx cloud.Writer, f Finish, linkTo cloud.ID, a cloud.Assertion) (cloud.Identity, cloud.User, error) {
	email, err := e.believe(a)
	if err != nil {
		return cloud.Identity{}, cloud.User{}, err
	}
	identity := cloud.Identity{Issuer: a.Issuer, Subject: a.Subject, Email: email, CreatedAt: e.now(), LastUsedAt: e.now()}
	known, err := tx.Identity(a.Issuer, a.Subject)
	switch {
	case err == nil && linkTo != "" && known.UserID != linkTo:
		return known, cloud.User{}, cloud.Forbidden("this opens another account already; sign in to that one and take it away there first")
	case err == nil:
		user, err := e.useIdentity(tx, f, known, identity, a.Name)
		return known, user, err
	case cloud.CodeOf(err) != cloud.CodeNotFound:
		return known, cloud.User{}, err
	case linkTo != "":
		user, err := e.linkVisitor(tx, f, linkTo, identity)
		return identity, user, err
	default:
		user, err := e.enrol(tx, f, identity, a.Name)
		return identity, user, err
	}
}

// believe checks what the issuer says of the address: it has to have verified
// it, or be assumed to for the domain, and no other issuer may be the only one
// that speaks for the domain.
func (e Entrance) believe(a cloud.Assertion) (cloud.Email, error) {
	if a.Email == "" {
		return "", cloud.Forbidden("your provider does not tell your address; let it, or ask whoever runs the provider to give this client the claim email")
	}
	email, err := parseAddress(a.Email)
	if err != nil {
		return "", cloud.Forbidden("your provider gives an address that cannot be used: %v", err)
	}
	bond, bound := e.bound[email.Domain()]
	switch {
	case a.EmailVerified, a.EmailUnsaid && bond.assumed && bond.issuer == a.Issuer:
	case a.EmailUnsaid:
		return "", cloud.Forbidden("your provider does not say whether it has verified your address; ask whoever runs the provider for the claim email_verified, or whoever runs this cloud for assume_verified")
	default:
		return "", cloud.Forbidden("your provider has not verified your address; verify it there (the claim email_verified must be true), and sign in again")
	}
	if bound && bond.issuer != a.Issuer {
		return "", cloud.Forbidden("addresses of %s sign in with their own provider; choose that one", email.Domain())
	}
	return email, nil
}

// useIdentity notes that a way in was used, and what its issuer says by now.
// An account follows the way in that has the same address, as long as nobody
// else has the new one.
func (e Entrance) useIdentity(tx cloud.Writer, f Finish, known, said cloud.Identity, name string) (cloud.User, error) {
	if err := tx.UseIdentity(known.Issuer, known.Subject, said.Email, said.LastUsedAt); err != nil {
		return cloud.User{}, err
	}
	user, err := tx.User(known.UserID)
	if err == nil && user.Kind == cloud.Service {
		return user, errNoPerson
	}
	if err != nil || user.Email.Key() != known.Email.Key() {
		return user, err
	}
	next := user
	if name != "" {
		next.Name = personName(name, said.Email)
	}
	holder, err := tx.UserByEmail(said.Email)
	if err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
		return user, err
	}
	if err != nil || holder.ID == user.ID {
		next.Email = said.Email
	}
	if next.Email == user.Email && next.Name == user.Name {
		return user, nil
	}
	if err := tx.UpdateUser(user.ID, next.Name, next.Email); err != nil {
		return user, err
	}
	return next, e.auditPerson(tx, user.ID, f.Origin, change{
		action: "user.update", target: string(user.ID), before: personOf(user), after: personOf(next),
	})
}

// enrol finds the account for a way in that nobody has used before, or makes
// one.
func (e Entrance) enrol(tx cloud.Writer, f Finish, identity cloud.Identity, name string) (cloud.User, error) {
	user, err := tx.UserByEmail(identity.Email)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		user = cloud.User{ID: e.newID(), Email: identity.Email, Name: personName(name, identity.Email), Kind: cloud.Person, CreatedAt: e.now()}
		if err := tx.CreateUser(user); err != nil {
			return user, err
		}
		if err := e.auditPerson(tx, user.ID, f.Origin, change{action: "user.create", target: string(user.ID), after: personOf(user)}); err != nil {
			return user, err
		}
		return user, e.link(tx, f, user, identity)
	}
	if err != nil {
		return user, err
	}
	if err := e.mayEnter(tx, user, identity); err != nil {
		return user, err
	}
	return user, e.link(tx, f, user, identity)
}

// mayEnter decides whether a new way in opens the account that has its address
// already. One that nobody has ever entered was made by the operator, for this
// address. Otherwise only the provider to which the domain is bound may say whose
// the address is; and it may not if the account does not show that the address
// is its owner's, or belongs to somebody else of that provider: addresses are
// given to others, subjects never are.
func (e Entrance) mayEnter(tx cloud.Writer, user cloud.User, identity cloud.Identity) error {
	if user.Kind == cloud.Service {
		return errOtherWay
	}
	if err := tx.LockUser(user.ID); err != nil {
		return err
	}
	ways, err := tx.Identities(user.ID)
	if err != nil || len(ways) == 0 {
		return err
	}
	for _, way := range ways {
		if way.Issuer == identity.Issuer && way.Subject == identity.Subject {
			return cloud.Conflict("this account was made just now; try again")
		}
	}
	if e.bound[identity.Email.Domain()].issuer != identity.Issuer {
		return errOtherWay
	}
	vouched := false
	for _, way := range ways {
		if way.Issuer == identity.Issuer {
			return errRecycled
		}
		vouched = vouched || way.Email.Key() == user.Email.Key()
	}
	if !vouched {
		return errRecycled
	}
	return nil
}

var (
	errOtherWay = cloud.Forbidden("there is an account with this address, which is signed in to in another way; sign in as you did before, and add this way on the page of your account")
	errNoPerson = cloud.Forbidden("this opens a service account, as which programs call; sign in as yourself")
	errRecycled = cloud.Forbidden("an account with this address belongs to somebody else; ask whoever runs this cloud to give that account another address")
)

// linkVisitor adds a way in to the account whose owner is signed in, in the
// browser that asked for it.
func (e Entrance) linkVisitor(tx cloud.Writer, f Finish, linkTo cloud.ID, identity cloud.Identity) (cloud.User, error) {
	v, err := e.visitor(tx, f.Session)
	if err == nil && v.User.ID != linkTo {
		err = errSignedOut
	}
	if err != nil {
		return v.User, err
	}
	if err := holdOwner(tx, v.User); err != nil {
		return v.User, err
	}
	ways, err := tx.Identities(v.User.ID)
	if err != nil {
		return v.User, err
	}
	if len(ways) >= maxWays {
		return v.User, cloud.Forbidden("an account has at most %d ways in; take one away first", maxWays)
	}
	return v.User, e.link(tx, f, v.User, identity)
}

// holdOwner holds the row of who changes the ways in to their own account, which
// nobody does who is suspended: CodeForbidden.
func holdOwner(tx cloud.Writer, user cloud.User) error {
	if err := tx.LockUser(user.ID); err != nil {
		return err
	}
	user, err := tx.User(user.ID) // again: it may have been suspended meanwhile
	if err != nil {
		return err
	}
	return cloud.Caller{User: user}.Suspended()
}

// maxWays is how many ways in an account has.
const maxWays = 20

func (e Entrance) link(tx cloud.Writer, f Finish, user cloud.User, identity cloud.Identity) error {
	identity.UserID = user.ID
	if err := tx.CreateIdentity(identity); err != nil {
		return err
	}
	return e.auditPerson(tx, user.ID, f.Origin, change{action: "identity.link", target: string(user.ID), after: wayOf(identity)})
}

// Ways lists the ways in to a visitor's account.
func (c *Control) Ways(ctx context.Context, v Visitor) ([]cloud.Identity, error) {
	return read(ctx, c, func(tx cloud.Reader) ([]cloud.Identity, error) { return tx.Identities(v.User.ID) })
}

// Unlink takes a way in away, and ends what may have come in by it: the account's
// sessions but the one that asks, that too if it began in this way, and what
// programs were let into. CodeNotFound for a way that is not the
// account's, CodeConflict for its last one, CodeForbidden for who is suspended.
func (c *Control) Unlink(ctx context.Context, session cloud.Secret, issuer, subject string, origin cloud.Origin) error {
	return c.store.Write(ctx, func(tx cloud.Writer) error {
		v, err := c.visitor(tx, session)
		if err != nil {
			return err
		}
		if err := holdOwner(tx, v.User); err != nil {
			return err
		}
		identity, err := tx.Identity(issuer, subject)
		if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && identity.UserID != v.User.ID {
			return cloud.NotFound("your account has no such way in; it was taken away already")
		}
		if err != nil {
			return err
		}
		ways, err := tx.Identities(v.User.ID)
		if err != nil {
			return err
		}
		if len(ways) == 1 {
			return cloud.Conflict("this is the only way in to your account; add another one first")
		}
		if err := tx.DeleteIdentity(issuer, subject); err != nil {
			return err
		}
		if err := c.keepSession(tx, v, identity); err != nil {
			return err
		}
		if err := c.endGrants(tx, v.User.ID); err != nil {
			return err
		}
		return c.auditPerson(tx, v.User.ID, origin, change{action: "identity.unlink", target: string(v.User.ID), before: wayOf(identity)})
	})
}

// keepSession ends all sessions of an account but the visitor's.
func (c *Control) keepSession(tx cloud.Writer, v Visitor, without cloud.Identity) error {
	if err := tx.DeleteSessions(v.User.ID); err != nil {
		return err
	}
	if v.Session.Issuer == without.Issuer && v.Session.Subject == without.Subject {
		return nil
	}
	return tx.CreateSession(v.Session)
}

// personName is a name that can be shown: the issuer's, or else what stands
// before the @.
func personName(name string, email cloud.Email) string {
	name = strings.TrimSpace(name)
	if cloud.CheckTitle("name", name) != nil {
		name, _, _ = strings.Cut(string(email), "@")
	}
	return name
}

func personOf(u cloud.User) map[string]any { return map[string]any{"email": u.Email, "name": u.Name} }

func wayOf(i cloud.Identity) map[string]any {
	return map[string]any{"issuer": i.Issuer, "email": i.Email}
}
