package memory

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

var errClosed = errors.New("the store is closed")

// Region is a region's store. It implements cloud.RegionStore.
type Region struct {
	writing sync.Mutex // held by the one transaction that writes
	mu      sync.Mutex
	state   *regionState // replaced by every transaction, never changed
	closed  bool
}

type regionState struct {
	identity   cloud.RegionIdentity
	planeKeys  []byte
	objects    map[cloud.ObjectKey]cloud.Object
	tombstones map[cloud.ObjectKey]grave
	daemon     cloud.Daemon
	grants     map[cloud.GrantKey]cloud.KeptGrant
	granted    uint64 // the revision of the grants

	projects    map[cloud.ID]cloud.Project
	machines    map[cloud.ID]cloud.Machine
	filesystems map[cloud.ID]cloud.Filesystem
	spans       map[cloud.ID]cloud.Span
	hosts       map[string]host // what of them is taken is in the machines
	counts      map[countKey]int64
	audit       []cloud.RegionAuditEntry // by seq; never changed in place
	audited     cloud.AuditStream
}

// grave is a tombstone and when it was put up.
type grave struct {
	cloud.Tombstone
	buriedAt time.Time
}

// clone is a state of its own.
func (s *regionState) clone() *regionState {
	c := *s
	c.objects = maps.Clone(s.objects)
	c.tombstones = maps.Clone(s.tombstones)
	c.grants = maps.Clone(s.grants)
	c.projects = maps.Clone(s.projects)
	c.machines = maps.Clone(s.machines)
	c.filesystems = maps.Clone(s.filesystems)
	c.spans = maps.Clone(s.spans)
	c.hosts = maps.Clone(s.hosts)
	c.counts = maps.Clone(s.counts)
	return &c
}

var _ cloud.RegionStore = (*Region)(nil)

// NewRegion returns a store with nothing in it but its identity.
func NewRegion(incarnation cloud.ID) *Region {
	return &Region{state: &regionState{
		identity:    cloud.RegionIdentity{Incarnation: incarnation},
		objects:     map[cloud.ObjectKey]cloud.Object{},
		tombstones:  map[cloud.ObjectKey]grave{},
		grants:      map[cloud.GrantKey]cloud.KeptGrant{},
		projects:    map[cloud.ID]cloud.Project{},
		machines:    map[cloud.ID]cloud.Machine{},
		filesystems: map[cloud.ID]cloud.Filesystem{},
		spans:       map[cloud.ID]cloud.Span{},
		hosts:       map[string]host{},
		counts:      map[countKey]int64{},
	}}
}

// Clone returns a store of its own with what this one holds now.
func (s *Region) Clone() *Region {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Region{state: s.state}
}

func (s *Region) current(ctx context.Context) (*regionState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, cloud.Unavailable(errClosed)
	}
	return s.state, ctx.Err()
}

// Read implements cloud.RegionStore.
func (s *Region) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	state, err := s.current(ctx)
	if err != nil {
		return err
	}
	return fn(regionTransaction{state})
}

// Write implements cloud.RegionStore.
func (s *Region) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	before, err := s.current(ctx)
	if err != nil {
		return err
	}
	next := before.clone()
	if err := fn(regionTransaction{next}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = next
	return nil
}

// Ping implements cloud.RegionStore.
func (s *Region) Ping(ctx context.Context) error {
	_, err := s.current(ctx)
	return err
}

// Close implements cloud.RegionStore.
func (s *Region) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// regionTransaction implements cloud.RegionWriter.
type regionTransaction struct{ *regionState }

func (t regionTransaction) Identity() (cloud.RegionIdentity, error) { return t.identity, nil }

func (t regionTransaction) Object(key cloud.ObjectKey) (cloud.Object, error) {
	o, ok := t.objects[key]
	if !ok {
		return o, cloud.NotFound("the region has no %s of that id", key.Kind)
	}
	return o, nil
}

func (t regionTransaction) Objects(after cloud.ObjectKey, limit int) ([]cloud.Object, error) {
	list := selected(t.objects, func(o cloud.Object) bool { return compareKeys(o.ObjectKey, after) > 0 })
	slices.SortFunc(list, func(a, b cloud.Object) int { return compareKeys(a.ObjectKey, b.ObjectKey) })
	return first(list, limit), nil
}

func (t regionTransaction) Changes(after uint64, limit int) ([]cloud.Object, []cloud.Tombstone, error) {
	objects := selected(t.objects, func(o cloud.Object) bool { return o.Rev > after })
	slices.SortFunc(objects, func(a, b cloud.Object) int { return cmp.Compare(a.Rev, b.Rev) })
	var tombstones []cloud.Tombstone
	for _, g := range t.graves() {
		if g.Rev > after {
			tombstones = append(tombstones, g.Tombstone)
		}
	}
	for len(objects)+len(tombstones) > limit {
		o, s := len(objects), len(tombstones)
		if s == 0 || o > 0 && objects[o-1].Rev > tombstones[s-1].Rev {
			objects = objects[:o-1]
		} else {
			tombstones = tombstones[:s-1]
		}
	}
	return objects, tombstones, nil
}

func (t regionTransaction) CountObjects() (map[cloud.ObjectKind]int64, error) {
	counts := map[cloud.ObjectKind]int64{}
	for key := range t.objects {
		counts[key.Kind]++
	}
	return counts, nil
}

func (t regionTransaction) SetIdentity(id cloud.RegionIdentity) error {
	if err := fits(id.Seq, id.Floor); err != nil {
		return err
	}
	t.identity = id
	return nil
}

func (t regionTransaction) PutObject(o cloud.Object) error {
	if err := fits(o.Rev); err != nil {
		return err
	}
	for key, other := range t.objects {
		if other.Rev == o.Rev && key != o.ObjectKey {
			return cloud.Conflict("%s %s has this rev already", key.Kind, key.ID)
		}
	}
	t.objects[o.ObjectKey] = o
	delete(t.tombstones, o.ObjectKey)
	return nil
}

func (t regionTransaction) BuryObject(stone cloud.Tombstone, at time.Time) error {
	if err := fits(stone.Rev); err != nil {
		return err
	}
	if _, err := t.Object(stone.ObjectKey); err != nil {
		return err
	}
	delete(t.objects, stone.ObjectKey)
	t.tombstones[stone.ObjectKey] = grave{stone, stored(at)}
	return nil
}

// graves lists all by rev.
func (t regionTransaction) graves() []grave {
	list := slices.Collect(maps.Values(t.tombstones))
	slices.SortFunc(list, func(a, b grave) int { return cmp.Compare(a.Rev, b.Rev) })
	return list
}

func (t regionTransaction) PruneTombstones(upTo uint64, since time.Time) (floor uint64, err error) {
	if err := fits(upTo); err != nil {
		return 0, err
	}
	for _, g := range t.graves() {
		if g.Rev > upTo || !g.buriedAt.Before(since) {
			break
		}
		floor = g.Rev
		delete(t.tombstones, g.ObjectKey)
	}
	return floor, nil
}

func (t regionTransaction) Daemon() (cloud.Daemon, error) { return t.daemon, nil }

func (t regionTransaction) BeginDaemon(holder cloud.ID) error {
	t.daemon = cloud.Daemon{Holder: holder}
	return nil
}

func (t regionTransaction) FenceDaemon(holder cloud.ID, at time.Time) error {
	if t.daemon.Holder == holder {
		t.daemon.FencedAt = stored(at)
	}
	return nil
}

func (t regionTransaction) Grants(since time.Time) ([]cloud.KeptGrant, error) {
	list := selected(t.grants, func(g cloud.KeptGrant) bool { return !g.AskedAt.Before(since) })
	slices.SortFunc(list, func(a, b cloud.KeptGrant) int { return a.AskedAt.Compare(b.AskedAt) })
	return list, nil
}

func (t regionTransaction) GrantRevision() (uint64, error) { return t.granted, nil }

func (t regionTransaction) PutGrant(g cloud.KeptGrant) error {
	g.AskedAt = stored(g.AskedAt)
	t.grants[g.GrantKey] = g
	return nil
}

func (t regionTransaction) DeleteGrant(key cloud.GrantKey) error {
	delete(t.grants, key)
	return nil
}

func (t regionTransaction) DeleteGrantsBefore(since time.Time) error {
	maps.DeleteFunc(t.grants, func(_ cloud.GrantKey, g cloud.KeptGrant) bool { return g.AskedAt.Before(since) })
	return nil
}

func (t regionTransaction) SetGrantRevision(revision uint64) error {
	if err := fits(revision); err != nil {
		return err
	}
	t.granted = revision
	return nil
}

// compareKeys orders by kind and then id.
func compareKeys(a, b cloud.ObjectKey) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}

func selected[K comparable, V any](m map[K]V, want func(V) bool) []V {
	list := make([]V, 0, len(m))
	for _, v := range m {
		if want(v) {
			list = append(list, v)
		}
	}
	return list
}

// first is the beginning of a list; a limit of 0 takes all of it.
func first[V any](list []V, limit int) []V {
	if limit <= 0 {
		return list
	}
	return list[:min(limit, len(list))]
}

// fits refuses counters that no database can hold.
func fits(counters ...uint64) error {
	for _, n := range counters {
		if n > math.MaxInt64 {
			return cloud.Invalid("a seq, rev or epoch must be below 2^63; got %d", n)
		}
	}
	return nil
}
