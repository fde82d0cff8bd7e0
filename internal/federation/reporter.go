package federation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// ErrFenced ends a Reporter: the plane talks to another daemon of the region.
var ErrFenced = errors.New("fenced: another daemon of this region has said hello to the plane since; " +
	"only one may run")

// Origin is what a Reporter reports: a region's state.
type Origin interface {
	Read(ctx context.Context, fn func(cloud.RegionReader) error) error
	Renew(ctx context.Context) error   // gives the stream a new incarnation
	Changed() <-chan struct{}          // receives after changes were committed
	Sources() map[string]time.Duration // how long ago each source was heard
	// AuditReported notes up to which seq the plane has the audit, be it less
	// than before.
	AuditReported(ctx context.Context, seq uint64) error
}

// GrantKeeper is who has to hear of changes of grants.
type GrantKeeper interface {
	Revision() uint64 // up to which changes are known
	Apply(ctx context.Context, changes cloud.GrantChanges) error
}

// ReporterConfig is what a Reporter is made of.
type ReporterConfig struct {
	Origin     Origin
	Region     string       // its name, as the plane knows it
	Plane      string       // the plane's URL, without the path of the federation API
	Credential cloud.Secret // the region's
	Log        *slog.Logger

	// Fenced, if there is one, is called when another daemon of the region turns
	// out to have taken over, before anything else is done: it stops whatever
	// acts in the region's name.
	Fenced func(context.Context) error

	// Grants, if there is one, is told what the plane says of changes of grants.
	Grants GrantKeeper

	// Roots verify the plane's certificate; nil means those of the system.
	Roots *x509.CertPool
	// Plaintext permits a plane at http:// that is not on a loopback address,
	// to which the credential travels in the clear.
	Plaintext bool
	// Transport carries the requests; nil means a new one of net/http.
	Transport http.RoundTripper

	Now    func() time.Time
	After  func(time.Duration) <-chan time.Time // as time.After
	Jitter func() float64                       // uniform in [0, 1), as rand.Float64
}

// Times and bounds of the region's end of the protocol.
const (
	// batchWindow is how long a change may wait for others to go with it.
	batchWindow = 200 * time.Millisecond
	// digestEvery is how often the plane is asked to compare its copy.
	digestEvery = 5 * time.Minute
	// minPace and maxPace bound what the plane may ask for as the time to the
	// next heartbeat. It asks for little when it needs a second one to know how
	// old the first was.
	minPace, maxPace = 100 * time.Millisecond, 10 * time.Minute
	// doubtLasts is how long a hello without an answer, of this daemon or of
	// one before it, may still be under way.
	doubtLasts = 5 * time.Minute
)

// ReporterState is what a Reporter is at.
type ReporterState string

// The states.
const (
	ReporterConnecting ReporterState = "connecting" // no epoch yet
	ReporterSnapshot   ReporterState = "snapshot"   // sending everything
	ReporterSyncing    ReporterState = "syncing"    // sending changes
	ReporterFenced     ReporterState = "fenced"     // ended
)

// ReporterStatus is how the reporting stands, for logs and metrics.
type ReporterStatus struct {
	State     ReporterState
	Epoch     uint64
	Applied   uint64    // the last seq that the plane is known to have
	LastSync  time.Time // when the plane last accepted a sync; zero for never
	Snapshots uint64    // committed by this process
	Failures  int       // since the plane last accepted something
	LastError string    // of the last failure; "" while all is well
}

// Reporter is the region's end of the link.
type Reporter struct {
	origin Origin
	region string
	plane  *planeClient
	log    *slog.Logger
	fenced func(context.Context) error
	grants GrantKeeper
	now    func() time.Time
	after  func(time.Duration) <-chan time.Time
	jitter func() float64

	// Owned by Run.
	state       ReporterState
	incarnation cloud.ID // that the last hello was for
	epoch       uint64
	nonce       string
	applied     uint64    // the last seq that the plane is known to have
	due         time.Time // when to sync though nothing has changed
	digestDue   time.Time // when to have the copies compared again
	backlog     bool      // there is more to send at once
	unanswered  bool      // changes went out and it is not known whether they arrived
	helloDoubt  time.Time // until when an older hello may still reach the plane
	renewed     bool      // the last hello was answered with renew
	mismatches  int       // snapshots in a row that did not match
	failures    int       // errors since the plane last accepted something
	refusedAt   time.Time // when the plane last refused what we sent
	audit       auditReport

	mu     sync.Mutex
	status ReporterStatus
}

// NewReporter checks the configuration. CodeInvalid if the plane's URL cannot
// be used.
func NewReporter(c ReporterConfig) (*Reporter, error) {
	plane, err := newPlaneClient(c)
	if err != nil {
		return nil, err
	}
	r := &Reporter{
		origin: c.Origin, region: c.Region, plane: plane, log: c.Log, fenced: c.Fenced, grants: c.Grants,
		now: c.Now, after: c.After, jitter: c.Jitter,
		state: ReporterConnecting,
	}
	r.publish(nil)
	return r, nil
}

// Status tells how the reporting stands. It is safe for concurrent use.
func (r *Reporter) Status() ReporterStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Run reports until ctx ends, and returns ctx.Err(), or until another daemon
// of the region took over, and returns ErrFenced. Every other trouble is
// logged and overcome by trying again. It is called once.
func (r *Reporter) Run(ctx context.Context) error {
	r.helloDoubt = r.now().Add(doubtLasts)
	for {
		err := r.step(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			r.publish(nil)
			continue
		}
		if isFenced(err) && !r.now().Before(r.helloDoubt) {
			r.endFenced(ctx, err)
			return ErrFenced
		}
		pause := r.afterFailure(ctx, err)
		r.publish(err)
		r.log.WarnContext(ctx, "reporting to the plane failed and is tried again",
			"error", err, "state", r.state, "failures", r.failures, "pause", pause)
		if err := r.sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// endFenced stops what this daemon does, and says so.
func (r *Reporter) endFenced(ctx context.Context, refused error) {
	if r.fenced != nil {
		if err := r.fenced(context.WithoutCancel(ctx)); err != nil {
			r.log.ErrorContext(ctx, "this daemon is fenced, but could not write that down; do not start it again while the other one runs", "error", err)
		}
	}
	r.state = ReporterFenced
	r.publish(refused)
	r.log.ErrorContext(ctx, "fenced: another daemon of this region reports; this one ends", "epoch", r.epoch)
}

// step sends what is to be sent next, when it is time for it.
func (r *Reporter) step(ctx context.Context) error {
	switch r.state {
	case ReporterConnecting:
		return r.hello(ctx)
	case ReporterSnapshot:
		return r.snapshot(ctx)
	case ReporterSyncing, ReporterFenced:
	}
	if err := r.await(ctx); err != nil {
		return err
	}
	return r.sync(ctx)
}

// hello asks for an epoch and learns where to go on.
func (r *Reporter) hello(ctx context.Context) error {
	var id cloud.RegionIdentity
	err := r.origin.Read(ctx, func(tx cloud.RegionReader) (err error) {
		id, err = tx.Identity()
		return err
	})
	if err != nil {
		return fmt.Errorf("read the region's identity: %w", err)
	}
	welcome, err := r.plane.hello(ctx, wire.HelloRequest{
		Region: &r.region, Incarnation: string(id.Incarnation), Seq: id.Seq, Digest: toWireDigest(id.Digest),
	})
	if err != nil {
		if inDoubt(err) {
			r.helloDoubt = r.now().Add(doubtLasts)
		}
		return fmt.Errorf("hello: %w", err)
	}
	r.incarnation = id.Incarnation
	r.epoch, r.nonce, r.applied = welcome.Epoch, welcome.Nonce, welcome.AppliedSeq
	r.due, r.digestDue = r.now(), r.now()
	r.unanswered, r.backlog = false, true
	r.log.InfoContext(ctx, "the plane has granted an epoch",
		"epoch", welcome.Epoch, "next", string(welcome.Next), "applied", welcome.AppliedSeq, "seq", id.Seq)
	if welcome.Next == wire.WelcomeNextRenew {
		return r.renew(ctx)
	}
	r.renewed = false
	if welcome.Next == wire.WelcomeNextResume {
		r.state = ReporterSyncing
	} else {
		r.state = ReporterSnapshot
	}
	return nil
}

// renew begins a stream anew; hello comes next. If it just did, another daemon,
// on a copy of our database, may have used the new incarnation before us, or the
// plane is out of its mind: it is asked again after a pause.
func (r *Reporter) renew(ctx context.Context) error {
	if err := r.origin.Renew(ctx); err != nil {
		return err
	}
	r.state = ReporterConnecting
	if r.renewed {
		return errors.New("the plane asks for a new incarnation again, though it was just given one")
	}
	r.renewed = true
	return nil
}

// await returns when there is something to send or a heartbeat is due.
func (r *Reporter) await(ctx context.Context) error {
	wait := r.due.Sub(r.now())
	if r.backlog || r.unanswered || r.audit.backlog || wait <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.origin.Changed():
		// Changes come in company: those that follow at once go along.
		return r.sleep(ctx, min(batchWindow, wait))
	case <-r.after(wait):
		return nil
	}
}

func (r *Reporter) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.after(d):
		return nil
	}
}

// accepted notes that the plane took a message in.
func (r *Reporter) accepted(ctx context.Context) {
	if r.failures > 0 {
		r.log.InfoContext(ctx, "the plane accepts reports again", "failures", r.failures)
	}
	r.failures = 0
}

// publish makes Run's state visible.
func (r *Reporter) publish(failure error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.State, r.status.Epoch, r.status.Applied, r.status.Failures = r.state, r.epoch, r.applied, r.failures
	r.status.LastError = ""
	if failure != nil {
		r.status.LastError = failure.Error()
	}
}
