package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The bounds of a connection. Reading a request and writing its answer are
// bounded as a whole, so that no client holds one open by being slow.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 120 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 64 << 10
	drainTimeout      = 10 * time.Second
)

// Config says what to serve and where.
type Config struct {
	Address         string         // host:port; port 0 chooses one
	Flag            string         // that sets the address, for messages
	TLSCert, TLSKey string         // PEM files; both or neither
	BehindProxy     []netip.Prefix // who may speak for the client's address
	Log             *slog.Logger
	Now             func() time.Time
}

// Server is a listener that is bound, and what it is to serve.
type Server struct {
	listener net.Listener
	http     *http.Server
	secure   bool // with TLS
	drain    time.Duration
}

// Listen binds the address, so that from now on connections wait to be served.
//
// The errors are for the operator: CodeInvalid for a configuration that is
// refused, among it plaintext HTTP on anything but loopback with no proxy in
// front; CodeConflict for an address that is taken; anything else if the
// certificate cannot be read or the address not be bound.
func Listen(ctx context.Context, c Config) (*Server, error) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, cloud.Invalid("--tls-cert and --tls-key belong together; give both or neither")
	}
	address, err := net.ResolveTCPAddr("tcp", c.Address)
	if c.Address == "" || err != nil {
		return nil, cloud.Invalid("%s: %q is not an address to listen on; give a host and a port such as 127.0.0.1:8080", c.Flag, c.Address)
	}
	s := &Server{secure: c.TLSCert != "", drain: drainTimeout, http: newHTTPServer(c)}
	if !s.secure && !address.IP.IsLoopback() && len(c.BehindProxy) == 0 {
		return nil, cloud.Invalid("%s: without TLS, %s would carry tokens in the clear: give --tls-cert and --tls-key, "+
			"or --behind-proxy with the addresses of the proxy that ends TLS, or listen on 127.0.0.1", c.Flag, c.Address)
	}
	if s.secure {
		cert, err := loadCertificate(c.TLSCert, c.TLSKey, c.Now, c.Log)
		if err != nil {
			return nil, err
		}
		s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get}
	}
	// Bind what was checked, not what the name may have become since.
	s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address.String())
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, cloud.Conflict("%s: another process listens on %s already; stop it, or choose another address with %s", c.Flag, c.Address, c.Flag)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: listen on %s: %w", c.Flag, c.Address, err)
	}
	return s, nil
}

func newHTTPServer(c Config) *http.Server {
	return &http.Server{
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// What clients do wrong on the wire is no news at Warn.
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelInfo),
	}
}

// Addr is the address that is bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is the address that is bound, as a URL that leads there on this machine.
func (s *Server) URL() string {
	scheme := "http"
	if s.secure {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Close gives the address back at once. It is for a server that was never
// served; the end of Serve's context is the way to end one that is.
func (s *Server) Close() error { return s.listener.Close() }

// Serve answers with the handler until the context ends, and then lets the
// requests under way finish, for at most ten seconds. It returns nil after a
// clean end.
func (s *Server) Serve(ctx context.Context, handler http.Handler) error {
	s.http.Handler = handler
	failed := make(chan error, 1)
	go func() {
		if s.secure {
			failed <- s.http.ServeTLS(s.listener, "", "")
		} else {
			failed <- s.http.Serve(s.listener)
		}
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drain)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = s.http.Close()
		return fmt.Errorf("requests on %s still ran %v after the end began, and were cut short", s.Addr(), s.drain)
	}
	return err
}
