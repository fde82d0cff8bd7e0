package federation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// simulation is a plane, a region and the network between them, the real ones
// but for HTTP, in a time that passes when it is told to. One thing happens
// after another: a daemon runs until it waits, for time, a change or an answer,
// and then something else may happen. So a history always ends alike.
type simulation struct {
	media  media
	broken guard // the guard of the protocol that is out of order; "" for none
	trace  func(format string, args ...any)

	epoch  time.Time     // when it began
	now    time.Duration // since then, truly
	jitter *rand.Rand
	ids    int

	db           cloud.Store // the plane's
	dbCopy       cloud.Store
	plane        *federation.Plane
	control      *control.Control
	planeClock   time.Duration // how wrong it is
	planeAway    bool
	planeCrashIn int  // statements; 0 for never
	planeCrashed bool // in the middle of what it was doing

	region, rival *daemon
	regionClock   time.Duration // how wrong it is for daemons that start now
	regionCopy    cloud.RegionStore

	mishaps  []mishap // of the next messages
	cut      bool     // nothing gets through
	late     []lateLetter
	arriving letter

	truth truth
}

// mishap is what the network does to one message.
type mishap int

const (
	none       mishap = iota
	lose              // the plane never sees it
	loseAnswer        // the plane acts on it, and nobody learns that
	repeat            // it comes again, some time later
	delay             // it is given up, and arrives some time later
	slow              // it takes long, and its answer is awaited
	garble            // a proxy answers in the plane's place
)

var mishaps = []mishap{none, lose, loseAnswer, repeat, delay, slow, garble}

// lateLetter is under way still.
type lateLetter struct {
	letter
	sent time.Duration
}

// How long things take.
const (
	latency      = 5 * time.Millisecond // of a message, and of an answer
	slowness     = 20 * time.Second     // of a slow one
	failure      = time.Second          // until a lost one is given up
	helloUnder   = 5 * time.Minute      // how long a hello may be under way: doubtLasts
	pageSize     = 4                    // objects
	quietTime    = 40 * time.Minute
	quietStep    = 10 * time.Second
	simInstances = 6
	simFleet     = 14 // instances that come and go together
	simClusters  = 2
	simSources   = 3
)

// stray is an organization that the plane does not know from the start.
const stray cloud.ID = "0195c0de-0000-7000-8000-00000000000c"

var discard = slog.New(slog.DiscardHandler)

func newSimulation(m media, broken guard, trace func(string, ...any)) *simulation {
	s := &simulation{
		media: m, broken: broken, trace: trace,
		epoch:  time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		jitter: rand.New(rand.NewPCG(1, 2)),
	}
	s.db = m.newPlane()
	s.mustWrite(func(w cloud.Writer) error {
		for id, name := range map[cloud.ID]string{acme: "acme", bolt: "bolt"} {
			if err := w.CreateOrganization(cloud.Organization{ID: id, Name: name, CreatedAt: s.epoch}); err != nil {
				return err
			}
		}
		for _, name := range []string{west, east} {
			if err := w.CreateRegion(cloud.Region{Name: name, CreatedAt: s.epoch}); err != nil {
				return err
			}
		}
		return w.PutObjects("", "", []cloud.StoredObject{foreign(s.epoch)})
	})
	s.startPlane()
	s.truth = newTruth(s)
	s.region = s.newDaemon("region", m.newRegion(s.newID()))
	return s
}

var foreignKey = instanceKey(simInstances - 1)

// foreign is another region's object, whose id our region claims too.
func foreign(now time.Time) cloud.StoredObject {
	return cloud.StoredObject{
		Object: cloud.Object{ObjectKey: foreignKey, Rev: 1, Body: []byte("{}")},
		Region: east, OrganizationID: acme, ProjectID: project, State: "running", StateSince: now, UpdatedAt: now,
	}
}

func (s *simulation) newID() cloud.ID {
	s.ids++
	return cloud.ID(fmt.Sprintf("0195c0de-1d00-7000-8000-%012d", s.ids))
}

func (s *simulation) mustWrite(fn func(cloud.Writer) error) {
	if err := s.db.Write(context.Background(), fn); err != nil {
		panic(err)
	}
}

func (s *simulation) mustRead(fn func(cloud.Reader) error) {
	if err := s.db.Read(context.Background(), fn); err != nil {
		panic(err)
	}
}

func (s *simulation) planeNow() time.Time { return s.epoch.Add(s.now + s.planeClock) }

// startPlane makes a process of the plane, which knows what is in its database.
func (s *simulation) startPlane() {
	s.planeCrashed, s.planeCrashIn = false, 0
	s.control = control.New(s.db, s.planeNow, s.newID, cloud.DefaultHealthPolicy)
	if err := s.control.Start(context.Background(), "https://plane.example.com"); err != nil {
		panic(err)
	}
	s.plane = federation.NewPlane(federation.PlaneConfig{
		Store: crashingStore{s.db, s}, Health: cloud.DefaultHealthPolicy, Log: discard,
		Now: s.planeNow, NewID: s.newID, Rand: s.jitter.Float64,
	})
}

// markAlive is the plane's sign of life. Every few seconds there is one; here
// only when it matters.
func (s *simulation) markAlive() {
	if err := s.control.MarkAlive(context.Background()); err != nil {
		panic(err)
	}
}

// pass lets time pass, and everything happen that is due meanwhile.
func (s *simulation) pass(d time.Duration) {
	for end := s.now + d; ; {
		next := s.nextDaemon(end)
		if next == nil {
			s.now = end
			return
		}
		s.now = max(s.now, next.due)
		next.run()
		s.truth.check()
	}
}

// nextDaemon is the one that goes on first, if one does until then.
func (s *simulation) nextDaemon(end time.Duration) (next *daemon) {
	for _, d := range s.daemons() {
		if d.over() {
			continue
		}
		if d.awaitsChange && len(d.region.Changed()) > 0 {
			d.due = min(d.due, s.now)
		}
		if d.due <= end && (next == nil || d.due < next.due) {
			next = d
		}
	}
	return next
}

func (s *simulation) daemons() []*daemon {
	if s.rival == nil {
		return []*daemon{s.region}
	}
	return []*daemon{s.region, s.rival}
}

// daemon is one life of a region's process, and the database that it leaves
// behind.
type daemon struct {
	*simulation
	name   string
	db     cloud.RegionStore
	region *region.Region
	clock  time.Duration // how wrong it is; whatever happens to the wall clock, a process sees time pass truly

	crashIn int // statements; 0 for never
	dead    bool
	ended   error // what Run returned
	noted   cloud.RegionIdentity

	due          time.Duration // when it goes on
	listens      bool          // Changed was asked for just now
	awaitsChange bool          // goes on at a change too
	resume       func() (struct{}, bool)
	stop         func()
	yield        func(struct{}) bool
}

// newDaemon starts a process on a database.
func (s *simulation) newDaemon(name string, db cloud.RegionStore) *daemon {
	d := &daemon{simulation: s, name: name, db: db, clock: s.regionClock, due: s.now}
	d.region = region.New(region.Config{Store: crashingRegion{d}, Log: discard, NewID: s.newID, Now: d.wallClock, After: d.after})
	d.begin()
	s.truth.note(d)
	reporter, err := federation.NewReporter(federation.ReporterConfig{
		Origin: origin{d}, Region: west, Plane: "https://plane.example.com", Log: discard,
		Fenced: d.region.Fence,
		Now:    d.wallClock, After: d.after, Jitter: s.jitter.Float64,
	})
	if err != nil {
		panic(err)
	}
	reporter.Through(client{d: d})
	ctx, cancel := context.WithCancel(context.Background())
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		d.yield = yield
		if d.yield(struct{}{}) {
			d.ended = reporter.Run(ctx)
		}
	})
	next()
	d.resume = next
	d.stop = func() { d.dead = true; cancel(); stop() }
	return d
}

// begin takes the database over. What was fenced does not begin by itself; an
// operator, who sees to it that the other one ends, has it do so.
func (d *daemon) begin() {
	err := d.region.Begin(context.Background(), false)
	if fenced := !daemonIn(d.db).FencedAt.IsZero(); fenced != errors.Is(err, region.ErrFenced) {
		d.truth.fail("%s, fenced: %v, begins with %v", d.name, fenced, err)
	}
	if errors.Is(err, region.ErrFenced) {
		d.trace("%v %s is started to take over", d.now, d.name)
		err = d.region.Begin(context.Background(), true)
	}
	if err != nil {
		panic(err)
	}
}

func (d *daemon) over() bool { return d.dead || d.ended != nil }

// run lets the daemon go on until it waits for something.
func (d *daemon) run() {
	d.resume()
	if d.ended != nil {
		d.trace("%v %s ends: %v", d.now, d.name, d.ended)
	}
	if !d.dead && errors.Is(d.ended, federation.ErrFenced) && daemonIn(d.db).FencedAt.IsZero() {
		d.truth.fail("%s was fenced and did not write that down", d.name)
	}
	d.reviveIfDead()
}

// reviveIfDead starts a daemon again that crashed by itself.
func (d *daemon) reviveIfDead() {
	if d.dead {
		d.restart(d.db)
	}
}

// restart replaces the process by another one.
func (d *daemon) restart(db cloud.RegionStore) {
	d.stop()
	again := d.newDaemon(d.name, db)
	if d.simulation.region == d {
		d.simulation.region = again
	} else {
		d.simulation.rival = again
	}
}

func (d *daemon) wallClock() time.Time { return d.epoch.Add(d.now + d.clock) }

// pause lets time pass for this daemon; false if it dies meanwhile.
func (d *daemon) pause(wait time.Duration) bool {
	d.due = d.now + max(wait, 0)
	return d.yield(struct{}{}) && !d.dead
}

var fired = func() chan time.Time { c := make(chan time.Time); close(c); return c }()

// after is time.After. Where the daemon listens for changes too, it asks for
// their channel first.
func (d *daemon) after(wait time.Duration) <-chan time.Time {
	d.awaitsChange, d.listens = d.listens, false
	alive := d.pause(wait)
	woken := d.awaitsChange && len(d.region.Changed()) > 0
	d.awaitsChange = false
	if !alive || woken {
		return nil // the other channel is ready
	}
	return fired
}

// origin is the region as the reporter sees it.
type origin struct{ d *daemon }

func (o origin) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	o.d.listens = false
	return o.d.region.Read(ctx, fn)
}

func (o origin) AuditReported(ctx context.Context, seq uint64) error {
	return o.d.region.AuditReported(ctx, seq)
}

func (o origin) Renew(ctx context.Context) error   { return o.d.region.Renew(ctx) }
func (o origin) Sources() map[string]time.Duration { return o.d.region.Sources() }

func (o origin) Changed() <-chan struct{} {
	o.d.listens = true
	return o.d.region.Changed()
}

// observe is the engine's word; the source is alive, whatever becomes of it. A
// fenced daemon does not listen.
func (d *daemon) observe(b engine.Batch) {
	d.truth.heard[b.Source] = d.now
	if err := d.region.Observe(context.Background(), b); err != nil && !errors.Is(err, errCrash) && !errors.Is(err, region.ErrFenced) {
		panic(err)
	}
	d.reviveIfDead()
}

func (d *daemon) hear(n int) {
	source := sourceName(n)
	d.truth.heard[source] = d.now
	if err := d.region.Heard(source); err != nil && !errors.Is(err, region.ErrFenced) {
		panic(err)
	}
}

func sourceName(n int) string { return fmt.Sprint("host-", n%simSources) }

// letter is a message, one of the protocol's, from one life of a daemon.
type letter struct {
	from   *daemon
	hello  *wire.HelloRequest
	sync   *wire.SyncRequest
	begin  *wire.SnapshotRequest
	page   *wire.SnapshotPage
	commit *wire.SnapshotCommit
	audit  *wire.AuditReport
	id     cloud.ID // of the snapshot
	number int      // of the page
}

// epoch is where a message says by whom it is.
func (m letter) epoch() *uint64 {
	switch {
	case m.sync != nil:
		return &m.sync.Epoch
	case m.begin != nil:
		return &m.begin.Epoch
	case m.page != nil:
		return &m.page.Epoch
	case m.commit != nil:
		return &m.commit.Epoch
	case m.audit != nil:
		return &m.audit.Epoch
	}
	return nil
}

func (m letter) String() string {
	switch {
	case m.sync != nil:
		return fmt.Sprintf("sync of epoch %d from %d to %d: %d upserts, %d tombstones", m.sync.Epoch, m.sync.From, m.sync.To, len(m.sync.Upserts), len(m.sync.Tombstones))
	case m.begin != nil:
		return fmt.Sprintf("begin of epoch %d at %d", m.begin.Epoch, m.begin.Seq)
	case m.page != nil:
		return fmt.Sprintf("page %d of epoch %d: %d objects", m.number, m.page.Epoch, len(m.page.Upserts))
	case m.commit != nil:
		return fmt.Sprintf("commit of epoch %d", m.commit.Epoch)
	case m.audit != nil:
		return fmt.Sprintf("audit of epoch %d after %q up to %s: %d entries", m.audit.Epoch, m.audit.After, m.audit.Upto, len(m.audit.Entries))
	}
	return fmt.Sprintf("hello of %s at %d", m.hello.Incarnation, m.hello.Seq)
}

// client sends the reporter's messages.
type client struct {
	wire.ClientInterface // nil: the rest
	d                    *daemon
}

func (c client) Hello(_ context.Context, m wire.HelloRequest, _ ...wire.RequestEditorFn) (*http.Response, error) {
	return c.d.send(letter{hello: &m})
}

func (c client) Sync(_ context.Context, m wire.SyncRequest, _ ...wire.RequestEditorFn) (*http.Response, error) {
	return c.d.send(letter{sync: &m})
}

func (c client) BeginSnapshot(_ context.Context, m wire.SnapshotRequest, _ ...wire.RequestEditorFn) (*http.Response, error) {
	return c.d.send(letter{begin: &m})
}

func (c client) PutSnapshotPage(_ context.Context, id wire.ID, number int, m wire.SnapshotPage, _ ...wire.RequestEditorFn) (*http.Response, error) {
	return c.d.send(letter{page: &m, id: cloud.ID(id), number: number})
}

func (c client) CommitSnapshot(_ context.Context, id wire.ID, m wire.SnapshotCommit, _ ...wire.RequestEditorFn) (*http.Response, error) {
	return c.d.send(letter{commit: &m, id: cloud.ID(id)})
}

func (c client) ReportAudit(_ context.Context, m wire.AuditReport, _ ...wire.RequestEditorFn) (*http.Response, error) {
	return c.d.send(letter{audit: &m})
}

// send lets a message meet its fate.
func (d *daemon) send(m letter) (*http.Response, error) {
	m.from = d
	what := none
	if len(d.mishaps) > 0 {
		what, d.mishaps = d.mishaps[0], d.mishaps[1:]
	}
	if d.cut {
		what = lose
	}
	wait := latency
	switch what {
	case lose, delay:
		if what == delay {
			d.late = append(d.late, lateLetter{m, d.now})
		}
		d.pause(failure)
		return nil, errNetwork
	case garble:
		d.pause(latency)
		return reply{http.StatusBadGateway, []byte("<html>bad gateway</html>")}.response(), nil
	case repeat:
		d.late = append(d.late, lateLetter{m, d.now})
	case slow:
		wait = slowness
	case none, loseAnswer:
	}
	if !d.pause(wait) {
		d.deliver(m) // it is on its way, whoever dies
		return nil, errNetwork
	}
	r, err := d.deliver(m)
	if err != nil || what == loseAnswer || !d.pause(latency) {
		return nil, errNetwork
	}
	return r.response(), nil
}

// deliver gives a message to the plane.
func (s *simulation) deliver(m letter) (reply, error) {
	if s.planeAway {
		return reply{}, errNetwork
	}
	before := s.truth.before()
	s.arriving = m
	answer, status, err := s.handle(s.broken.defeat(s, m))
	s.trace("%v %s: %v → %v %v", s.now, m.from.name, m, answer, err)
	crashed := s.planeCrashed
	if crashed {
		s.trace("%v %s", s.now, "the plane crashes")
		s.startPlane()
	}
	s.truth.delivered(m, before)
	switch {
	case crashed:
		return reply{}, errNetwork
	case err != nil:
		w := httptest.NewRecorder()
		rest.Errors{Log: discard, Body: federation.RefusalBody}.Write(w, httptest.NewRequest(http.MethodPost, "/", nil), err)
		return reply{w.Code, w.Body.Bytes()}, nil
	case answer == nil:
		return reply{status, nil}, nil
	default:
		return reply{status, must(json.Marshal(answer))}, nil
	}
}

func (s *simulation) handle(m letter) (answer any, status int, err error) {
	ctx, peer := context.Background(), federation.Peer{Region: west}
	switch {
	case m.hello != nil:
		answer, err = s.plane.Hello(ctx, peer, *m.hello)
		return answer, http.StatusOK, err
	case m.sync != nil:
		answer, err = s.plane.Sync(ctx, peer, *m.sync)
		return answer, http.StatusOK, err
	case m.begin != nil:
		id, err := s.plane.BeginSnapshot(ctx, peer, *m.begin)
		return wire.SnapshotBegun{ID: string(id)}, http.StatusCreated, err
	case m.page != nil:
		return nil, http.StatusNoContent, s.plane.PutPage(ctx, peer, m.id, m.number, *m.page)
	case m.audit != nil:
		answer, err = s.plane.ReportAudit(ctx, peer, *m.audit)
		return answer, http.StatusOK, err
	default:
		return nil, http.StatusNoContent, s.plane.CommitSnapshot(ctx, peer, m.id, *m.commit)
	}
}

// reply is what the plane answers.
type reply struct {
	status int
	body   []byte
}

func (r reply) response() *http.Response {
	return &http.Response{
		StatusCode: r.status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(r.body)),
	}
}

// deliverLate lets a message arrive that was under way for long. A hello does
// not stay under way for ever: that much the protocol expects of the network.
func (s *simulation) deliverLate(n int) {
	if len(s.late) == 0 {
		return
	}
	i := n % len(s.late)
	m := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	if m.hello != nil && s.now-m.sent > helloUnder {
		return
	}
	_, _ = s.deliver(m.letter) // nobody waits for the answer
	s.truth.check()
}

// end lets no process outlive its story.
func (s *simulation) end() {
	for _, d := range s.daemons() {
		d.stop()
	}
}
