package published_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/auth/published"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/memory"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

const (
	planeURL = "https://plane.example.com"
	userID   = cloud.ID("0198a1b2-0000-7000-8000-000000000001")
	tokenID  = cloud.ID("0198a1b2-0000-7000-8000-000000000002")
)

var errNetwork = errors.New("the network is down")

// plane is the real issuer with the real documents, on a network in the hands
// of a test.
type plane struct {
	*issuer.Issuer
	store cloud.Store
	mux   *http.ServeMux

	mu    sync.Mutex
	asked map[string]int // by path
	away  error          // what every request ends in
	hangs bool           // requests go unanswered until who asks gives up
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	p := &plane{store: store, mux: http.NewServeMux(), asked: map[string]int{}}
	p.Issuer = issuer.New(p.store, time.Now, func() cloud.ID { return tokenID })
	p.write(t, func(w cloud.Writer) error { return w.SetIssuer(planeURL) })
	if err := p.EnsureKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	p.mux.Handle("GET "+issuer.DiscoveryPath, oauth.Discovery(p.Issuer, fail))
	p.mux.Handle("GET "+issuer.JWKSPath, issuer.JWKS(p.Issuer, fail))
	return p
}

func (p *plane) write(t *testing.T, fn func(cloud.Writer) error) {
	t.Helper()
	if err := p.store.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// RoundTrip implements http.RoundTripper.
func (p *plane) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.asked[req.URL.Path]++
	mux, away, hangs := p.mux, p.away, p.hangs
	p.mu.Unlock()
	if hangs {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if away != nil {
		return nil, away
	}
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, req)
	return answer.Result(), nil
}

// goes makes the plane go away; nil brings it back.
func (p *plane) goes(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = err
}

func (p *plane) hang(hangs bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangs = hangs
}

// questions is how often the plane was asked for its keys by now.
func (p *plane) questions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[issuer.DiscoveryPath]
}

func (p *plane) token(t *testing.T) string {
	t.Helper()
	token, _, err := p.Mint(t.Context(), issuer.Claims{UserID: userID, TTL: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

func (p *plane) rotate(t *testing.T) issuer.Rotation {
	t.Helper()
	r, err := p.Rotate(t.Context(), func(cloud.Writer, issuer.Rotation) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// withdraw makes a new key and has those before it verify nothing from now on.
func (p *plane) withdraw(t *testing.T) {
	t.Helper()
	retired := p.rotate(t).Retired
	p.write(t, func(w cloud.Writer) error {
		for _, id := range retired {
			if err := w.RetireSigningKey(id, time.Now(), time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	time.Sleep(10 * time.Second) // for as long the plane itself goes by what it read
}

// site is a region with its database and the plane that it asks, in a bubble in
// which time is the test's.
type site struct {
	*published.Source
	*auth.Verifier
	t     *testing.T
	plane *plane
	store cloud.RegionStore
	log   bytes.Buffer
}

func atSite(t *testing.T, story func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, plane: newPlane(t), store: memory.NewRegion("0198a1b2-0000-7000-8000-000000000003")}
		s.open()
		story(t, s)
		synctest.Wait() // for what is asked in the background
	})
}

func (s *site) config() published.Config {
	return published.Config{
		Store: s.store, Plane: planeURL, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
		Transport: s.plane, Now: time.Now, After: time.After,
	}
}

// open is a start of the region's process.
func (s *site) open() {
	s.t.Helper()
	source, err := published.Open(s.t.Context(), s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	s.Source, s.Verifier = source, auth.NewVerifier(source, time.Now)
}

// ends demands how verifying a token ends: "" means well.
func (s *site) ends(what, token string, want cloud.Code) {
	s.t.Helper()
	p, err := s.Verify(s.t.Context(), token)
	if cloud.CodeOf(err) != want || err != nil && want == "" {
		s.t.Errorf("%s: got %v, want the code %q", what, err, want)
	}
	if err == nil && p.UserID != userID {
		s.t.Errorf("%s: the token is of %s", what, p.UserID)
	}
}

// atOnce demands that nobody waits meanwhile.
func (s *site) atOnce(what string, do func()) {
	s.t.Helper()
	begin := time.Now()
	do()
	if took := time.Since(begin); took != 0 {
		s.t.Errorf("%s: took %v", what, took)
	}
}

func TestTokensAreVerifiedWithoutAskingEachTime(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		for range 100 {
			s.ends("a token", s.plane.token(t), "")
		}
		if n := s.plane.questions(); n != 1 {
			t.Errorf("the plane was asked %d times, want once", n)
		}
		before, _ := s.Keys(t.Context())
		for range 30 {
			time.Sleep(time.Minute)
			s.ends("a token", s.plane.token(t), "")
		}
		synctest.Wait()
		if n := s.plane.questions(); n < 6 || n > 8 {
			t.Errorf("the plane was asked %d times in half an hour, want each 4 to 5 minutes", n)
		}
		if after, _ := s.Keys(t.Context()); after != before {
			t.Error("the same keys are another set, and verified tokens are forgotten")
		}
	})
}

func TestANewKeyIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		old := s.plane.token(t)
		s.ends("a token", old, "")
		time.Sleep(10 * time.Second)
		s.plane.rotate(t)
		s.ends("one of the new key", s.plane.token(t), "")
		s.ends("one of the former key", old, "")
		if n := s.plane.questions(); n != 2 {
			t.Errorf("the plane was asked %d times, want twice", n)
		}
	})
}

func TestAWithdrawnKeyIsDroppedWithinFiveMinutes(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]time.Duration{"that is in use": 15 * time.Second, "that nobody used meanwhile": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atSite(t, func(t *testing.T, s *site) {
				stolen := s.plane.token(t)
				s.ends("before", stolen, "")
				begin := time.Now()
				s.plane.withdraw(t)
				for time.Since(begin) < 5*time.Minute-every {
					time.Sleep(every)
					_, _ = s.Verify(t.Context(), stolen)
					synctest.Wait()
				}
				time.Sleep(5*time.Minute - time.Since(begin))
				s.ends("after five minutes", stolen, cloud.CodeUnauthenticated)
				s.ends("one of the new key", s.plane.token(t), "")
			})
		})
	}
}

// Tokens of another's making do not make the region flood the plane.
func TestUnknownKeysAskAtABoundedRate(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		s.ends("a token", s.plane.token(t), "")
		stranger := newPlane(t).token(t)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 120 {
					s.ends("a stranger's", stranger, cloud.CodeUnauthenticated)
					time.Sleep(500 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if n := s.plane.questions(); n < 12 || n > 13 {
			t.Errorf("the plane was asked %d times in a minute, want each 5 seconds", n)
		}
	})
}

func TestKeysAreKeptWhileThePlaneIsAway(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		token := s.plane.token(t)
		s.ends("before", token, "")
		time.Sleep(10 * time.Second)
		s.plane.goes(errNetwork)
		s.plane.rotate(t)
		unseen := s.plane.token(t)
		for _, after := range []time.Duration{0, 10 * time.Minute, 24 * time.Hour} {
			time.Sleep(after)
			s.ends("with the plane away", token, "")
			s.ends("of a key that nobody saw", unseen, cloud.CodeUnavailable)
		}
		if n := strings.Count(s.log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings for one outage:\n%s", n, s.log.String())
		}
		s.plane.goes(nil)
		time.Sleep(5 * time.Second)
		s.ends("when it is back, of the new key", unseen, "")
		s.ends("when it is back", token, "")
	})
}

// A plane that does not even refuse costs one caller's patience, once.
func TestNobodyWaitsForAPlaneThatHangs(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		token := s.plane.token(t)
		s.ends("before", token, "")
		s.plane.hang(true)
		time.Sleep(4 * time.Minute)
		s.atOnce("when the keys are to be asked for", func() { s.ends("a token", token, "") })
		for range 100 {
			time.Sleep(7 * time.Second)
			s.atOnce("while it hangs", func() { s.ends("a token", token, "") })
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.Sleep(time.Minute)
		if _, err := s.Fresh(impatient); cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("who would not wait got %v", err)
		}
		s.plane.hang(false)
		time.Sleep(10 * time.Second)
		s.ends("when it is back", s.plane.token(t), "")
	})
}

// A site that loses its network and its power at once still verifies tokens.
func TestKeysOutliveTheProcess(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		token := s.plane.token(t)
		s.plane.goes(errNetwork)
		s.ends("of a plane never seen", token, cloud.CodeUnavailable)
		s.plane.goes(nil)
		time.Sleep(5 * time.Second)
		s.ends("before", token, "")

		s.plane.goes(errNetwork)
		s.open()
		s.ends("after a restart with the plane away", token, "")
		s.ends("of a key that nobody saw", newPlane(t).token(t), cloud.CodeUnavailable)

		s.plane.goes(nil)
		s.plane.withdraw(t)
		s.open()
		s.ends("after a restart, of a key that was withdrawn meanwhile", token, cloud.CodeUnauthenticated)
		s.plane.goes(errNetwork)
		s.open()
		s.ends("once more, with the plane away", token, cloud.CodeUnavailable)
	})
}

// What one plane published does not verify the tokens of another.
func TestKeysOfAnotherPlaneAreNotKept(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		token := s.plane.token(t)
		s.ends("before", token, "")
		s.plane.goes(errNetwork)
		elsewhere := s.config()
		elsewhere.Plane = "https://other.example.com"
		source, err := published.Open(t.Context(), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := source.Keys(t.Context()); cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("the keys of a plane never seen: %v", err)
		}
	})
}

// The issuer is the one that the plane names now.
func TestTheIssuerIsThePlanes(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		former := s.plane.token(t)
		s.ends("before", former, "")
		s.plane.write(t, func(w cloud.Writer) error { return w.SetIssuer("https://new.example.com") })
		time.Sleep(10 * time.Minute)
		s.ends("of the new issuer", s.plane.token(t), "")
		s.ends("of the former one", former, cloud.CodeUnauthenticated)
	})
}

// failingStore fails to write if it is told to, and counts.
type failingStore struct {
	cloud.RegionStore
	err    error
	writes int
}

func (s *failingStore) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	s.writes++
	if s.err != nil {
		return s.err
	}
	return s.RegionStore.Write(ctx, fn)
}

func TestKeysAreWrittenDownWhenTheyChange(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		store := &failingStore{RegionStore: s.store, err: errors.New("disk full")}
		s.store = store
		s.open()
		token := s.plane.token(t)
		s.ends("with a full disk", token, "")
		if !strings.Contains(s.log.String(), "disk full") {
			t.Errorf("that the keys could not be written is not logged:\n%s", s.log.String())
		}
		store.err = nil
		for range 10 {
			time.Sleep(5 * time.Minute)
			s.ends("a token", token, "")
		}
		if store.writes != 2 {
			t.Errorf("the keys were written %d times, want again after it failed and no more", store.writes)
		}
		s.plane.goes(errNetwork)
		s.open()
		s.ends("after a restart", token, "")
	})
}

func TestWhatCannotBeReadIsDoneWithout(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"not JSON", "{}", `{"plane":"` + planeURL + `","discovery":{},"jwks":{}}`} {
		atSite(t, func(t *testing.T, s *site) {
			if err := s.store.Write(t.Context(), func(w cloud.RegionWriter) error { return w.SetPlaneKeys([]byte(text)) }); err != nil {
				t.Fatal(err)
			}
			s.open()
			s.ends("a token", s.plane.token(t), "")
		})
	}
}

// Run keeps the keys young for when the plane goes away.
func TestRunKeepsTheKeysYoung(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		time.Sleep(time.Hour)
		s.plane.rotate(t)
		token := s.plane.token(t)
		time.Sleep(5 * time.Minute)
		s.plane.goes(errNetwork)
		s.ends("of a key that came while nobody called", token, "")
		stop()
		<-ended
		if n := s.plane.questions(); n < 13 || n > 17 {
			t.Errorf("the plane was asked %d times in 65 minutes, want each 4 to 5 minutes", n)
		}
	})
}

// A clock that was set back makes keys of unknown age.
func TestKeysOfTheFutureAreAskedForAgain(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		var shift time.Duration
		c := s.config()
		c.Now = func() time.Time { return time.Now().Add(shift) }
		source, err := published.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, shift = range []time.Duration{0, -time.Hour} {
			if _, err := source.Keys(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.plane.questions(); n != 2 {
			t.Errorf("the plane was asked %d times, want again after the clock was set back", n)
		}
	})
}

// A real server with a real certificate.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	server := httptest.NewTLSServer(p.mux)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for name, tt := range map[string]struct {
		roots *x509.CertPool
		want  cloud.Code
	}{
		"a certificate that is trusted": {roots, ""},
		"one that is not":               {x509.NewCertPool(), cloud.CodeUnavailable},
	} {
		source, err := published.Open(t.Context(), published.Config{
			Store: memory.NewRegion("0198a1b2-0000-7000-8000-000000000003"), Plane: server.URL + "/",
			Roots: tt.roots, Log: slog.New(slog.DiscardHandler), Now: time.Now, After: time.After,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = auth.NewVerifier(source, time.Now).Verify(t.Context(), p.token(t))
		if cloud.CodeOf(err) != tt.want || err != nil && tt.want == "" {
			t.Errorf("%s: got %v, want the code %q", name, cloud.Explain(err), tt.want)
		}
	}
}

func TestAPlaneInTheClearIsRefused(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{"http://plane.example.com": false, "http://127.0.0.1:8080": true, "ftp://plane": false, planeURL: true} {
		_, err := published.Open(t.Context(), published.Config{Store: memory.NewRegion("0198a1b2-0000-7000-8000-000000000003"), Plane: url})
		if ok != (err == nil) || !ok && cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: got %v", url, err)
		}
	}
}
