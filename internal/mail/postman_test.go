package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/mail"
	"github.com/penstock-cloud/penstock/internal/mail/mailtest"
)

// clock is a clock that a test sets.
type clock struct{ now time.Time }

// postman makes one that tells the time by the clock, never adds to a pause, and
// logs everything.
func postman(t *testing.T, o *outbox, by mail.Transport, c *clock) (*mail.Postman, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	p, err := mail.NewPostman(mail.PostmanConfig{
		Outbox: o, Transport: by, PublicURL: "https://cloud.example.com",
		Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time { return c.now }, Rand: func() float64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

func deliver(t *testing.T, p *mail.Postman) {
	t.Helper()
	if err := p.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func sender(t *testing.T, s *mailtest.Server) *mail.Sender {
	t.Helper()
	by, err := mail.NewSender(to(s, mail.None))
	if err != nil {
		t.Fatal(err)
	}
	return by
}

// mailbag is a transport that keeps what it is given, or fails.
type mailbag struct {
	mu   sync.Mutex
	sent []mail.Message
	fail func(ctx context.Context, m mail.Message) error
}

// Send implements mail.Transport.
func (b *mailbag) Send(ctx context.Context, m mail.Message) error {
	if b.fail != nil {
		if err := b.fail(ctx, m); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, m)
	return nil
}

func TestInvitationArrives(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	o := newOutbox(invitationMail)
	p, log := postman(t, o, sender(t, server), &clock{epoch})
	deliver(t, p)
	got := server.Await(t, "ada@example.com")
	if got.Subject != "Charles Babbage invites you to Analytical Engines" {
		t.Errorf("the subject is %q", got.Subject)
	}
	for _, want := range []string{"Charles Babbage", "Analytical Engines", "editor", "launch, change and stop", "ada@example.com", "8 March 2026, 12:00 UTC", "cloud.example.com", "ignore it"} {
		if !strings.Contains(got.Text, want) || !strings.Contains(got.HTML, want) {
			t.Errorf("%q is missing in\n%s\n%s", want, got.Text, got.HTML)
		}
	}
	token, ok := strings.CutPrefix(got.Link(t), "https://cloud.example.com/invitations/")
	id, generation, err := cloud.ParseInvitationToken(mailKey, cloud.NewSecret(token))
	if !ok || err != nil || id != invitation.ID || generation != invitation.Generation {
		t.Errorf("the link is %s: of %s, %d, %v", got.Link(t), id, generation, err)
	}
	if m := o.mail(invitationMail.ID); m.State != cloud.MailSent || !m.DueAt.IsZero() || m.Error != "" {
		t.Errorf("the mail is %+v", m)
	}
	discreet(t, log, token)
}

func TestCodeArrives(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	o := newOutbox(codeMail)
	p, log := postman(t, o, sender(t, server), &clock{epoch.Add(time.Minute)})
	deliver(t, p)
	got := server.Await(t, "ada@example.com")
	code := cloud.SignInCode(mailKey, signIn.Hash).Reveal()
	if got.Code(t) != code || !strings.Contains(got.HTML, code) {
		t.Errorf("the code %s is not in\n%s\n%s", code, got.Text, got.HTML)
	}
	for _, want := range []string{"cloud.example.com", "1 March 2026, 12:00 UTC", "10 minutes", "If it was not you who asked, ignore"} {
		if !strings.Contains(got.Text, want) || !strings.Contains(got.HTML, want) {
			t.Errorf("%q is missing in\n%s\n%s", want, got.Text, got.HTML)
		}
	}
	if strings.Contains(got.Subject, code) || strings.Contains(got.Raw, "http") {
		t.Errorf("the code is in the subject %q, or there is a link in the mail:\n%s", got.Subject, got.Raw)
	}
	discreet(t, log, code)
}

// discreet fails if the log says to whom mail goes, or what is in it.
func discreet(t *testing.T, log fmt.Stringer, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, "ada@example.com", "/invitations/", string(signIn.Hash)) {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q in it:\n%s", secret, log)
		}
	}
}

// TestNamesAreOnlyNames: organizations and people choose their names, and others
// get to read them in mails of ours.
func TestNamesAreOnlyNames(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	o := newOutbox(invitationMail)
	p, _ := postman(t, o, sender(t, server), &clock{epoch})
	p.Outbox = renamed{o, "Engines\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u202e" + strings.Repeat("ä", 300), "<b>Charles</b>\n\n"}
	deliver(t, p)
	got := server.Await(t, "ada@example.com")
	for _, bad := range []string{"<script", "<b>Charles", "\u202e", strings.Repeat("ä", 101)} {
		if strings.Contains(got.HTML, bad) {
			t.Errorf("%q is in the HTML:\n%s", bad, got.HTML)
		}
	}
	if got.Header.Get("Bcc") != "" || strings.ContainsAny(got.Subject, "\r\n\u202e") || len([]rune(got.Subject)) > 250 || !strings.Contains(got.Subject, "Engines Bcc: ") || strings.Contains(got.Text, "Engines\n") {
		t.Errorf("the subject is %q of\n%s", got.Subject, got.Raw)
	}
	got.Link(t)
}

// renamed is an outbox in which the organization and its people have other names.
type renamed struct {
	*outbox
	organization, user string
}

func (r renamed) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	return r.outbox.Read(ctx, func(tx cloud.Reader) error { return fn(renamedReader{tx, r}) })
}

type renamedReader struct {
	cloud.Reader
	names renamed
}

func (r renamedReader) Organization(id cloud.ID) (cloud.Organization, error) {
	o, err := r.Reader.Organization(id)
	o.DisplayName = r.names.organization
	return o, err
}

func (r renamedReader) User(id cloud.ID) (cloud.User, error) {
	u, err := r.Reader.User(id)
	u.Name = r.names.user
	return u, err
}

// TestWhatIsNotNeededIsNotSent: between enqueuing and sending, invitations are
// taken back, renewed and accepted, and sign-ins end.
func TestWhatIsNotNeededIsNotSent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mail   cloud.Mail
		change func(*outbox)
		after  time.Duration
	}{
		"an invitation that is gone":    {invitationMail, func(o *outbox) { delete(o.invitations, invitation.ID) }, 0},
		"an invitation that is renewed": {invitationMail, func(o *outbox) { i := invitation; i.Generation++; o.invitations[i.ID] = i }, 0},
		"an invitation that is over":    {invitationMail, nil, cloud.InvitationTTL},
		"an invitation of another":      {invitationMail, func(o *outbox) { i := invitation; i.Email = "eve@example.com"; o.invitations[i.ID] = i }, 0},
		"an invitation of no tenant":    {invitationMail, func(o *outbox) { i := invitation; i.OrganizationID = "gone"; o.invitations[i.ID] = i }, 0},
		"a sign-in that is gone":        {codeMail, func(o *outbox) { delete(o.signIns, signIn.Hash) }, 0},
		"a sign-in that is over":        {codeMail, nil, cloud.SignInTTL},
		"a sign-in of another":          {codeMail, func(o *outbox) { s := signIn; s.Email = "eve@example.com"; o.signIns[s.Hash] = s }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, bag := newOutbox(tt.mail), &mailbag{}
			if tt.change != nil {
				tt.change(o)
			}
			p, log := postman(t, o, bag, &clock{epoch.Add(tt.after)})
			deliver(t, p)
			if m := o.mail(tt.mail.ID); len(bag.sent) != 0 || m.State != cloud.MailFailed || !m.DueAt.IsZero() || !strings.Contains(m.Error, "not needed") {
				t.Errorf("sent %+v; the mail is %+v", bag.sent, m)
			}
			if strings.Contains(log.String(), "WARN") {
				t.Errorf("nobody has to mend that: %s", log)
			}
		})
	}
}

// TestGreylistedMailArrives: such a server refuses strangers at first, to see
// whether they come back.
func TestGreylistedMailArrives(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{Refuse: func(_ string, before int) error {
		if before < 2 {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "<ada@example.com>: greylisted"}
		}
		return nil
	}})
	o, c := newOutbox(codeMail), &clock{epoch}
	p, log := postman(t, o, sender(t, server), c)
	for attempt, pause := range []time.Duration{30 * time.Second, time.Minute} {
		deliver(t, p)
		want := codeMail
		want.Attempts, want.DueAt, want.Error = int64(attempt)+1, c.now.Add(pause), "the mail server does not take mail for this address (451 4.7.1)"
		if diff := cmp.Diff(want, o.mail(codeMail.ID)); diff != "" {
			t.Fatal(diff)
		}
		c.now = c.now.Add(pause - 1)
		deliver(t, p)
		if got := o.mail(codeMail.ID).Attempts; got != want.Attempts {
			t.Fatalf("it was tried before it was due: %d times", got)
		}
		c.now = c.now.Add(1)
	}
	deliver(t, p)
	server.Await(t, "ada@example.com")
	if m := o.mail(codeMail.ID); m.State != cloud.MailSent || m.Attempts != 3 || m.Error != "" {
		t.Errorf("the mail is %+v", m)
	}
	if !strings.Contains(log.String(), "a mail could not be sent; trying again") {
		t.Errorf("the operator is told nothing: %s", log)
	}
	discreet(t, log)
}

func TestRefusedAddressIsFinal(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{Refuse: func(string, int) error {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<ada@example.com>: unknown"}
	}})
	o := newOutbox(invitationMail)
	p, log := postman(t, o, sender(t, server), &clock{epoch})
	deliver(t, p)
	if m := o.mail(invitationMail.ID); m.State != cloud.MailFailed || !m.DueAt.IsZero() || m.Attempts != 1 || m.Error != "the mail server does not take mail for this address (550 5.1.1)" {
		t.Errorf("the mail is %+v", m)
	}
	if !strings.Contains(log.String(), "a mail was given up") {
		t.Errorf("the operator is told nothing: %s", log)
	}
	discreet(t, log)
}

// TestPausesGrow follows a mail through a week without a server: what it waits
// doubles up to an hour, and it ends with its invitation.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	bag := &mailbag{fail: func(context.Context, mail.Message) error { return &mail.Failure{Cause: "away", OfServer: true} }}
	o, c := newOutbox(invitationMail), &clock{epoch}
	p, _ := postman(t, o, bag, c)
	var pauses []time.Duration
	for {
		deliver(t, p)
		m := o.mail(invitationMail.ID)
		if m.State != cloud.MailPending {
			if m.State != cloud.MailFailed || !m.DueAt.IsZero() || !strings.HasPrefix(m.Error, "away; ") {
				t.Errorf("the mail ends as %+v", m)
			}
			break
		}
		pauses, c.now = append(pauses, m.DueAt.Sub(c.now)), m.DueAt
	}
	want := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour}
	if len(pauses) < 160 || !cmp.Equal(pauses[:len(want)], want) || pauses[len(pauses)-1] != time.Hour || c.now.After(invitation.ExpiresAt) {
		t.Errorf("it was tried until %v, after %v", c.now, pauses)
	}
	p.Rand = func() float64 { return 0.5 }
	o.enqueue(codeMail)
	c.now = epoch
	deliver(t, p)
	if due := o.mail(codeMail.ID).DueAt; due != epoch.Add(33750*time.Millisecond) {
		t.Errorf("with half of the jitter, it is due at %v", due)
	}
}

// TestRoundEndsWithTheServer: a server that is away is asked for one mail, and
// one that refuses a mail for the others too.
func TestRoundEndsWithTheServer(t *testing.T) {
	t.Parallel()
	for _, ofServer := range []bool{true, false} {
		tried := 0
		bag := &mailbag{fail: func(context.Context, mail.Message) error { tried++; return &mail.Failure{OfServer: ofServer} }}
		o := newOutbox(invitationMail, codeMail)
		p, _ := postman(t, o, bag, &clock{epoch})
		deliver(t, p)
		if want := map[bool]int{true: 1, false: 2}[ofServer]; tried != want {
			t.Errorf("it tried %d mails; want %d", tried, want)
		}
	}
}

// TestPostmenSendEachMailOnce has several empty one outbox at once.
func TestPostmenSendEachMailOnce(t *testing.T) {
	t.Parallel()
	o, bag := newOutbox(), &mailbag{}
	const mails = 200
	for i := range mails {
		m := invitationMail
		m.ID = cloud.ID(fmt.Sprint(i))
		o.enqueue(m)
	}
	var running sync.WaitGroup
	for range 4 {
		p, _ := postman(t, o, bag, &clock{epoch})
		running.Go(func() { deliver(t, p) })
	}
	running.Wait()
	seen := map[cloud.ID]bool{}
	for _, m := range bag.sent {
		seen[m.ID] = true
	}
	if len(bag.sent) != mails || len(seen) != mails {
		t.Errorf("%d mails were sent, %d different ones; want each of %d once", len(bag.sent), len(seen), mails)
	}
}

// TestPostmanDiesOverAMail: whoever has it next sends it again, when the lease is
// over and not before, and the recipient's program can tell that it is the same.
func TestPostmanDiesOverAMail(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	o, c := newOutbox(codeMail), &clock{epoch}
	o.settleErr = errors.New("killed")
	first, _ := postman(t, o, sender(t, server), c)
	if err := first.Deliver(t.Context()); err == nil {
		t.Fatal("it could settle")
	}
	second, _ := postman(t, o, sender(t, server), c)
	c.now = epoch.Add(mail.Lease - 1)
	deliver(t, second)
	if n := len(server.Mails("")); n != 1 {
		t.Fatalf("%d mails were sent during the lease", n)
	}
	c.now = epoch.Add(mail.Lease)
	deliver(t, second)
	a, b := server.Await(t, "ada@example.com"), server.Await(t, "ada@example.com")
	if a.Header.Get("Message-Id") == "" || a.Header.Get("Message-Id") != b.Header.Get("Message-Id") || a.Code(t) != b.Code(t) {
		t.Errorf("%q and %q are not the same mail", a.Header, b.Header)
	}
	if m := o.mail(codeMail.ID); m.State != cloud.MailSent || m.Attempts != 2 {
		t.Errorf("the mail is %+v", m)
	}
}

// run has a postman run in a bubble, from whose beginning on the times are.
func run(t *testing.T, o *outbox, by mail.Transport) (p *mail.Postman, log *bytes.Buffer, stop func()) {
	t.Helper()
	p, log = postman(t, o, by, nil)
	shift := time.Since(epoch)
	p.Now = func() time.Time { return time.Now().Add(-shift) }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	synctest.Wait()
	return p, log, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	}
}

func TestPostmanWakesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, bag := newOutbox(), &mailbag{}
		p, _, stop := run(t, o, bag)
		defer stop()
		start := time.Now()
		o.enqueue(codeMail)
		synctest.Wait()
		if len(bag.sent) != 0 {
			t.Fatal("it looks without being woken")
		}
		for range 3 {
			p.Wake()
		}
		synctest.Wait()
		if len(bag.sent) != 1 || time.Now() != start {
			t.Fatalf("%d mails are sent after %v", len(bag.sent), time.Since(start))
		}
		o.enqueue(invitationMail) // by another process, which does not wake this one
		time.Sleep(mail.PollInterval)
		synctest.Wait()
		if len(bag.sent) != 2 {
			t.Errorf("it does not look for what others have enqueued")
		}
	})
}

// TestPostmanOutlivesItsDatabase shows that nothing but the end of its context
// ends it.
func TestPostmanOutlivesItsDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, bag := newOutbox(codeMail), &mailbag{}
		o.away = cloud.Unavailable(errors.New("no such host"))
		_, log, stop := run(t, o, bag)
		defer stop()
		if !strings.Contains(log.String(), "the outbox could not be read or written; trying again") {
			t.Errorf("the operator is told nothing: %s", log)
		}
		o.mu.Lock()
		o.away = nil
		o.mu.Unlock()
		time.Sleep(mail.PollInterval)
		synctest.Wait()
		if len(bag.sent) != 1 {
			t.Error("nothing is sent")
		}
	})
}

// TestPostmanIsInterrupted: what it was about to send has 5 seconds, and goes back
// then for another one to send at once.
func TestPostmanIsInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(codeMail)
		bag := &mailbag{fail: func(ctx context.Context, _ mail.Message) error { <-ctx.Done(); return ctx.Err() }}
		_, log, stop := run(t, o, bag)
		time.Sleep(time.Second)
		stop()
		if m := o.mail(codeMail.ID); m.State != cloud.MailPending || !m.DueAt.Equal(epoch.Add(6*time.Second)) || m.Error != "" {
			t.Errorf("the mail is %+v", m)
		}
		if strings.Contains(log.String(), "WARN") {
			t.Errorf("nothing is wrong: %s", log)
		}
	})
}

// TestSentWhileItEnds: what the server has by then is not sent again.
func TestSentWhileItEnds(t *testing.T) {
	t.Parallel()
	o := newOutbox(codeMail)
	ctx, cancel := context.WithCancel(t.Context())
	bag := &mailbag{fail: func(sending context.Context, _ mail.Message) error { cancel(); return sending.Err() }}
	p, _ := postman(t, o, bag, &clock{epoch})
	if err := p.Deliver(ctx); err != nil {
		t.Fatal(err)
	}
	if m := o.mail(codeMail.ID); m.State != cloud.MailSent {
		t.Errorf("the mail is %+v", m)
	}
}

func TestPostmanNeedsAURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "cloud.example.com", "https://cloud.example.com/path", "https://"} {
		if _, err := mail.NewPostman(mail.PostmanConfig{PublicURL: url}); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%q: %v", url, err)
		}
	}
}
