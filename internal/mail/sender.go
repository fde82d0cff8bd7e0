package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Security is how the way to the SMTP server is protected.
type Security string

// The kinds of protection. StartTLS is insisted on: a server that does not offer
// it gets nothing.
const (
	StartTLS Security = "starttls" // RFC 3207; port 587 as a rule
	TLS      Security = "tls"      // RFC 8314; port 465 as a rule
	None     Security = "none"     // on loopback, or where Plaintext permits it
)

// Config is the way to an SMTP server.
type Config struct {
	Host      string // a name or an address; its certificate has to be for it
	Port      int    // 1 to 65535
	Security  Security
	Plaintext bool // permits None beyond loopback

	Username string // "" for no authentication
	Password cloud.Secret

	From    netmail.Address // the name may be ""
	Timeout time.Duration   // of sending one mail, from dialing on; 0 for DefaultTimeout, at most MaxTimeout

	Roots *x509.CertPool // that the server's certificate leads to; nil for the system's
}

// The times that sending one mail may take.
const (
	DefaultTimeout = 30 * time.Second
	MaxTimeout     = time.Minute // half a lease of the outbox
)

// Validate says what is wrong with a configuration and how to mend it:
// CodeInvalid.
func (c Config) Validate() error {
	switch {
	case c.Host == "" || c.Port < 1 || c.Port > 65535:
		return cloud.Invalid("the SMTP server must be a host and a port, such as mail.example.com:587")
	case c.Security != StartTLS && c.Security != TLS && c.Security != None:
		return cloud.Invalid("security must be %s, %s or %s; got %q", StartTLS, TLS, None, c.Security)
	case c.Security == None && !c.Plaintext && !isLoopback(c.Host):
		return cloud.Invalid("security: none would send links and codes to %q in the clear; use starttls or tls, or say plaintext: true if the way there is safe", c.Host)
	case (c.Username == "") != (c.Password.Reveal() == ""):
		return cloud.Invalid("give both a username and a password, or neither")
	case c.Timeout < 0 || c.Timeout > MaxTimeout:
		return cloud.Invalid("the time to send a mail must be at most %v; got %v", MaxTimeout, c.Timeout)
	}
	if _, err := cloud.ParseEmail(c.From.Address); err != nil {
		return cloud.About("from", err)
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Sender sends mails by an SMTP server, each on a connection of its own. Its
// methods may be called at once.
type Sender struct{ config Config }

// NewSender makes one; CodeInvalid as from Config.Validate.
func NewSender(c Config) (*Sender, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	c.From.Name = oneLine(c.From.Name)
	return &Sender{config: c}, nil
}

// Send gives a mail to the server, which has it when Send returns nil. Every
// error but ctx's is a *Failure.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	failure := s.deliver(within, msg)
	if failure == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return failure
}

// deliver hands a mail over on a connection that ends with ctx, at the latest:
// the library watches its own time-outs, and not the context.
func (s *Sender) deliver(ctx context.Context, msg *gomail.Msg) *Failure {
	client, err := gomail.NewClient(s.config.Host, s.options(func(dialing context.Context, _, _ string) (net.Conn, error) {
		conn, err := s.dial(dialing)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	})...)
	if err != nil {
		return ofServer(err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return ofServer(err)
	}
	err = client.SendWithSMTPClient(session, msg)
	if msg.IsDelivered() {
		_ = client.CloseWithSMTPClient(session) // what the server has it has, however we part
		return nil
	}
	return ofMessage(err)
}

func (s *Sender) options(dial gomail.DialContextFunc) []gomail.Option {
	c := s.config
	options := []gomail.Option{
		gomail.WithPort(c.Port), gomail.WithTimeout(c.Timeout), gomail.WithDialContextFunc(dial),
		gomail.WithTLSConfig(s.tls()), gomail.WithTLSPolicy(gomail.NoTLS),
	}
	if c.Security == StartTLS {
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if c.Username != "" {
		options = append(options, gomail.WithUsername(c.Username), gomail.WithPassword(c.Password.Reveal()), s.authentication())
	}
	return options
}

// authentication prefers what does not show the server the password.
func (s *Sender) authentication() gomail.Option {
	plain, login := gomail.SMTPAuthPlain, gomail.SMTPAuthLogin
	if s.config.Security == None { // which was permitted, or does not leave the machine
		plain, login = gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc
	}
	return gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, plain, login)
}

func (s *Sender) tls() *tls.Config {
	return &tls.Config{ServerName: s.config.Host, RootCAs: s.config.Roots, MinVersion: tls.VersionTLS12}
}

// dial connects to the server, and by TLS where that comes first.
func (s *Sender) dial(ctx context.Context) (net.Conn, error) {
	address := net.JoinHostPort(s.config.Host, strconv.Itoa(s.config.Port))
	if s.config.Security == TLS {
		return (&tls.Dialer{Config: s.tls()}).DialContext(ctx, "tcp", address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// compose writes a mail down as the server gets it.
func (s *Sender) compose(m Message) (*gomail.Msg, error) {
	to, err := cloud.ParseEmail(string(m.To))
	if err != nil {
		return nil, &Failure{Cause: "this is not an address that mail can be sent to", Final: true}
	}
	from := s.config.From
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&from)
	msg.ToMailAddress(&netmail.Address{Address: string(to)})
	msg.Subject(m.Subject) // encoded where it is not plain ASCII
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(fmt.Sprintf("%s@%s", m.ID, cloud.Email(from.Address).Domain()))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, 5
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")  // for those who know only this one
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}
