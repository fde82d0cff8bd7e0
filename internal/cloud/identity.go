package cloud

import (
	"net/url"
	"strings"
	"time"
)

// MailIssuer stands for the issuer of identities that a code sent by mail
// proves; their subject is the address in the form of Email.Key.
const MailIssuer = "mail"

// Identity is a way to sign in to a person's account: the account is whatever
// its issuer and subject name, and not an address.
type Identity struct {
	Issuer     string // the URL of an OpenID Connect provider, or MailIssuer
	Subject    string // as the issuer calls the person; unique there, and never given to another
	UserID     ID
	Email      Email // that the issuer vouches for
	CreatedAt  time.Time
	LastUsedAt time.Time
}

// Assertion is what an issuer says of somebody who has just signed in there. It
// is verified to be the issuer's, and is otherwise as the issuer wrote it.
type Assertion struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool // the issuer has seen that the address is the person's
	EmailUnsaid     bool // or it does not say whether it has; not both
	Name            string
}

// Domain returns what follows the @ of an address, in the form in which domains
// are compared.
func (e Email) Domain() string {
	key := e.Key()
	return key[strings.LastIndexByte(key, '@')+1:]
}

// Session is a browser that is signed in.
type Session struct {
	Hash            SecretHash // of what its cookie holds
	UserID          ID
	Issuer, Subject string // of the identity that it began with
	CreatedAt       time.Time
	ExpiresAt       time.Time
}

// The lives of sessions and sign-ins.
const (
	SessionTTL = 12 * time.Hour
	SignInTTL  = 10 * time.Minute
)

// SignIn is a sign-in that is under way in one browser, by a provider or by a
// code sent by mail.
type SignIn struct {
	Hash      SecretHash // of what the browser's cookie holds
	Provider  string     // the name of the operator's provider; "" for a code
	Email     Email      // to which the code goes; "" with a provider
	State     string     // RFC 6749, 4.1.1
	Nonce     string     // OpenID Connect Core 1.0, 3.1.2.1
	Verifier  Secret     // RFC 7636, 4.1
	ReturnTo  string     // a path of ours, where the browser goes on
	LinkTo    ID         // the user to whom the identity is to be added; "" for nobody
	Attempts  int64      // wrong codes so far
	CreatedAt time.Time
	ExpiresAt time.Time
}

// MaxCodeAttempts is how many wrong codes end a sign-in.
const MaxCodeAttempts = 5

// CheckIssuer holds for the URLs of issuers: https, or http on a loopback
// address, with neither user, query nor fragment, and at most 255 bytes.
// CodeInvalid if not.
func CheckIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || len(issuer) > maxIdentity || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return Invalid("an issuer is a URL such as https://login.example.com, without user, query or fragment; http only on this machine; got %s", quoted(issuer))
}

// CheckSubject holds for what an issuer calls somebody: 1 to 255 printable
// characters (OpenID Connect Core 1.0, 2). CodeInvalid if not.
func CheckSubject(subject string) error {
	if subject == "" || len(subject) > maxIdentity || !printable(subject) {
		return Invalid("a subject is what the issuer calls somebody, of 1 to %d printable bytes; got %s", maxIdentity, quoted(subject))
	}
	return nil
}

// maxIdentity bounds issuers and subjects, in bytes.
const maxIdentity = 255
