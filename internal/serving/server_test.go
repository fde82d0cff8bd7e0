package serving

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func config(address string) Config {
	return Config{
		Address: address, Flag: "--listen",
		Log: slog.New(slog.DiscardHandler),
		Now: (&clock{now: start}).Now,
	}
}

func listen(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Listen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// serve serves in the background; stop ends it and returns what Serve did.
func serve(t *testing.T, s *Server, handler http.Handler) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, handler) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// pair is a certificate in two files.
type pair struct{ cert, key string }

func newPair(t *testing.T) pair {
	t.Helper()
	dir := t.TempDir()
	return pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// write puts a new certificate with the serial number into the files, as of a
// time that tells it from the one before.
func (p pair) write(t *testing.T, serial int64) {
	t.Helper()
	certPEM, keyPEM := newCertificate(t, serial)
	writeFile(t, p.cert, certPEM, serial)
	writeFile(t, p.key, keyPEM, serial)
}

func newCertificate(t *testing.T, serial int64) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    start.AddDate(-10, 0, 0), NotAfter: start.AddDate(100, 0, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func writeFile(t *testing.T, name string, content []byte, version int64) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	at := start.Add(time.Duration(version) * time.Millisecond)
	if err := os.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
}

// handshake connects and returns the serial number of the certificate shown.
func handshake(t *testing.T, s *Server) int64 {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // only the serial number is of interest
	conn, err := dialer.DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := listen(t, config("127.0.0.1:0")).http
	got := map[string]any{
		"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "WriteTimeout": s.WriteTimeout,
		"IdleTimeout": s.IdleTimeout, "MaxHeaderBytes": s.MaxHeaderBytes,
	}
	want := map[string]any{
		"ReadHeaderTimeout": 10 * time.Second, "ReadTimeout": 60 * time.Second, "WriteTimeout": 120 * time.Second,
		"IdleTimeout": 120 * time.Second, "MaxHeaderBytes": 65536,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Tokens do not go over a network in the clear by mistake.
func TestListenRefusesPlaintextBeyondTheMachine(t *testing.T) {
	t.Parallel()
	files := newPair(t)
	files.write(t, 1)
	proxy := []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")}
	for name, c := range map[string]struct {
		address string
		tls     bool
		proxy   []netip.Prefix
		want    string // part of the refusal; "" if good
	}{
		"loopback":                      {"127.0.0.1:0", false, nil, ""},
		"another loopback address":      {"127.0.0.2:0", false, nil, ""},
		"localhost":                     {"localhost:0", false, nil, ""},
		"everywhere":                    {"0.0.0.0:0", false, nil, "--behind-proxy"},
		"everywhere, by leaving it out": {":0", false, nil, "--tls-cert"},
		"everywhere, IPv6":              {"[::]:0", false, nil, "127.0.0.1"},
		"another machine's":             {"192.0.2.1:0", false, nil, "192.0.2.1:0"},
		"everywhere behind a proxy":     {"0.0.0.0:0", false, proxy, ""},
		"everywhere with TLS":           {"0.0.0.0:0", true, nil, ""},
		"no address":                    {"", true, nil, "such as 127.0.0.1:8080"},
		"no port":                       {"127.0.0.1", false, nil, "such as 127.0.0.1:8080"},
		"a port alone":                  {"8080", false, nil, "such as 127.0.0.1:8080"},
		"a port too high":               {"127.0.0.1:65536", false, nil, "such as 127.0.0.1:8080"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(c.address)
			cfg.BehindProxy = c.proxy
			if c.tls {
				cfg.TLSCert, cfg.TLSKey = files.cert, files.key
			}
			s, err := Listen(t.Context(), cfg)
			if err == nil {
				defer func() { _ = s.Close() }()
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v; want it to listen", err)
			case c.want != "" && (cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v; want %s with %q", err, cloud.CodeInvalid, c.want)
			}
		})
	}
}

func TestListenRefusesHalfOrBrokenTLS(t *testing.T) {
	t.Parallel()
	files, other := newPair(t), newPair(t)
	files.write(t, 1)
	other.write(t, 2)
	for name, p := range map[string]pair{
		"a certificate alone": {cert: files.cert},
		"a key alone":         {key: files.key},
		"another's key":       {files.cert, other.key},
		"no such file":        {files.cert, files.key + ".old"},
		"no certificate":      {files.key, files.key},
	} {
		cfg := config("127.0.0.1:0")
		cfg.TLSCert, cfg.TLSKey = p.cert, p.key
		if s, err := Listen(t.Context(), cfg); err == nil {
			_ = s.Close()
			t.Errorf("%s: got a listener; want a refusal", name)
		}
	}
}

func TestListenOnAnAddressInUse(t *testing.T) {
	t.Parallel()
	address := listen(t, config("127.0.0.1:0")).Addr().String()
	if _, err := Listen(t.Context(), config(address)); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v; want an error that names %s", err, address)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	files := newPair(t)
	files.write(t, 1)
	withTLS := config("0.0.0.0:0")
	withTLS.TLSCert, withTLS.TLSKey = files.cert, files.key
	for want, c := range map[string]Config{"http://127.0.0.1:": config("127.0.0.1:0"), "https://localhost:": withTLS} {
		s := listen(t, c)
		_, port, err := net.SplitHostPort(s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.URL(); got != want+port {
			t.Errorf("got %s; want %s%s", got, want, port)
		}
	}
}

func TestCertificateIsReloaded(t *testing.T) {
	t.Parallel()
	files, c := newPair(t), &clock{now: start}
	files.write(t, 1)
	var log logBuffer
	cfg := config("127.0.0.1:0")
	cfg.TLSCert, cfg.TLSKey, cfg.Now = files.cert, files.key, c.Now
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	s := listen(t, cfg)
	serve(t, s, http.NotFoundHandler())
	expect := func(serial int64, complaints int, when string) {
		t.Helper()
		if got := handshake(t, s); got != serial {
			t.Errorf("%s: got certificate %d; want %d", when, got, serial)
		}
		if got := strings.Count(log.String(), "the old one stays"); got != complaints {
			t.Errorf("%s: got %d complaints in the log; want %d", when, got, complaints)
		}
	}
	expect(1, 0, "at the start")

	files.write(t, 2)
	expect(1, 0, "less than a second after the last look")
	c.advance(time.Second)
	expect(2, 0, "a second later")

	// The two files change one after the other.
	certPEM, keyPEM := newCertificate(t, 3)
	writeFile(t, files.cert, certPEM, 3)
	c.advance(time.Second)
	expect(2, 1, "with the certificate replaced, but not the key")
	c.advance(time.Second)
	expect(2, 1, "the same a second later")
	writeFile(t, files.key, keyPEM, 3)
	c.advance(time.Second)
	expect(3, 1, "with both replaced")

	writeFile(t, files.cert, []byte("garbage"), 4)
	c.advance(time.Second)
	expect(3, 2, "with garbage in the file")
	if err := os.Remove(files.key); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Second)
	expect(3, 3, "without a file")
	c.advance(time.Second)
	expect(3, 3, "still without a file")
	files.write(t, 5)
	c.advance(-time.Hour)
	expect(5, 3, "with a good pair again, and a clock that stepped back")
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files := newPair(t)
	files.write(t, 1)
	cfg := config("127.0.0.1:0")
	cfg.TLSCert, cfg.TLSKey = files.cert, files.key
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	s := listen(t, cfg)
	stop := serve(t, s, handler)

	pool := x509.NewCertPool()
	certPEM, err := os.ReadFile(files.cert)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(certPEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	if got := get(t, &http.Client{Transport: transport}, s.URL()); got != "HTTP/2.0" {
		t.Errorf("got %s; want HTTP/2.0", got)
	}

	old := tls.Dialer{Config: &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}} // it must be refused
	if conn, err := old.DialContext(t.Context(), "tcp", s.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	body, err := fetch(t.Context(), client, url)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func fetch(ctx context.Context, client *http.Client, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// answer is what a client got.
type answer struct {
	body string
	err  error
}

// slow serves one request that is under way when it returns.
func slow(t *testing.T, s *Server, entered <-chan struct{}) <-chan answer {
	t.Helper()
	got := make(chan answer, 1)
	go func() {
		body, err := fetch(context.Background(), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, s.URL())
		got <- answer{body, err}
	}()
	<-entered
	return got
}

// The end waits for the requests under way, and takes no new ones.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	cfg := config("127.0.0.1:0")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
		if r.Context().Err() != nil {
			t.Error("the request was cancelled")
		}
		_, _ = io.WriteString(w, "whole")
	})
	s := listen(t, cfg)
	ending := make(chan struct{})
	s.http.RegisterOnShutdown(func() { close(ending) })
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, handler) }()
	got := slow(t, s, entered)

	end()
	<-ending
	select {
	case err := <-ended:
		t.Fatalf("ended with %v before the request did", err)
	default:
	}
	if _, err := fetch(t.Context(), http.DefaultClient, s.URL()); err == nil {
		t.Error("a new request was taken")
	}
	close(release)
	if a := <-got; a.err != nil || a.body != "whole" {
		t.Errorf("got %q, %v; want the whole answer", a.body, a.err)
	}
	if err := <-ended; err != nil {
		t.Errorf("got %v; want a clean end", err)
	}
}

func TestServeDoesNotDrainForEver(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	cfg := config("127.0.0.1:0")
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	})
	s := listen(t, cfg)
	if s.drain != 10*time.Second {
		t.Errorf("got %v to drain; want 10s", s.drain)
	}
	s.drain = 0
	stop := serve(t, s, handler)
	got := slow(t, s, entered)
	if err := stop(); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("got %v; want an error about requests that were cut short", err)
	}
	if a := <-got; a.err == nil {
		t.Errorf("got %q; want the connection cut", a.body)
	}
}

func TestServeOnALostListener(t *testing.T) {
	t.Parallel()
	s := listen(t, config("127.0.0.1:0"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), http.NotFoundHandler()); err == nil {
		t.Error("got a clean end; want an error")
	}
}
