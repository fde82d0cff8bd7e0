package libvirt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	golibvirt "github.com/digitalocean/go-libvirt"
	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// answerLimit bounds how long libvirtd may take to answer. Its first look at
// QEMU takes it seconds, and so does starting a machine on a busy host.
const answerLimit = time.Minute

// link is the connection to libvirtd, made when it is needed.
type link struct {
	socket string
	mu     sync.Mutex
	client *golibvirt.Libvirt
	wire   atomic.Pointer[net.Conn] // what client speaks through
}

// Dial implements socket.Dialer.
func (l *link) Dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", l.socket)
	if err == nil {
		l.wire.Store(&conn)
	}
	return conn, err
}

func (l *link) connected() (*golibvirt.Libvirt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil && l.client.IsConnected() {
		return l.client, nil
	}
	client := golibvirt.NewWithDialer(l)
	if err := client.ConnectToURI(golibvirt.QEMUSystem); err != nil {
		return nil, cloud.Unavailable(fmt.Errorf("libvirtd at %s: %w", l.socket, err))
	}
	l.client = client
	return client, nil
}

// cut ends the connection, and with an error whatever waits for an answer on it.
func (l *link) cut() {
	if wire := l.wire.Load(); wire != nil {
		_ = (*wire).Close() // it is given up
	}
}

// ask has something asked of libvirtd, which knows of no contexts.
// CodeUnavailable if it cannot be reached, or does not answer; what it answers
// is a golibvirt.Error.
func ask[T any](ctx context.Context, l *link, question func(*golibvirt.Libvirt) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err // what was called off already is not even asked
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		client, err := l.connected()
		if err != nil {
			answers <- answer{err: err}
			return
		}
		value, err := question(client)
		answers <- answer{value, err}
	}()
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case <-limit.C:
		l.cut()
		return none, cloud.Unavailable(fmt.Errorf("libvirtd at %s did not answer within %v", l.socket, answerLimit))
	case a := <-answers:
		if a.err != nil && !errors.As(a.err, new(golibvirt.Error)) && cloud.CodeOf(a.err) == "" {
			return none, cloud.Unavailable(fmt.Errorf("libvirtd at %s: %w", l.socket, a.err))
		}
		return a.value, a.err
	}
}

// do is ask for what has no answer but that it was done.
func (l *link) do(ctx context.Context, order func(*golibvirt.Libvirt) error) error {
	_, err := ask(ctx, l, func(client *golibvirt.Libvirt) (struct{}, error) { return struct{}{}, order(client) })
	return err
}

// answered reports whether libvirtd refused for this reason.
func answered(err error, number golibvirt.ErrorNumber) bool {
	var refusal golibvirt.Error
	return errors.As(err, &refusal) && int64(refusal.Code) == int64(number)
}

// domain finds a machine's. A nil one is not there.
func (l *link) domain(ctx context.Context, id cloud.ID) (*golibvirt.Domain, error) {
	raw, err := uuid.Parse(string(id))
	if err != nil {
		return nil, cloud.Invalid("the id of a machine is a UUID: %s", err)
	}
	d, err := ask(ctx, l, func(client *golibvirt.Libvirt) (golibvirt.Domain, error) {
		return client.DomainLookupByUUID(golibvirt.UUID(raw))
	})
	switch {
	case answered(err, golibvirt.ErrNoDomain):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &d, nil
}

// runs reports whether a domain ran when it was looked up: it had a number then.
func runs(d *golibvirt.Domain) bool { return d != nil && d.ID >= 0 }
