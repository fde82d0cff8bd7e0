package trusted

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/remote"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Issuer is one as an operator names it.
type Issuer struct {
	URL           string     // exactly as its tokens have it
	Audience      string     // of the tokens that it makes for us
	SubjectClaim  string     // that says whose a token is; "" for sub
	Organizations []cloud.ID // for which it may speak
}

// The bounds of what an operator names.
const (
	maxIssuers       = 20
	maxOrganizations = 1000
	maxText          = 255 // bytes
)

// Check says what is wrong with an issuer, and how to mend it: CodeInvalid.
func (i Issuer) Check() error {
	if err := cloud.CheckIssuer(i.URL); err != nil {
		return err
	}
	switch {
	case i.Audience == "" || len(i.Audience) > maxText:
		return cloud.Invalid("issuer %s: audience is missing: what its tokens for this cloud, and no others, have as aud; at most %d bytes", i.URL, maxText)
	case len(i.SubjectClaim) > maxText:
		return cloud.Invalid("issuer %s: the claim that says whose a token is has at most %d bytes", i.URL, maxText)
	case len(i.Organizations) == 0 || len(i.Organizations) > maxOrganizations:
		return cloud.Invalid("issuer %s: organizations are the ids of those for which it may speak, 1 to %d; penstock admin org create prints an organization's id", i.URL, maxOrganizations)
	}
	_, err := i.organizations()
	return err
}

// organizations are the ids in the form in which they are compared.
func (i Issuer) organizations() ([]cloud.ID, error) {
	ids := make([]cloud.ID, len(i.Organizations))
	for n, text := range i.Organizations {
		id, err := cloud.ParseID(string(text))
		if err != nil {
			return nil, cloud.Invalid("issuer %s: organizations[%d]: %v", i.URL, n, err)
		}
		ids[n] = id
	}
	return ids, nil
}

// terms: a withdrawn key goes on verifying for ten minutes at most, and for a
// day where the issuer is away. An issuer elsewhere is not to notice how many
// wrong tokens come here.
var terms = remote.Terms{
	TTL: 10 * time.Minute, RefreshAfter: 9 * time.Minute, AskEvery: time.Minute, Patience: 10 * time.Second,
	KeepFor: 24 * time.Hour,
}

// maxDocument bounds each of an issuer's documents, in bytes.
const maxDocument = 1 << 20

// discoveryPath is where an issuer describes itself (OpenID Connect Discovery
// 1.0, 4).
const discoveryPath = "/.well-known/openid-configuration"

// Config is what sources are made of. Every field is required unless it says
// otherwise.
type Config struct {
	Issuers []Issuer
	Log     *slog.Logger
	Now     func() time.Time

	// Roots verify the issuers' certificates; nil means those of the system.
	Roots *x509.CertPool
	// Transport carries the requests; nil means a new one of net/http.
	Transport http.RoundTripper
}

// Open returns the issuers, of which none is asked before it is needed. CodeInvalid
// for one that fails Check, or is named twice.
func Open(c Config) ([]auth.Trusted, error) {
	if len(c.Issuers) > maxIssuers {
		return nil, cloud.Invalid("at most %d issuers are trusted; got %d", maxIssuers, len(c.Issuers))
	}
	client := remote.NewClient(c.Transport, c.Roots, maxDocument)
	trusted := make([]auth.Trusted, 0, len(c.Issuers))
	seen := make(map[string]bool, len(c.Issuers))
	for _, i := range c.Issuers {
		if err := i.Check(); err != nil {
			return nil, err
		}
		if seen[i.URL] {
			return nil, cloud.Invalid("issuer %s is named twice; name it once, with all its organizations", i.URL)
		}
		seen[i.URL] = true
		organizations, err := i.organizations()
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, auth.Trusted{
			Issuer: i.URL, Audience: i.Audience, SubjectClaim: i.SubjectClaim, Organizations: organizations,
			Keys: remote.New(remote.Config{
				Terms: terms, Of: "issuer " + i.URL, Fetch: origin{i.URL, client}.fetch, Log: c.Log, Now: c.Now,
			}),
		})
	}
	return trusted, nil
}

// origin is where an issuer's keys come from.
type origin struct {
	issuer string
	client remote.Client
}

// fetch gets the keys; where nothing is new it returns old.
func (o origin) fetch(ctx context.Context, old *auth.KeySet) (*auth.KeySet, error) {
	at, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	document, err := o.client.Get(ctx, at)
	if err != nil {
		return nil, err
	}
	keys, err := remote.ReadKeys(document, verifies)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	set := &auth.KeySet{Issuers: []string{o.issuer}, Keys: keys}
	if old != nil && remote.Same(old, set) {
		return old, nil
	}
	return set, nil
}

// verifies takes keys for the one algorithm of their type. Many issuers do not
// name it.
func verifies(alg, natural string) bool { return alg == "" || alg == natural }

// discover returns where the keys are: with an issuer of this machine that may
// be on this machine too, or else only where nobody on the way can change them.
func (o origin) discover(ctx context.Context) (string, error) {
	document, err := o.client.Get(ctx, strings.TrimSuffix(o.issuer, "/")+discoveryPath)
	if err != nil {
		return "", err
	}
	var says struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &says); err != nil {
		return "", fmt.Errorf("%s is not an issuer's: %w", discoveryPath, err)
	}
	if says.Issuer != o.issuer {
		return "", fmt.Errorf("it calls itself %.200q; if that is the one, that is the URL to give", says.Issuer)
	}
	if strings.HasPrefix(says.Keys, "https://") {
		return says.Keys, nil
	}
	if strings.HasPrefix(o.issuer, "https://") || cloud.CheckIssuer(says.Keys) != nil {
		return "", fmt.Errorf("its jwks_uri %.200q must begin with https://", says.Keys)
	}
	return says.Keys, nil
}
