package federation_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

const (
	west, east = "west-1", "east-1"

	acme    cloud.ID = "0195c0de-0000-7000-8000-00000000000a"
	bolt    cloud.ID = "0195c0de-0000-7000-8000-00000000000b"
	project cloud.ID = "0195c0de-0000-7000-8000-0000000000ff"
)

// stand is a plane on a real database, of which a test sees everything.
type stand struct {
	t      *testing.T
	store  *twiceStore
	plane  *federation.Plane
	planes []*federation.Plane // of all processes; plane is one of them
	stores []*twiceStore
	logged *syncBuffer

	mu  sync.Mutex
	now time.Time
	ids int
	rnd float64
}

func newStand(t *testing.T) *stand {
	t.Helper()
	db, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return newStandOn(t, db)
}

// newStandOn is a stand of several processes, with a store each.
func newStandOn(t *testing.T, stores ...cloud.Store) *stand {
	t.Helper()
	s := &stand{
		t: t, logged: &syncBuffer{},
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), rnd: 0.5,
	}
	for _, store := range stores {
		s.stores = append(s.stores, &twiceStore{Store: store})
	}
	s.store = s.stores[0]
	s.write(func(w cloud.Writer) error {
		for id, name := range map[cloud.ID]string{acme: "acme", bolt: "bolt"} {
			if err := w.CreateOrganization(cloud.Organization{ID: id, Name: name, CreatedAt: s.now}); err != nil {
				return err
			}
			user := cloud.User{ID: "user-" + id, Email: cloud.Email(name + "@example.com"), Kind: cloud.Person}
			if err := w.CreateUser(user); err != nil {
				return err
			}
			if err := w.AddMember(cloud.Member{OrganizationID: id, User: user, Role: cloud.RoleAdmin}); err != nil {
				return err
			}
		}
		for _, region := range []string{west, east} {
			if err := w.CreateRegion(cloud.Region{Name: region, CreatedAt: s.now}); err != nil {
				return err
			}
			if err := w.CreateRegionCredential(cloud.RegionCredential{
				ID: cloud.ID("credential-" + region), Region: region, Hash: credentialOf(region).Hash(), CreatedAt: s.now,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	s.startPlane()
	return s
}

func credentialOf(region string) cloud.Secret { return cloud.NewSecret("credential of " + region) }

// startPlane replaces the plane, as a restart does, without noting an outage.
func (s *stand) startPlane() {
	s.planes = nil
	for _, store := range s.stores {
		s.planes = append(s.planes, s.newPlane(store))
	}
	s.plane = s.planes[0]
}

func (s *stand) newPlane(store cloud.Store) *federation.Plane {
	return federation.NewPlane(federation.PlaneConfig{
		Store:  store,
		Health: cloud.DefaultHealthPolicy,
		Log:    slog.New(slog.NewTextHandler(s.logged, nil)),
		Now:    s.clock,
		NewID:  s.newID,
		Rand:   func() float64 { return s.rnd },
	})
}

// restartPlane is a restart after the plane was away for a while.
func (s *stand) restartPlane(away time.Duration) {
	from := s.clock()
	s.pass(away)
	s.write(func(w cloud.Writer) error { return w.RecordOutage(cloud.Outage{From: from, To: s.clock()}) })
	s.startPlane()
}

func (s *stand) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stand) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *stand) newID() cloud.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return cloud.ID(fmt.Sprintf("0195c0de-1d00-7000-8000-%012d", s.ids))
}

func (s *stand) write(fn func(cloud.Writer) error) {
	s.t.Helper()
	if err := s.store.Store.Write(context.Background(), fn); err != nil {
		s.t.Fatal(err)
	}
}

func read[T any](s *stand, fn func(cloud.Reader) (T, error)) T {
	s.t.Helper()
	var result T
	err := s.store.Read(context.Background(), func(r cloud.Reader) (err error) {
		result, err = fn(r)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

func (s *stand) link(region string) cloud.Link {
	s.t.Helper()
	return read(s, func(r cloud.Reader) (cloud.Link, error) { return r.Link(region) })
}

func (s *stand) stored(region string, keys ...cloud.ObjectKey) map[cloud.ObjectKey]cloud.StoredObject {
	s.t.Helper()
	return read(s, func(r cloud.Reader) (map[cloud.ObjectKey]cloud.StoredObject, error) {
		return r.StoredObjects(region, keys)
	})
}

func (s *stand) instances(organization cloud.ID) []cloud.Instance {
	s.t.Helper()
	return read(s, func(r cloud.Reader) ([]cloud.Instance, error) { return r.Instances(organization, "", cloud.Page{}) })
}

// health is that of an instance, as its organization sees it now.
func (s *stand) health(organization, id cloud.ID) cloud.InstanceHealth {
	s.t.Helper()
	return read(s, func(r cloud.Reader) (cloud.InstanceHealth, error) {
		in, err := r.Instance(organization, id)
		if err != nil {
			return "", err
		}
		link, err := r.Link(in.Region)
		if err != nil {
			return "", err
		}
		plane, err := r.Plane()
		clock := cloud.HealthClock{Now: s.clock(), Policy: cloud.DefaultHealthPolicy, Outages: plane.Outages}
		return clock.Instance(&link, in).Health, err
	})
}

// revisions are those on which kept lists depend: of the organizations' fleets
// and of health.
func (s *stand) revisions() map[string]int64 {
	s.t.Helper()
	revisions := map[string]int64{}
	for name, organization := range map[string]cloud.ID{"acme": acme, "bolt": bolt} {
		standing, err := s.store.Standing(context.Background(), "user-"+organization)
		if err != nil {
			s.t.Fatal(err)
		}
		revisions[name], revisions["health"] = standing.Relations[0].FleetRevision, standing.HealthRevision
	}
	return revisions
}

// touched names the revisions that an action moves.
func (s *stand) touched(action func()) []string {
	s.t.Helper()
	before := s.revisions()
	action()
	var moved []string
	for name, revision := range s.revisions() {
		if revision != before[name] {
			moved = append(moved, name)
		}
	}
	slices.Sort(moved)
	return moved
}

// audited is the audit from its beginning.
func (s *stand) audited() []cloud.AuditEntry {
	s.t.Helper()
	entries := read(s, func(r cloud.Reader) ([]cloud.AuditEntry, error) {
		return r.Audit("", cloud.AuditFilter{}, cloud.Page{})
	})
	slices.Reverse(entries)
	return entries
}

// same compares the plane's copy, without what is missing, with what a region
// has, and its link with where the region is.
func (s *stand) same(r *site) {
	s.t.Helper()
	keys := slices.Collect(maps.Keys(r.ever))
	stored := map[cloud.ObjectKey]cloud.Object{}
	missing := 0
	for key, o := range s.stored(r.name, keys...) {
		if o.MissingSince.IsZero() {
			stored[key] = o.Object
		} else {
			missing++
		}
	}
	if diff := gocmp.Diff(r.objects, stored); diff != "" {
		s.t.Errorf("the plane's copy of %s is not what it has (-region +plane):\n%s", r.name, diff)
	}
	var count int64
	for _, n := range read(s, func(tx cloud.Reader) (map[cloud.ObjectKind]int64, error) { return tx.CountObjects(r.name) }) {
		count += n
	}
	if int(count) != len(r.objects)+missing {
		s.t.Errorf("the plane has %d objects of %s, which has %d and lacks %d", count, r.name, len(r.objects), missing)
	}
	l := s.link(r.name)
	got := cloud.Link{Incarnation: l.Incarnation, AppliedSeq: l.AppliedSeq, Digest: l.Digest, Snapshot: l.Snapshot}
	want := cloud.Link{Incarnation: r.incarnation, AppliedSeq: r.seq, Digest: r.digest()}
	if diff := gocmp.Diff(want, got); diff != "" {
		s.t.Errorf("the link to %s is not where the region is (-want +got):\n%s", r.name, diff)
	}
}

// twiceStore runs each closure twice, the first time in vain, as a store may
// do; and notes what is written.
type twiceStore struct {
	cloud.Store
	mu     sync.Mutex
	writes []string
	down   error // if not nil, every use fails with it
}

var errInVain = errors.New("in vain")

func (s *twiceStore) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	if s.down != nil {
		return s.down
	}
	err := s.Store.Write(ctx, func(w cloud.Writer) error {
		if err := fn(w); err != nil {
			return err
		}
		return errInVain
	})
	if !errors.Is(err, errInVain) {
		return err
	}
	return s.Store.Write(ctx, func(w cloud.Writer) error { return fn(notingWriter{w, s}) })
}

func (s *twiceStore) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	if s.down != nil {
		return s.down
	}
	return s.Store.Read(ctx, fn)
}

// wrote returns what was written since it was asked last.
func (s *twiceStore) wrote() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	writes := s.writes
	s.writes = nil
	return writes
}

type notingWriter struct {
	cloud.Writer
	store *twiceStore
}

func (w notingWriter) note(what string) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.writes = append(w.store.writes, what)
}

func (w notingWriter) PutLink(l cloud.Link) error {
	w.note("link")
	return w.Writer.PutLink(l)
}

func (w notingWriter) PutObjects(incarnation, snapshot cloud.ID, objects []cloud.StoredObject) error {
	w.note("objects")
	return w.Writer.PutObjects(incarnation, snapshot, objects)
}

func (w notingWriter) DeleteObjects(region string, keys []cloud.ObjectKey) error {
	w.note("deletions")
	return w.Writer.DeleteObjects(region, keys)
}

func (w notingWriter) DeleteUnseen(region string, snapshot cloud.ID) ([]cloud.ID, error) {
	w.note("unseen")
	return w.Writer.DeleteUnseen(region, snapshot)
}

func (w notingWriter) HoldUnseen(region string, snapshot cloud.ID, since time.Time) ([]cloud.ID, error) {
	w.note("missing")
	return w.Writer.HoldUnseen(region, snapshot, since)
}

func (w notingWriter) TouchFleet(organizations []cloud.ID) error {
	w.note("fleet")
	return w.Writer.TouchFleet(organizations)
}

func (w notingWriter) TouchHealth() error {
	w.note("health")
	return w.Writer.TouchHealth()
}

func (w notingWriter) AppendAudit(e cloud.AuditEntry) error {
	w.note("audit")
	return w.Writer.AppendAudit(e)
}

type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// site is a region's database, and a daemon that speaks for it.
type site struct {
	s           *stand
	name        string
	incarnation cloud.ID
	seq         uint64
	objects     map[cloud.ObjectKey]cloud.Object
	buried      map[cloud.ObjectKey]uint64
	ever        map[cloud.ObjectKey]bool

	epoch   uint64
	nonce   string
	applied uint64
}

func newSite(s *stand, name string) *site {
	return &site{
		s: s, name: name, incarnation: s.newID(),
		objects: map[cloud.ObjectKey]cloud.Object{},
		buried:  map[cloud.ObjectKey]uint64{},
		ever:    map[cloud.ObjectKey]bool{},
	}
}

// clone is a copy of the database, as a backup is.
func (r *site) clone() *site {
	c := *r
	c.objects, c.buried = maps.Clone(r.objects), maps.Clone(r.buried)
	return &c
}

func (r *site) digest() (d cloud.Digest) {
	for _, o := range r.objects {
		d.Add(o)
	}
	return d
}

func instanceKey(n int) cloud.ObjectKey {
	return cloud.ObjectKey{Kind: cloud.KindInstance, ID: cloud.ID(fmt.Sprintf("0195c0de-0b1e-7000-8000-%012d", n))}
}

func clusterKey(n int) cloud.ObjectKey {
	return cloud.ObjectKey{Kind: cloud.KindCluster, ID: instanceKey(n).ID}
}

// set changes the object to a body, as the next change of the region.
func (r *site) set(key cloud.ObjectKey, report any) {
	body, err := json.Marshal(report)
	if err != nil {
		r.s.t.Fatal(err)
	}
	r.seq++
	r.objects[key] = cloud.Object{ObjectKey: key, Rev: r.seq, Body: body}
	r.ever[key] = true
	delete(r.buried, key)
}

// run gives the region the instance n, in a state, for an organization.
func (r *site) run(n int, organization cloud.ID, state cloud.InstanceState) {
	r.set(instanceKey(n), cloud.InstanceReport{
		OrganizationID: organization, ProjectID: project, Name: fmt.Sprint("n", n), State: state, Source: "engine",
	})
}

func (r *site) bury(key cloud.ObjectKey) {
	if _, ok := r.objects[key]; !ok {
		return
	}
	r.seq++
	delete(r.objects, key)
	r.buried[key] = r.seq
}

// forgetLast takes back the last change, if it made an object.
func (r *site) forgetLast() {
	maps.DeleteFunc(r.objects, func(_ cloud.ObjectKey, o cloud.Object) bool { return o.Rev == r.seq })
	r.seq--
}

func wireObject(o cloud.Object) wire.Object {
	return wire.Object{Kind: wire.Kind(o.Kind), ID: string(o.ID), Rev: o.Rev, Body: o.Body}
}

func wireDigest(d cloud.Digest) wire.Digest { return wire.Digest{Count: d.Count, Sum: d.Hex()} }

func (r *site) peer() federation.Peer {
	return federation.Peer{Region: r.name, Origin: cloud.Origin{RequestID: "request", Address: "192.0.2.1"}}
}

func (r *site) helloMessage() wire.HelloRequest {
	return wire.HelloRequest{Incarnation: string(r.incarnation), Seq: r.seq, Digest: wireDigest(r.digest())}
}

// hello says hello and takes over what the plane grants.
func (r *site) hello() wire.WelcomeNext {
	r.s.t.Helper()
	welcome, err := r.s.plane.Hello(r.s.t.Context(), r.peer(), r.helloMessage())
	if err != nil {
		r.s.t.Fatal(err)
	}
	r.epoch, r.nonce, r.applied = welcome.Epoch, welcome.Nonce, welcome.AppliedSeq
	return welcome.Next
}

// heartbeat is the message that nothing changed after what was applied.
func (r *site) heartbeat() wire.SyncRequest {
	return wire.SyncRequest{
		Epoch: r.epoch, From: r.applied, To: r.applied, Nonce: r.nonce,
		Sources: []wire.Source{{Name: "engine"}},
	}
}

// delta is the message of everything that changed after a seq.
func (r *site) delta(from uint64) wire.SyncRequest {
	m := r.heartbeat()
	m.From, m.To = from, r.seq
	for _, o := range r.objects {
		if o.Rev > from {
			m.Upserts = append(m.Upserts, wireObject(o))
		}
	}
	for key, rev := range r.buried {
		if rev > from {
			m.Tombstones = append(m.Tombstones, wire.Tombstone{Kind: wire.Kind(key.Kind), ID: string(key.ID), Rev: rev})
		}
	}
	return m
}

// send sends a sync that must be accepted.
func (r *site) send(m wire.SyncRequest) wire.SyncAnswer {
	r.s.t.Helper()
	answer, err := r.s.plane.Sync(r.s.t.Context(), r.peer(), m)
	if err != nil {
		r.s.t.Fatal(err)
	}
	r.nonce, r.applied = answer.Nonce, answer.AppliedSeq
	return answer
}

// sync brings the plane up to date by changes.
func (r *site) sync() {
	r.s.t.Helper()
	answer := r.send(r.delta(r.applied))
	want := wire.SyncAnswer{
		Outcome: wire.SyncAnswerOutcomeApplied, AppliedSeq: r.seq,
		Nonce: answer.Nonce, NextInMs: answer.NextInMs, AuditLast: answer.AuditLast,
	}
	if diff := gocmp.Diff(want, answer); diff != "" {
		r.s.t.Fatalf("the answer to a sync (-want +got):\n%s", diff)
	}
}

func (r *site) begin() cloud.ID {
	r.s.t.Helper()
	id, err := r.s.plane.BeginSnapshot(r.s.t.Context(), r.peer(), r.beginMessage())
	if err != nil {
		r.s.t.Fatal(err)
	}
	return id
}

func (r *site) beginMessage() wire.SnapshotRequest {
	return wire.SnapshotRequest{Epoch: r.epoch, Incarnation: string(r.incarnation), Seq: r.seq}
}

// page is the page of that number, of so many objects each.
func (r *site) page(number, size int) wire.SnapshotPage {
	objects := slices.SortedFunc(maps.Values(r.objects), func(a, b cloud.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	page := wire.SnapshotPage{Epoch: r.epoch}
	for _, o := range objects[min(number*size, len(objects)):min((number+1)*size, len(objects))] {
		page.Upserts = append(page.Upserts, wireObject(o))
	}
	return page
}

func (r *site) put(id cloud.ID, number int, page wire.SnapshotPage) error {
	return r.s.plane.PutPage(r.s.t.Context(), r.peer(), id, number, page)
}

func (r *site) commit(id cloud.ID, digest cloud.Digest) error {
	return r.s.plane.CommitSnapshot(r.s.t.Context(), r.peer(), id, wire.SnapshotCommit{Epoch: r.epoch, Digest: wireDigest(digest)})
}

// snapshot sends everything.
func (r *site) snapshot() {
	r.s.t.Helper()
	const size = 3
	id := r.begin()
	for number := 0; number*size < len(r.objects); number++ {
		if err := r.put(id, number, r.page(number, size)); err != nil {
			r.s.t.Fatal(err)
		}
	}
	if err := r.commit(id, r.digest()); err != nil {
		r.s.t.Fatal(err)
	}
	r.applied = r.seq
}

// refused checks that an error is a refusal with a code that says something.
func refused(t *testing.T, what string, err error, code cloud.Code) {
	t.Helper()
	if cloud.CodeOf(err) != code {
		t.Errorf("%s: got %v, want it refused as %s", what, err, code)
	}
}
