package mail_test

import (
	"context"
	"errors"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/mail"
	"github.com/penstock-cloud/penstock/internal/mail/mailtest"
)

// greeting is a mail that says something which is not ASCII, in a line that is
// longer than SMTP's.
func greeting() mail.Message {
	return mail.Message{
		ID: "0198c0de-0000-7000-8000-000000000001", To: "ada@example.com", Subject: "Grüße von Ælfred",
		Text: "Schöne Grüße\n.\n" + strings.Repeat("x", 1500) + "\n", HTML: "<p>Schöne Grüße</p>\n",
		Date: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

// to is the configuration of a server.
func to(s *mailtest.Server, security mail.Security) mail.Config {
	return mail.Config{
		Host: s.Host, Port: s.Port, Security: security, Roots: s.Roots,
		From: netmail.Address{Name: "Pénstock", Address: "cloud@penstock.example"},
	}
}

func send(t *testing.T, c mail.Config, m mail.Message) error {
	t.Helper()
	sender, err := mail.NewSender(c)
	if err != nil {
		t.Fatal(err)
	}
	return sender.Send(t.Context(), m)
}

func TestSendArrives(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options  mailtest.Options
		security mail.Security
	}{
		"none":              {mailtest.Options{}, mail.None},
		"starttls":          {mailtest.Options{StartTLS: true}, mail.StartTLS},
		"tls":               {mailtest.Options{TLS: true}, mail.TLS},
		"none with auth":    {mailtest.Options{Username: "penstock", Password: "hunter2 ü"}, mail.None},
		"starttls and auth": {mailtest.Options{StartTLS: true, Username: "penstock", Password: "hunter2 ü"}, mail.StartTLS},
		"tls and auth":      {mailtest.Options{TLS: true, Username: "penstock", Password: "hunter2 ü"}, mail.TLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, tt.options)
			c := to(server, tt.security)
			c.Username, c.Password = tt.options.Username, cloud.NewSecret(tt.options.Password)
			want := greeting()
			if err := send(t, c, want); err != nil {
				t.Fatal(err)
			}
			got := server.Await(t, "ada@example.com")
			if got.Subject != want.Subject || got.Text != want.Text || got.HTML != want.HTML || got.From != "cloud@penstock.example" {
				t.Errorf("got %+v", got)
			}
			for header, want := range map[string]string{
				"Message-Id":               "<0198c0de-0000-7000-8000-000000000001@penstock.example>",
				"Auto-Submitted":           "auto-generated",
				"X-Auto-Response-Suppress": "All",
				"To":                       "<ada@example.com>",
				"From":                     "=?utf-8?q?P=C3=A9nstock?= <cloud@penstock.example>",
				"Date":                     "Sun, 01 Mar 2026 12:00:00 +0000",
				"User-Agent":               "",
			} {
				if got.Header.Get(header) != want {
					t.Errorf("%s is %q; want %q", header, got.Header.Get(header), want)
				}
			}
		})
	}
}

// TestSendRefuses shows that nothing is sent on a way that is not what was asked
// for: the failure is the server's, and is tried again.
func TestSendRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options  mailtest.Options
		security mail.Security
		change   func(*mail.Config)
		want     string
	}{
		"a server without STARTTLS":      {mailtest.Options{}, mail.StartTLS, nil, "STARTTLS"},
		"a server without TLS":           {mailtest.Options{}, mail.TLS, nil, "tls:"},
		"STARTTLS by another authority":  {mailtest.Options{StartTLS: true}, mail.StartTLS, func(c *mail.Config) { c.Roots = nil }, "x509:"},
		"TLS by another authority":       {mailtest.Options{TLS: true}, mail.TLS, func(c *mail.Config) { c.Roots = nil }, "x509:"},
		"STARTTLS by another host":       {mailtest.Options{StartTLS: true}, mail.StartTLS, func(c *mail.Config) { c.Host = "localhost" }, "x509:"},
		"TLS by another host":            {mailtest.Options{TLS: true}, mail.TLS, func(c *mail.Config) { c.Host = "localhost" }, "x509:"},
		"the clear where TLS is offered": {mailtest.Options{StartTLS: true}, mail.None, nil, "530"},
		"a wrong password": {mailtest.Options{TLS: true, Username: "penstock", Password: "right"}, mail.TLS, func(c *mail.Config) {
			c.Username, c.Password = "penstock", cloud.NewSecret("wrong-password")
		}, "535"},
		"a server without authentication": {mailtest.Options{TLS: true}, mail.TLS, func(c *mail.Config) {
			c.Username, c.Password = "penstock", cloud.NewSecret("wrong-password")
		}, "AUTH"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, tt.options)
			c := to(server, tt.security)
			if tt.change != nil {
				tt.change(&c)
			}
			err := send(t, c, greeting())
			var failure *mail.Failure
			if !errors.As(err, &failure) || failure.Final || !failure.OfServer || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want a passing failure of the server that says %s", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "ada@") || strings.Contains(err.Error(), "wrong-password")) {
				t.Errorf("the log would read %v", err)
			}
			if mails := server.Mails(""); len(mails) != 0 {
				t.Errorf("the server got %+v", mails)
			}
		})
	}
}

// TestSendSortsRefusals: what the server says of a mail is passing or final, and
// its words, which may repeat ours, are kept from admins and logs.
func TestSendSortsRefusals(t *testing.T) {
	t.Parallel()
	refusal := func(code int, enhanced smtp.EnhancedCode) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: "<ada@example.com> https://cloud.example.com/invitations/SECRET"}
	}
	for name, tt := range map[string]struct {
		options mailtest.Options
		want    mail.Failure
	}{
		"greylisted": {
			mailtest.Options{Refuse: func(string, int) error { return refusal(451, smtp.EnhancedCode{4, 7, 1}) }},
			mail.Failure{Cause: "the mail server does not take mail for this address (451 4.7.1)"},
		},
		"nobody of that name": {
			mailtest.Options{Refuse: func(string, int) error { return refusal(550, smtp.EnhancedCode{5, 1, 1}) }},
			mail.Failure{Cause: "the mail server does not take mail for this address (550 5.1.1)", Final: true},
		},
		"the disk is full": {
			mailtest.Options{RefuseData: func(mailtest.Mail) error { return refusal(452, smtp.EnhancedCode{4, 3, 1}) }},
			mail.Failure{Cause: "the mail server does not take this mail (452 4.3.1)"},
		},
		"taken for spam": {
			mailtest.Options{RefuseData: func(mailtest.Mail) error { return refusal(554, smtp.EnhancedCode{5, 7, 1}) }},
			mail.Failure{Cause: "the mail server does not take this mail (554 5.7.1)", Final: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := send(t, to(mailtest.Start(t, tt.options), mail.None), greeting())
			var got *mail.Failure
			if !errors.As(err, &got) || got.Cause != tt.want.Cause || got.Final != tt.want.Final || got.OfServer {
				t.Fatalf("got %+v; want %+v", got, tt.want)
			}
			if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "ada@") {
				t.Errorf("the log would read %v", err)
			}
		})
	}
}

// TestSendEndsWithItsContext shows that a server which falls silent holds nobody
// up.
func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if conn, err := mute.Accept(); err == nil {
			defer conn.Close()
			_, _ = conn.Write([]byte("220 mail.example.com\r\n"))
			_, _ = conn.Read(make([]byte, 100)) // so that it is past dialing
			cancel()
			_, _ = conn.Read(make([]byte, 1)) // until the other side ends it
		}
	}()
	address := mute.Addr().(*net.TCPAddr)
	sender, err := mail.NewSender(mail.Config{
		Host: address.IP.String(), Port: address.Port, Security: mail.None, From: netmail.Address{Address: "cloud@penstock.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := sender.Send(ctx, greeting()); !errors.Is(err, context.Canceled) || time.Since(start) > mail.DefaultTimeout/2 {
		t.Errorf("got %v after %v; only its own time-out ended it", err, time.Since(start))
	}
}

// TestSendLetsNobodyWriteHeaders tries to end a header with what others chose.
func TestSendLetsNobodyWriteHeaders(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	c := to(server, mail.None)
	c.From.Name = "Penstock\r\nBcc: eve@example.com"
	m := greeting()
	m.Subject = "Hello\r\nBcc: eve@example.com\r\n\r\n<p>new body"
	if err := send(t, c, m); err != nil {
		t.Fatal(err)
	}
	got := server.Await(t, "ada@example.com")
	if got.Header.Get("Bcc") != "" || got.Text != m.Text || len(server.Mails("")) != 1 {
		t.Errorf("got %s", got.Raw)
	}
	for _, address := range []cloud.Email{"ada@example.com\r\nRCPT TO:<eve@example.com>", "ada@example.com, eve@example.com", "Ada <ada@example.com>", "", "ada@example.com>"} {
		m.To = address
		var failure *mail.Failure
		if err := send(t, c, m); !errors.As(err, &failure) || !failure.Final {
			t.Errorf("%q: got %v; want a final failure", address, err)
		}
	}
	if n := len(server.Mails("")); n != 1 {
		t.Errorf("the server got %d mails", n)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := mail.Config{Host: "mail.example.com", Port: 587, Security: mail.StartTLS, From: netmail.Address{Address: "cloud@penstock.example"}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*mail.Config){
		"host and a port": func(c *mail.Config) { c.Host = "" },
		"a port, such":    func(c *mail.Config) { c.Port = 65536 },
		"security must":   func(c *mail.Config) { c.Security = "" },
		"in the clear":    func(c *mail.Config) { c.Security = mail.None },
		"or neither":      func(c *mail.Config) { c.Username = "penstock" },
		"username and":    func(c *mail.Config) { c.Password = cloud.NewSecret("x") },
		"from":            func(c *mail.Config) { c.From.Address = "cloud" },
		"time to send":    func(c *mail.Config) { c.Timeout = time.Hour },
	} {
		c := good
		change(&c)
		if err := c.Validate(); cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %q", err, want)
		}
	}
	for _, host := range []string{"localhost", "127.0.0.2", "::1"} {
		c := good
		c.Host, c.Security = host, mail.None
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	good.Security, good.Plaintext = mail.None, true
	if err := good.Validate(); err != nil {
		t.Errorf("with plaintext permitted: %v", err)
	}
}
