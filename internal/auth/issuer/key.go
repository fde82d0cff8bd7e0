package issuer

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	keyBits = 2048
	pemType = "PRIVATE KEY" // PKCS #8 (RFC 7468, 10)
)

// EnsureKey makes the first signing key if there is none that signs.
func (i *Issuer) EnsureKey(ctx context.Context) error {
	exists := false
	err := i.store.Read(ctx, func(r cloud.Reader) error {
		keys, err := r.SigningKeys()
		_, exists = newestSigning(keys)
		return err
	})
	if err != nil || exists {
		return err
	}
	key, err := generateKey(i.now()) // slow, so not within the transaction
	if err != nil {
		return err
	}
	return i.store.Write(ctx, func(w cloud.Writer) error {
		keys, err := w.SigningKeys()
		if err != nil {
			return err
		}
		if _, exists := newestSigning(keys); exists {
			return nil // another process was faster
		}
		return w.CreateSigningKey(key)
	})
}

// Rotation is what a rotation did, by the keys' IDs.
type Rotation struct {
	Created string
	Retired []string
}

// Rotate makes a new signing key and retires those before it: they go on
// verifying until the last token that they can have signed is over. It forgets
// keys for which that time has come. audit runs last in the same transaction.
func (i *Issuer) Rotate(ctx context.Context, audit func(cloud.Writer, Rotation) error) (Rotation, error) {
	now := i.now()
	key, err := generateKey(now)
	if err != nil {
		return Rotation{}, err
	}
	var done Rotation
	err = i.store.Write(ctx, func(w cloud.Writer) error {
		done = Rotation{Created: key.ID}
		if err := w.DeleteExpiredSigningKeys(now); err != nil {
			return err
		}
		keys, err := w.SigningKeys()
		if err != nil {
			return err
		}
		for _, k := range keys {
			if !k.RetiredAt.IsZero() {
				continue
			}
			if err := w.RetireSigningKey(k.ID, now, now.Add(retirement)); err != nil {
				return err
			}
			done.Retired = append(done.Retired, k.ID)
		}
		if err := w.CreateSigningKey(key); err != nil {
			return err
		}
		return audit(w, done)
	})
	if err != nil {
		return Rotation{}, err
	}
	return done, nil
}

// retirement is for how long a retired key verifies. The extra minute is for a
// process that read the key just before and signs with it just after.
const retirement = MaxTTL + auth.Leeway + time.Minute

func newestSigning(keys []cloud.SigningKey) (cloud.SigningKey, bool) {
	for _, k := range keys { // newest first
		if k.RetiredAt.IsZero() {
			return k, true
		}
	}
	return cloud.SigningKey{}, false
}

func generateKey(now time.Time) (cloud.SigningKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return cloud.SigningKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return cloud.SigningKey{}, fmt.Errorf("encode a signing key: %w", err)
	}
	id, err := thumbprint(&private.PublicKey)
	if err != nil {
		return cloud.SigningKey{}, err
	}
	return cloud.SigningKey{
		ID:        id,
		PEM:       cloud.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))),
		CreatedAt: now,
	}, nil
}

// thumbprint is a key's ID: the SHA-256 of its JWK (RFC 7638) in base64url.
func thumbprint(public *rsa.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("name a signing key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// parseKey reads a stored key. Its errors name the key and repeat nothing of it.
func parseKey(k cloud.SigningKey) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(k.PEM.Reveal()))
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("signing key %s is not stored as PEM", k.ID)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("signing key %s is not stored as PKCS #8", k.ID)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing key %s is not an RSA key", k.ID)
	}
	return private, nil
}
