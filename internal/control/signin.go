package control

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Entrance is the use cases of people who sign in, and of the ways in to their
// accounts.
type Entrance struct {
	*Control
	config EntranceConfig
	bound  map[string]bond // by domain
}

// bond is the one provider that speaks for a domain.
type bond struct {
	issuer  string
	assumed bool // to have verified the domain's addresses
}

// EntranceConfig is which ways in there are.
type EntranceConfig struct {
	Codes     bool // sent by mail
	Providers []ProviderRule
}

// ProviderRule is what the rules need to know of an OpenID Connect provider.
type ProviderRule struct {
	Name    string
	Issuer  string
	Domains []string // of addresses that only this provider speaks for

	// AssumeVerified takes the addresses of those domains for verified where the
	// provider does not say whether they are.
	AssumeVerified bool
}

// Entrance returns the use cases of signing in.
func (c *Control) Entrance(config EntranceConfig) Entrance {
	e := Entrance{Control: c, config: config, bound: map[string]bond{}}
	for _, p := range config.Providers {
		for _, domain := range p.Domains {
			e.bound[cloud.Email("@"+domain).Domain()] = bond{p.Issuer, p.AssumeVerified}
		}
	}
	return e
}

// maxCodes is how many codes an address is sent in codeSpan: each lets
// somebody guess cloud.MaxCodeAttempts times.
const (
	maxCodes = 5
	codeSpan = time.Hour
)

// Beginning is how a sign-in begins.
type Beginning struct {
	ReturnTo string       // a path of ours, where the browser goes on
	Link     bool         // the identity is to be added to the account that is signed in
	Session  cloud.Secret // of the browser; the zero Secret for none
}

// Started is a sign-in that has begun. Browser is for a cookie, by which the
// browser that began it is told from others.
type Started struct {
	Browser, Verifier cloud.Secret
	State, Nonce      string
}

// BeginCode sends a code to an address, and always answers the same: nobody
// learns whether the address has an account, is bound to a provider, or was sent
// too many codes already. CodeInvalid for what is no address,
// CodeUnimplemented where no mail is sent.
func (e Entrance) BeginCode(ctx context.Context, b Beginning, address string) (Started, error) {
	if !e.config.Codes {
		return Started{}, cloud.Unimplemented("this cloud sends no mail, and so no codes; sign in with a provider")
	}
	email, err := parseAddress(address)
	if err != nil {
		return Started{}, err
	}
	started := Started{Browser: cloud.DrawSecret("")}
	return started, e.store.Write(ctx, func(tx cloud.Writer) error {
		signIn, err := e.newSignIn(tx, b, started)
		if err != nil {
			return err
		}
		signIn.Email = email
		sent, err := e.mayMail(tx, email)
		if err != nil {
			return err
		}
		if !sent { // there is a code of it, which nobody was told and nobody is to guess
			signIn.Attempts = cloud.MaxCodeAttempts
		}
		if err := tx.CreateSignIn(signIn); err != nil || !sent {
			return err
		}
		return tx.EnqueueMail(cloud.Mail{
			ID: e.newID(), Kind: cloud.MailCode, Recipient: email, Reference: string(signIn.Hash),
			CreatedAt: signIn.CreatedAt, ExpiresAt: signIn.ExpiresAt, DueAt: signIn.CreatedAt, State: cloud.MailPending,
		})
	})
}

func (e Entrance) mayMail(tx cloud.Writer, email cloud.Email) (bool, error) {
	if _, bound := e.bound[email.Domain()]; bound {
		return false, nil
	}
	if err := tx.HoldRecipient(email, e.now()); err != nil {
		return false, err
	}
	n, err := tx.CountMails(cloud.MailCode, email, e.now().Add(-codeSpan))
	return n < maxCodes, err
}

// CodeAddress returns to which address a browser's code goes, if it was sent;
// CodeForbidden where no sign-in by code is under way.
func (e Entrance) CodeAddress(ctx context.Context, browser cloud.Secret) (cloud.Email, error) {
	return read(ctx, e.Control, func(tx cloud.Reader) (cloud.Email, error) {
		signIn, err := tx.SignIn(browser.Hash(), e.now())
		if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && signIn.Provider != "" {
			return "", errStrayAnswer
		}
		return signIn.Email, err
	})
}

// BeginProvider begins a sign-in with a provider; CodeNotFound if there is none
// of that name.
func (e Entrance) BeginProvider(ctx context.Context, b Beginning, provider string) (Started, error) {
	if _, err := e.provider(provider); err != nil {
		return Started{}, err
	}
	started := Started{Browser: cloud.DrawSecret(""), Verifier: cloud.DrawSecret(""), State: cloud.DrawSecret("").Reveal(), Nonce: cloud.DrawSecret("").Reveal()}
	return started, e.store.Write(ctx, func(tx cloud.Writer) error {
		signIn, err := e.newSignIn(tx, b, started)
		if err != nil {
			return err
		}
		signIn.Provider = provider
		return tx.CreateSignIn(signIn)
	})
}

func (e Entrance) provider(name string) (ProviderRule, error) {
	for _, p := range e.config.Providers {
		if p.Name == name {
			return p, nil
		}
	}
	return ProviderRule{}, cloud.NotFound("there is no such provider; go back to the sign-in page for those there are")
}

func (e Entrance) newSignIn(tx cloud.Reader, b Beginning, started Started) (cloud.SignIn, error) {
	now := e.now()
	signIn := cloud.SignIn{
		Hash: started.Browser.Hash(), State: started.State, Nonce: started.Nonce, Verifier: started.Verifier,
		ReturnTo: b.ReturnTo, CreatedAt: now, ExpiresAt: now.Add(cloud.SignInTTL),
	}
	if !b.Link {
		return signIn, nil
	}
	v, err := e.visitor(tx, b.Session)
	if err == nil {
		err = cloud.Caller{User: v.User}.Suspended() // and once more when it is done
	}
	signIn.LinkTo = v.User.ID
	return signIn, err
}

// Finish is how a sign-in comes to its end, in a browser.
type Finish struct {
	Browser cloud.Secret // from Started
	Session cloud.Secret // of who is signed in at present; the zero Secret for nobody
	Origin  cloud.Origin
}

// Entered is a sign-in that came to its end. Session is for a cookie, unless a
// way in was added to an account: then it is the zero Secret.
type Entered struct {
	User     cloud.User
	Session  cloud.Secret
	ReturnTo string
}

// FinishCode signs in who has the code that was sent. Every wrong code counts,
// and the refusal does not tell what is wrong (CodeForbidden): the code, the
// browser, or that no code was sent.
func (e Entrance) FinishCode(ctx context.Context, f Finish, code string) (Entered, error) {
	var refused error
	entered, err := e.enter(ctx, f, func(tx cloud.Writer) (signIn cloud.SignIn, a cloud.Assertion, err error) {
		signIn, refused, err = e.checkCode(tx, f.Browser, code)
		return signIn, cloud.Assertion{
			Issuer: cloud.MailIssuer, Subject: signIn.Email.Key(), Email: string(signIn.Email), EmailVerified: true,
		}, err
	}, func() bool { return refused != nil })
	if err == nil && refused != nil {
		return Entered{}, refused
	}
	return entered, err
}

// checkCode counts before it looks: however many guess at once, no more than
// cloud.MaxCodeAttempts of them are looked at. A refusal is no error, so that
// the count is kept.
func (e Entrance) checkCode(tx cloud.Writer, browser cloud.Secret, code string) (signIn cloud.SignIn, refused, err error) {
	signIn, err = tx.SignIn(browser.Hash(), e.now())
	if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && signIn.Provider != "" {
		return signIn, errWrongCode, nil
	}
	if err != nil {
		return signIn, nil, err
	}
	attempts, err := tx.CountSignInAttempt(signIn.Hash)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return signIn, errWrongCode, nil // somebody was faster
	}
	if err != nil {
		return signIn, nil, err
	}
	plane, err := tx.Plane()
	if err != nil {
		return signIn, nil, err
	}
	want := cloud.SignInCode(plane.MailKey, signIn.Hash)
	if attempts > cloud.MaxCodeAttempts || subtle.ConstantTimeCompare([]byte(code), []byte(want.Reveal())) != 1 {
		return signIn, errWrongCode, nil
	}
	signIn, err = tx.TakeSignIn(signIn.Hash, e.now())
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return signIn, errWrongCode, nil
	}
	return signIn, nil, err
}

var errWrongCode = cloud.Forbidden("this code is not right, or no longer good; look for the latest mail, or have another code sent")

// IsWrongCode reports whether a sign-in goes on with another try.
func IsWrongCode(err error) bool { return errors.Is(err, errWrongCode) }

// TakeProvider ends the wait for a provider's answer, once, in the browser
// that was sent there: CodeForbidden for any other, for an answer that was not
// asked for, and for one that came before.
func (e Entrance) TakeProvider(ctx context.Context, browser cloud.Secret, provider, state string) (cloud.SignIn, error) {
	var signIn cloud.SignIn
	err := e.store.Write(ctx, func(tx cloud.Writer) (err error) {
		signIn, err = tx.SignIn(browser.Hash(), e.now())
		if err == nil && (signIn.Provider != provider || provider == "" || subtle.ConstantTimeCompare([]byte(signIn.State), []byte(state)) != 1) {
			return errStrayAnswer // the browser's own sign-in goes on
		}
		if err == nil {
			signIn, err = tx.TakeSignIn(signIn.Hash, e.now())
		}
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return errStrayAnswer
		}
		return err
	})
	return signIn, err
}

var errStrayAnswer = cloud.Forbidden("this browser has no such sign-in under way: it was finished, took longer than 10 minutes, or began in another browser; begin anew")

// FinishProvider signs in of whom a provider speaks, in a sign-in that
// TakeProvider gave. The refusals, CodeForbidden, say what to do.
func (e Entrance) FinishProvider(ctx context.Context, f Finish, signIn cloud.SignIn, a cloud.Assertion) (Entered, error) {
	rule, err := e.provider(signIn.Provider)
	if err != nil {
		return Entered{}, err
	}
	if a.Issuer != rule.Issuer || a.Subject == "" {
		return Entered{}, cloud.Forbidden("the answer is not from the provider that was asked; begin anew")
	}
	return e.enter(ctx, f, func(cloud.Writer) (cloud.SignIn, cloud.Assertion, error) { return signIn, a, nil }, func() bool { return false })
}

// enter finds the account of who proved something, in the same transaction as
// the proof, and begins a session. Where a proof is refused without an error,
// what it changed is kept. Of two that make the same account at once, the second
// finds the first's.
func (e Entrance) enter(ctx context.Context, f Finish, prove func(cloud.Writer) (cloud.SignIn, cloud.Assertion, error), refused func() bool) (Entered, error) {
	var entered Entered
	session := cloud.DrawSecret("")
	once := func() error {
		return e.store.Write(ctx, func(tx cloud.Writer) error {
			entered = Entered{}
			signIn, assertion, err := prove(tx)
			if err != nil || refused() {
				return err
			}
			identity, user, err := e.admitIdentity(tx, f, signIn.LinkTo, assertion)
			if err != nil {
				return err
			}
			entered = Entered{User: user, ReturnTo: signIn.ReturnTo}
			if signIn.LinkTo != "" {
				return nil
			}
			entered.Session = session
			return e.beginSession(tx, user, identity, session, f.Session, f.Origin)
		})
	}
	err := once()
	if cloud.CodeOf(err) == cloud.CodeConflict {
		err = once()
	}
	return entered, err
}
