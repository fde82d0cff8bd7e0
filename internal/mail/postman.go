package mail

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The postman's times.
const (
	// Lease is how long a mail is one postman's; another one has it then, should
	// the first have died over it.
	Lease = 2 * time.Minute
	// PollInterval is how long mail waits that another process has enqueued.
	PollInterval = 5 * time.Second
	// A mail that could not be sent is tried again after FirstPause, and each time
	// after twice the time until it is LastPause; up to a quarter is added, so that
	// what failed together does not come back together.
	FirstPause = 30 * time.Second
	LastPause  = time.Hour
)

// What goes on when the postman is to end: a mail that is being sent, which the
// server may have by then and would get again, and the noting of what became of
// it.
const (
	lingering = 5 * time.Second
	settling  = 20 * time.Second
)

// Transport is the way on which mails leave; *Sender is one. Its errors are
// *Failure, or ctx's. It returns within MaxTimeout.
type Transport interface {
	Send(ctx context.Context, m Message) error
}

// Outbox is what a postman needs of cloud.Store.
type Outbox interface {
	Read(ctx context.Context, fn func(cloud.Reader) error) error
	Write(ctx context.Context, fn func(cloud.Writer) error) error
}

// PostmanConfig is what a postman is made of.
type PostmanConfig struct {
	Outbox    Outbox
	Transport Transport
	PublicURL string // of the plane; links begin with it
	Log       *slog.Logger
	Now       func() time.Time
	Rand      func() float64 // 0 to 1
}

// Postman empties the outbox: each mail is sent at least once, or given up when
// it is of no use any longer or its address is refused for good. Of any number
// of postmen, in as many processes, one has a mail at a time; only one that
// dies after it sent a mail, and before it could say so, has it sent twice.
type Postman struct {
	PostmanConfig
	letters letters
	wake    chan struct{}
}

// NewPostman makes one; CodeInvalid for a URL that links cannot begin with.
func NewPostman(c PostmanConfig) (*Postman, error) {
	letters, err := newLetters(c.PublicURL)
	if err != nil {
		return nil, err
	}
	return &Postman{PostmanConfig: c, letters: letters, wake: make(chan struct{}, 1)}, nil
}

// Wake has the postman look at once, after something was enqueued. It does not
// wait, and may be called by anybody at any time.
func (p *Postman) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it is woken already
	}
}

// Run delivers what there is, and what comes, until ctx ends.
func (p *Postman) Run(ctx context.Context) error {
	poll := time.NewTicker(PollInterval)
	defer poll.Stop()
	for {
		if err := p.Deliver(ctx); err != nil && ctx.Err() == nil {
			p.Log.WarnContext(ctx, "the outbox could not be read or written; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		case <-poll.C:
		}
	}
}

// Deliver sends what is due by now, until that is nothing, or the server fails
// in a way that others would fail in as well. An error is of the database.
func (p *Postman) Deliver(ctx context.Context) error {
	for ctx.Err() == nil {
		m, err := p.lease(ctx)
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		failure := p.send(ctx, m)
		if err := p.settle(ctx, m, failure); err != nil {
			return err
		}
		if failure != nil && failure.OfServer {
			return nil
		}
	}
	return nil
}

func (p *Postman) lease(ctx context.Context) (m cloud.Mail, err error) {
	err = p.Outbox.Write(ctx, func(tx cloud.Writer) (err error) {
		now := p.Now()
		m, err = tx.LeaseMail(now, now.Add(Lease))
		return err
	})
	return m, err
}

// send returns nil for what was sent.
func (p *Postman) send(ctx context.Context, m cloud.Mail) *Failure {
	var message Message
	err := p.Outbox.Read(ctx, func(tx cloud.Reader) (err error) {
		message, err = p.letters.write(tx, m, p.Now())
		return err
	})
	if err == nil {
		err = p.hand(ctx, message)
	}
	if err == nil {
		return nil
	}
	return asFailure(err)
}

// hand gives a message to the transport, which has until a while after ctx ends.
func (p *Postman) hand(ctx context.Context, m Message) error {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lingering, cancel) })
	defer stop()
	return p.Transport.Send(sending, m)
}

// settle notes what became of an attempt, and does so after the end of ctx too.
func (p *Postman) settle(ctx context.Context, m cloud.Mail, failure *Failure) error {
	outcome := p.judge(m, failure)
	p.tell(ctx, m, failure, outcome)
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	err := p.Outbox.Write(noting, func(tx cloud.Writer) error {
		return tx.SettleMail(m.ID, outcome.state, outcome.due, outcome.cause)
	})
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return nil // another attempt has sent it meanwhile, or it is forgotten
	}
	return err
}

// verdict is what SettleMail is told.
type verdict struct {
	state cloud.MailState
	due   time.Time
	cause string
}

// judge decides what becomes of a mail after an attempt.
func (p *Postman) judge(m cloud.Mail, failure *Failure) verdict {
	if failure == nil {
		return verdict{state: cloud.MailSent}
	}
	if failure.Final {
		return verdict{state: cloud.MailFailed, cause: failure.Cause}
	}
	if errors.Is(failure, context.Canceled) { // another process goes on at once
		return verdict{state: cloud.MailPending, due: p.Now(), cause: m.Error}
	}
	due := p.Now().Add(p.pause(m.Attempts))
	if !due.Before(m.ExpiresAt) {
		return verdict{state: cloud.MailFailed, cause: failure.Cause + "; it was tried until it was of no use any longer"}
	}
	return verdict{state: cloud.MailPending, due: due, cause: failure.Cause}
}

// pause is how long a mail waits after so many attempts.
func (p *Postman) pause(attempts int64) time.Duration {
	pause := FirstPause
	for range attempts - 1 {
		if pause = min(2*pause, LastPause); pause == LastPause {
			break
		}
	}
	return pause + time.Duration(p.Rand()*float64(pause)/4)
}

// tell logs what became of an attempt: not to whom, and nothing of the content.
func (p *Postman) tell(ctx context.Context, m cloud.Mail, failure *Failure, outcome verdict) {
	log := p.Log.With("mail", m.ID, "kind", m.Kind, "attempts", m.Attempts)
	switch {
	case failure == nil:
		log.DebugContext(ctx, "a mail was sent")
	case errors.Is(failure, context.Canceled):
		log.DebugContext(ctx, "a mail was not sent before the end; it is due at once")
	case errors.Is(failure, errNotNeeded):
		log.DebugContext(ctx, "a mail was not needed any longer")
	case outcome.state == cloud.MailFailed:
		log.WarnContext(ctx, "a mail was given up", "error", failure)
	default:
		log.WarnContext(ctx, "a mail could not be sent; trying again", "error", failure, "due", outcome.due)
	}
}
