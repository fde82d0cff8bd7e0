package federation_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
)

// answering is a plane, or something in its place, that says one thing.
func answering(status int, body string, header map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func TestPlaneURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		plane     string
		plaintext bool
		ok        bool
	}{
		{plane: "https://plane.example.com", ok: true},
		{plane: "https://plane.example.com/", ok: true},
		{plane: "https://plane.example.com/penstock/", ok: true},
		{plane: "http://127.0.0.1:8080", ok: true},
		{plane: "http://[::1]:8080", ok: true},
		{plane: "http://localhost:8080", ok: true},
		{plane: "http://plane.example.com", ok: false},
		{plane: "http://plane.example.com", plaintext: true, ok: true},
		{plane: "http://localhost.example.com", ok: false},
		{plane: "plane.example.com", ok: false},
		{plane: "ftp://plane.example.com", ok: false},
		{plane: "https://", ok: false},
		{plane: "https://user:pass@plane.example.com", ok: false},
		{plane: "https://plane.example.com?x=1", ok: false},
		{plane: "https://plane.example.com#x", ok: false},
		{plane: "", ok: false},
		{plane: "https://%zz", ok: false},
	} {
		_, err := federation.NewReporter(federation.ReporterConfig{Plane: c.plane, Plaintext: c.plaintext, Log: slog.New(slog.DiscardHandler)})
		if ok := err == nil; ok != c.ok || !ok && cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%q (plaintext %v): got %v, want ok to be %v", c.plane, c.plaintext, err, c.ok)
		}
	}
}

// The credential goes to the plane that was named, over a connection that is
// verified, and nowhere else.
func TestCredentialGoesToThePlaneAlone(t *testing.T) {
	t.Parallel()
	var leaked, asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(elsewhere.Close)
	plane := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+credential {
			asked.Add(1)
		}
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	plane.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(plane.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: plane.Certificate().Raw}))

	run := func(roots *x509.CertPool) {
		w := &world{t: t, dir: t.TempDir()}
		w.open("region.db")
		defer w.store.Close()
		failed := make(chan struct{})
		reporter, err := federation.NewReporter(federation.ReporterConfig{
			Origin: w.region, Plane: plane.URL, Credential: cloud.NewSecret(credential), Roots: roots,
			Log: slog.New(slog.DiscardHandler), Now: time.Now, Jitter: func() float64 { return 0 },
			// Paused for good after the first failure.
			After: func(time.Duration) <-chan time.Time { close(failed); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- reporter.Run(ctx) }()
		<-failed
		cancel()
		<-ended
		if s := reporter.Status(); s.LastError == "" {
			t.Errorf("the status is %+v", s)
		}
	}
	run(roots)
	if asked.Load() != 1 {
		t.Errorf("the plane saw the credential %d times, want once", asked.Load())
	}
	run(nil) // a certificate that the system's roots do not verify
	if asked.Load() != 1 {
		t.Error("a plane that is not verified saw the credential")
	}
	if leaked.Load() > 0 {
		t.Error("a redirect was followed")
	}
}
