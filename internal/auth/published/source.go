package published

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/remote"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// terms: a withdrawn key goes on verifying for five minutes at most.
//
// While the plane is away the last keys go on verifying, however old: a plane
// that cannot withdraw a key cannot say either what its owner may do, which is
// what bounds that time.
var terms = remote.Terms{
	TTL: 5 * time.Minute, RefreshAfter: 4 * time.Minute, AskEvery: 5 * time.Second, Patience: 5 * time.Second,
}

// Config is what a Source is made of. Every field is required unless it says
// otherwise.
type Config struct {
	Store cloud.RegionStore // keeps the keys for a region that starts while the plane is away
	Plane string            // the plane's URL, as for the reports to it
	Log   *slog.Logger

	// Roots verify the plane's certificate; nil means those of the system.
	Roots *x509.CertPool
	// Plaintext permits a plane at http:// that is not on a loopback address:
	// whoever is on the way can then make tokens that this region believes.
	Plaintext bool
	// Transport carries the requests; nil means a new one of net/http.
	Transport http.RoundTripper

	Now   func() time.Time
	After func(time.Duration) <-chan time.Time // as time.After; for Run
}

// Source is the auth.KeySource of a region. It is safe for concurrent use.
//
// The issuer that it believes is the one that the plane names. The keys come
// from the plane's URL, whatever the plane's documents say where they are.
type Source struct {
	*remote.Source
	plane client
	store cloud.RegionStore
	log   *slog.Logger

	unwritten bool // whether the database may have other keys; of the one question at a time
}

var _ auth.KeySource = (*Source)(nil)

// Open returns a source that has what the region's database kept, and asks the
// plane when it is first needed. CodeInvalid if the plane's URL cannot be used.
func Open(ctx context.Context, c Config) (*Source, error) {
	plane, err := newClient(c)
	if err != nil {
		return nil, err
	}
	s := &Source{plane: plane, store: c.Store, log: c.Log}
	keys, err := s.recall(ctx)
	if err != nil {
		return nil, err
	}
	s.Source = remote.New(remote.Config{
		Terms: terms, Of: "the plane", Fetch: s.fetch, Keys: keys, Log: c.Log, Now: c.Now, After: c.After,
	})
	return s, nil
}

// fetch gets the keys from the plane and writes them down; where nothing is new
// it returns old.
func (s *Source) fetch(ctx context.Context, old *auth.KeySet) (*auth.KeySet, error) {
	got, err := s.plane.fetch(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := got.keySet()
	if err != nil {
		return nil, err
	}
	changed := old == nil || !remote.Same(old, keys)
	if changed || s.unwritten {
		s.keep(ctx, got)
	}
	if !changed {
		return old, nil
	}
	return keys, nil
}
