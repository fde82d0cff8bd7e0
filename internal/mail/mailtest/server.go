package mailtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options are what a server is to be like; the zero value takes everything, in
// the clear and from everybody.
type Options struct {
	StartTLS bool // offers it; what comes without is refused
	TLS      bool // from the first byte on

	Username, Password string // "" for no authentication

	// Refuse is asked for each recipient how often it was asked for before, and
	// refuses with what it returns, such as &smtp.SMTPError{Code: 451}.
	Refuse func(to string, before int) error
	// RefuseData is asked for each mail in the same way.
	RefuseData func(m Mail) error
}

// Server is an SMTP server of a test.
type Server struct {
	Host string
	Port int
	// Roots are what its certificate leads to; nil without TLS.
	Roots *x509.CertPool

	options Options
	mu      sync.Mutex
	mails   []Mail
	arrived chan struct{} // closed and replaced when there is another mail
	asked   map[string]int
	taken   map[string]int // by address: how many Await has returned
}

// Start starts a server that ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o, arrived: make(chan struct{}), asked: map[string]int{}, taken: map[string]int{}}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	server.Domain = "mail.example.com"
	server.AllowInsecureAuth = !o.StartTLS
	server.EnableSMTPUTF8 = true
	server.MaxMessageBytes = maxMail
	server.ErrorLog = log.New(io.Discard, "", 0) // clients that part abruptly are what some tests are about
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.StartTLS || o.TLS {
		server.TLSConfig, s.Roots = certificate(t)
	}
	if o.TLS {
		listener = tls.NewListener(listener, server.TLSConfig)
		server.TLSConfig = nil
	}
	address := listener.Addr().(*net.TCPAddr)
	s.Host, s.Port = address.IP.String(), address.Port
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; err != nil {
			t.Errorf("the SMTP server ended: %v", err)
		}
	})
	return s
}

// maxMail is the longest mail that is taken, in bytes.
const maxMail = 1 << 20

// patience is how long Await waits. Nothing that works comes near it.
const patience = time.Minute

// Await returns the next mail to an address, in the order of their coming, each
// once. It fails the test if none comes within a minute.
func (s *Server) Await(t testing.TB, to string) Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		m, ok, arrived := s.next(to)
		if ok {
			return m
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			t.Fatalf("no mail came to %s", to)
		}
	}
}

// Mails returns what has come to an address so far, and what Await has returned
// too; to "" for all.
func (s *Server) Mails(to string) []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.mails), func(m Mail) bool { return to != "" && !strings.EqualFold(m.To, to) })
}

func (s *Server) next(to string) (m Mail, ok bool, arrived <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, seen := strings.ToLower(to), 0
	for _, m := range s.mails {
		if !strings.EqualFold(m.To, to) {
			continue
		}
		if seen++; seen > s.taken[key] {
			s.taken[key] = seen
			return m, true, nil
		}
	}
	return Mail{}, false, s.arrived
}

func (s *Server) keep(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// ask asks the test about a recipient.
func (s *Server) ask(to string) error {
	if s.options.Refuse == nil {
		return nil
	}
	s.mu.Lock()
	before := s.asked[to]
	s.asked[to]++
	s.mu.Unlock()
	return s.options.Refuse(to, before)
}

// session is one connection. Its methods are called one after another.
type session struct {
	server        *Server
	conn          *smtp.Conn
	authenticated bool
	from, to      string
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	if s.server.options.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.server.options.Username || password != s.server.options.Password {
			return smtp.ErrAuthFailed
		}
		s.authenticated = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if _, protected := s.conn.TLSConnectionState(); s.server.options.StartTLS && !protected {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Must issue a STARTTLS command first"}
	}
	if s.server.options.Username != "" && !s.authenticated {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.to != "" {
		return errors.New("every mail of ours has one recipient")
	}
	if err := s.server.ask(to); err != nil {
		return err
	}
	s.to = to
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	m.From, m.To = s.from, s.to
	if s.server.options.RefuseData != nil {
		if err := s.server.options.RefuseData(m); err != nil {
			return err
		}
	}
	s.server.keep(m)
	return nil
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.from, s.to = "", "" }

// Logout implements smtp.Session.
func (*session) Logout() error { return nil }
