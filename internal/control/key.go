package control

import (
	"context"
	"crypto/rsa"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// NewSSHKey is the input of RegisterSSHKey, as the caller wrote it.
type NewSSHKey struct{ Name, Line string }

// SSHKeys lists the caller's own keys.
func (c *Control) SSHKeys(ctx context.Context, caller cloud.Caller, page cloud.Page) (Listing[cloud.SSHKey], error) {
	return c.sshKeys(ctx, ownKeys(caller), page)
}

// RegisterSSHKey adds a key to the caller's own. CodeInvalid for a wrong name
// or a line that is not one acceptable public key; CodeConflict if the name or
// the key is registered already, and if there are too many.
func (c *Control) RegisterSSHKey(ctx context.Context, caller cloud.Caller, idempotencyKey string, in NewSSHKey) (cloud.SSHKey, error) {
	return c.registerSSHKey(ctx, ownKeys(caller), idempotencyKey, in, in)
}

// DeregisterSSHKey removes one of the caller's own keys; CodeNotFound if there
// is none of that name.
func (c *Control) DeregisterSSHKey(ctx context.Context, caller cloud.Caller, name string) error {
	return c.deregisterSSHKey(ctx, ownKeys(caller), name)
}

// ServiceKeys lists the keys of a service account. CodeNotFound for no account of
// that id; so do the next.
func (c *Control) ServiceKeys(ctx context.Context, caller cloud.Caller, account string, page cloud.Page) (Listing[cloud.SSHKey], error) {
	return c.sshKeys(ctx, serviceKeys(caller, account), page)
}

// RegisterServiceKey is RegisterSSHKey for a service account.
func (c *Control) RegisterServiceKey(ctx context.Context, caller cloud.Caller, account, idempotencyKey string, in NewSSHKey) (cloud.SSHKey, error) {
	return c.registerSSHKey(ctx, serviceKeys(caller, account), idempotencyKey, []any{account, in}, in)
}

// DeregisterServiceKey is DeregisterSSHKey for a service account.
func (c *Control) DeregisterServiceKey(ctx context.Context, caller cloud.Caller, account, name string) error {
	return c.deregisterSSHKey(ctx, serviceKeys(caller, account), name)
}

// keyring is the keys of one user, as a caller deals with them.
type keyring struct {
	caller       cloud.Caller
	action       cloud.Action // that changing them is
	organization cloud.ID     // to which that belongs; "" for none
	none         error        // there is no key of a name
	owner        func(cloud.Reader) (cloud.ID, error)
}

func ownKeys(caller cloud.Caller) keyring {
	return keyring{
		caller: caller, action: cloud.ActionManageOwnKeys,
		none:  cloud.NotFound("you have no key of that name; GET /user/keys lists yours"),
		owner: func(cloud.Reader) (cloud.ID, error) { return caller.UserID, nil },
	}
}

func serviceKeys(caller cloud.Caller, account string) keyring {
	return keyring{
		caller: caller, action: cloud.ActionManageServices, organization: caller.Relation.OrganizationID,
		none: cloud.NotFound("this service account has no key of that name; GET /service-accounts/ID/keys lists those it has"),
		owner: func(tx cloud.Reader) (cloud.ID, error) {
			a, err := serviceAccount(tx, caller, account)
			return a.ID, err
		},
	}
}

func (c *Control) sshKeys(ctx context.Context, ring keyring, page cloud.Page) (Listing[cloud.SSHKey], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[cloud.SSHKey], error) {
		owner, err := ring.owner(tx)
		if err != nil {
			return Listing[cloud.SSHKey]{}, err
		}
		return list(page, func(p cloud.Page) ([]cloud.SSHKey, error) {
			return tx.SSHKeys(owner, p)
		}, func(k cloud.SSHKey) string { return k.Name })
	})
}

// registerSSHKey adds a key; request is what makes a repeated one equal.
func (c *Control) registerSSHKey(ctx context.Context, ring keyring, idempotencyKey string, request any, in NewSSHKey) (cloud.SSHKey, error) {
	if err := cloud.CheckKeyName(in.Name); err != nil {
		return cloud.SSHKey{}, err
	}
	line, fingerprint, err := ParsePublicKey(in.Line)
	if err != nil {
		return cloud.SSHKey{}, err
	}
	return once(ctx, c, ring.caller, ring.action, idempotencyKey, request, func(tx cloud.Writer) (cloud.SSHKey, error) {
		key := cloud.SSHKey{Name: in.Name, Line: line, Fingerprint: fingerprint, CreatedAt: c.now()}
		if key.UserID, err = ring.owner(tx); err != nil {
			return key, err
		}
		if err := tx.LockUser(key.UserID); err != nil {
			return key, err
		}
		had, err := tx.CountSSHKeys(key.UserID)
		if err := checkRoom(had, err, c.bounds.SSHKeys, "there are %d keys, which is as many as there may be; remove those that are used no longer"); err != nil {
			return key, err
		}
		if err := tx.CreateSSHKey(key); err != nil {
			return key, err
		}
		return key, c.auditCaller(tx, ring.caller, change{
			action: "key.register", target: key.Name, organization: ring.organization, after: ring.noteOf(key),
		})
	})
}

func (c *Control) deregisterSSHKey(ctx context.Context, ring keyring, name string) error {
	return c.changeAs(ctx, ring.caller, ring.action, func(tx cloud.Writer) error {
		owner, err := ring.owner(tx)
		if err != nil {
			return err
		}
		key, err := tx.SSHKey(owner, name)
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return ring.none
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteSSHKey(owner, name); err != nil {
			return err
		}
		return c.auditCaller(tx, ring.caller, change{
			action: "key.deregister", target: name, organization: ring.organization, before: ring.noteOf(key),
		})
	})
}

// noteOf is what the audit says of a key, and whose it is if not the caller's.
func (ring keyring) noteOf(k cloud.SSHKey) map[string]any {
	note := map[string]any{"fingerprint": k.Fingerprint}
	if k.UserID != ring.caller.UserID {
		note["service_account"] = k.UserID
	}
	return note
}

// Bounds on public keys: the length of a line in bytes, and RSA moduli in bits
// (the upper one is what OpenSSH accepts).
const (
	maxKeyLine = 16 << 10
	minRSABits = 2048
	maxRSABits = 16384
)

const acceptedKeys = "ssh-ed25519, ecdsa-sha2-*, sk-*, or ssh-rsa from 2048 bits"

// ParsePublicKey reads one line as `ssh-keygen` writes it to a .pub file: an
// algorithm, the key in base64 and a comment (the authorized_keys format of
// sshd(8), without options). It returns the line in its canonical spacing, and
// the SHA-256 fingerprint. Everything else is CodeInvalid and says what it is.
func ParsePublicKey(text string) (line, fingerprint string, err error) {
	text = strings.TrimSpace(text)
	if err := screenKey(text); err != nil {
		return "", "", err
	}
	key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return "", "", cloud.Invalid("key is not an OpenSSH public key; give the one line of a .pub file (%s)", acceptedKeys)
	}
	if len(options) > 0 || !strings.HasPrefix(text, key.Type()) {
		return "", "", cloud.Invalid("key must begin with its algorithm; options before it are not accepted")
	}
	if err := checkAlgorithm(key); err != nil {
		return "", "", err
	}
	line = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	if comment != "" {
		line += " " + comment
	}
	return line, ssh.FingerprintSHA256(key), nil
}

// screenKey refuses what would otherwise be parsed in part, or get a message
// that hides what is wrong.
func screenKey(text string) error {
	switch {
	case text == "":
		return cloud.Invalid("key is missing; give the one line of a .pub file (%s)", acceptedKeys)
	case strings.Contains(text, "PRIVATE KEY") || strings.HasPrefix(text, "PuTTY-User-Key-File"):
		return cloud.Invalid("that is a private key: never send it to anyone, and replace it if you did; give the one line of the .pub file beside it")
	case len(text) > maxKeyLine:
		return cloud.Invalid("key must be at most %d bytes; got %d", maxKeyLine, len(text))
	case strings.ContainsAny(text, "\n\r"):
		return cloud.Invalid("key must be one line; register several keys one by one")
	case strings.ContainsFunc(text, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) && r != '\t' }):
		return cloud.Invalid("key must be printable text")
	case strings.HasPrefix(text, "ssh-dss"):
		return cloud.Invalid("DSA keys are not secure and OpenSSH refuses them; use one of %s", acceptedKeys)
	}
	return nil
}

func checkAlgorithm(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		return checkRSA(key)
	default:
		return cloud.Invalid("keys of type %s are not accepted; use one of %s", key.Type(), acceptedKeys)
	}
}

func checkRSA(key ssh.PublicKey) error {
	crypto, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return cloud.Invalid("the RSA key cannot be read")
	}
	public, ok := crypto.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return cloud.Invalid("the RSA key cannot be read")
	}
	if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return cloud.Invalid("RSA keys must have %d to %d bits; this one has %d", minRSABits, maxRSABits, bits)
	}
	return nil
}
