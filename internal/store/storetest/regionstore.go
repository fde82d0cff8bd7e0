package storetest

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// TestRegionStore runs the suite of cloud.RegionStore. create makes an empty
// database, and what it returns opens that database, again each time it is
// called, with newIncarnation for what a new one is called.
func TestRegionStore(t *testing.T, create func(t *testing.T) (open func(newIncarnation func() cloud.ID) cloud.RegionStore)) {
	for name, test := range map[string]func(*testing.T, func() cloud.RegionStore){
		"Audit":             testRegionAudit,
		"AuditStream":       testRegionAuditStream,
		"Changes":           testRegionChanges,
		"Closed":            testRegionClosed,
		"Daemon":            testRegionDaemon,
		"Filesystems":       testRegionFilesystems,
		"Grants":            testRegionGrants,
		"Hosts":             testRegionHosts,
		"Identity":          testRegionIdentity,
		"Machines":          testRegionMachines,
		"MachinesAreCopies": testRegionMachinesAreCopies,
		"MachinesFail":      testRegionMachinesFail,
		"Objects":           testRegionObjects,
		"Yielding":          testRegionYielding,
		"Projects":          testRegionProjects,
		"ProjectsInUse":     testRegionProjectsInUse,
		"Quota":             testRegionQuota,
		"Race":              testRegionRace,
		"RaceBlind":         testRegionRaceBlind,
		"Room":              testRegionRoom,
		"Spans":             testRegionSpans,
		"Tombstones":        testRegionTombstones,
		"Transactions":      testRegionTransactions,
		"PlaneKeys":         testRegionPlaneKeys,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := create(t)
			n := 800
			test(t, func() cloud.RegionStore {
				s := open(func() cloud.ID { n++; return id(n) })
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
				return s
			})
		})
	}
}

func change(t *testing.T, s cloud.RegionStore, fn func(cloud.RegionWriter) error) {
	t.Helper()
	if err := s.Write(t.Context(), fn); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

func see[T any](t *testing.T, s cloud.RegionStore, fn func(cloud.RegionReader) (T, error)) T {
	t.Helper()
	var got T
	if err := s.Read(t.Context(), func(r cloud.RegionReader) (err error) {
		got, err = fn(r)
		return err
	}); err != nil {
		t.Fatalf("Read: %v", err)
	}
	return got
}

func testRegionIdentity(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	made := see(t, s, cloud.RegionReader.Identity)
	equal(t, "a new identity", made, cloud.RegionIdentity{Incarnation: made.Incarnation})
	if made.Incarnation == "" {
		t.Error("a new database has no incarnation")
	}
	want := cloud.RegionIdentity{
		Incarnation: id(850), Seq: math.MaxInt64, Floor: 41,
		Digest: digestOf(object(cloud.KindInstance, 1, 1, "{}")),
	}
	equal(t, "the identity, opened again", see(t, open(), cloud.RegionReader.Identity), made)
	change(t, s, func(w cloud.RegionWriter) error { return w.SetIdentity(want) })
	equal(t, "the identity", see(t, s, cloud.RegionReader.Identity), want)
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	s = open()
	equal(t, "the identity after a restart", see(t, s, cloud.RegionReader.Identity), want)

	for _, over := range []cloud.RegionIdentity{{Seq: math.MaxInt64 + 1}, {Floor: math.MaxInt64 + 1}} {
		err := s.Write(t.Context(), func(w cloud.RegionWriter) error { return w.SetIdentity(over) })
		wantCode(t, err, cloud.CodeInvalid, "9223372036854775808")
	}
}

func testRegionObjects(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	c1 := object(cloud.KindCluster, 9, 4, `{"a" : 1}`)
	i1 := object(cloud.KindInstance, 1, 3, `{"b":"☂"}`)
	i2 := object(cloud.KindInstance, 2, 2, ``)
	change(t, s, func(w cloud.RegionWriter) error { return first(w.PutObject(i2), w.PutObject(i1), w.PutObject(c1)) })

	get := func(key cloud.ObjectKey) func(cloud.RegionReader) (cloud.Object, error) {
		return func(r cloud.RegionReader) (cloud.Object, error) { return r.Object(key) }
	}
	equal(t, "the object", see(t, s, get(i1.ObjectKey)), i1)
	err := s.Read(t.Context(), func(r cloud.RegionReader) error {
		_, err := r.Object(cloud.ObjectKey{Kind: cloud.KindCluster, ID: i1.ID})
		return err
	})
	wantCode(t, err, cloud.CodeNotFound, "cluster")

	all := []cloud.Object{c1, i1, i2}
	for limit := 1; limit <= 4; limit++ {
		var got []cloud.Object
		var after cloud.ObjectKey
		for {
			part := see(t, s, func(r cloud.RegionReader) ([]cloud.Object, error) { return r.Objects(after, limit) })
			if len(part) > limit {
				t.Fatalf("got %d objects; want at most %d", len(part), limit)
			}
			if len(part) == 0 {
				break
			}
			got = append(got, part...)
			after = part[len(part)-1].ObjectKey
		}
		equal(t, fmt.Sprintf("the objects in pages of %d", limit), got, all)
	}
	equal(t, "the counts", see(t, s, cloud.RegionReader.CountObjects), map[cloud.ObjectKind]int64{cloud.KindInstance: 2, cloud.KindCluster: 1})

	i1.Rev, i1.Body = 5, []byte(`{"b":"changed"}`)
	change(t, s, func(w cloud.RegionWriter) error { return w.PutObject(i1) })
	equal(t, "the object after a change", see(t, s, get(i1.ObjectKey)), i1)
	change(t, s, func(w cloud.RegionWriter) error { return w.PutObject(i1) })
	equal(t, "the object after no change", see(t, s, get(i1.ObjectKey)), i1)
	err = s.Write(t.Context(), func(w cloud.RegionWriter) error {
		return w.PutObject(object(cloud.KindInstance, 3, math.MaxInt64+1, "{}"))
	})
	wantCode(t, err, cloud.CodeInvalid, "9223372036854775808")
	err = s.Write(t.Context(), func(w cloud.RegionWriter) error { return w.PutObject(object(cloud.KindInstance, 3, 5, "{}")) })
	wantCode(t, err, cloud.CodeConflict, "")
}

// changes is what Changes returns.
type changes struct {
	Objects    []cloud.Object
	Tombstones []cloud.Tombstone
}

func testRegionChanges(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	o1, o3, o5 := object(cloud.KindInstance, 1, 1, "{}"), object(cloud.KindCluster, 3, 3, "{}"), object(cloud.KindInstance, 5, 5, "{}")
	gone := object(cloud.KindInstance, 2, 2, "{}")
	goneToo := object(cloud.KindCluster, 4, 4, "{}")
	t6 := cloud.Tombstone{ObjectKey: gone.ObjectKey, Rev: 6}
	t7 := cloud.Tombstone{ObjectKey: goneToo.ObjectKey, Rev: 7}
	change(t, s, func(w cloud.RegionWriter) error {
		return first(
			w.PutObject(o1), w.PutObject(gone), w.PutObject(o3), w.PutObject(goneToo), w.PutObject(o5),
			w.BuryObject(t6, now), w.BuryObject(t7, now),
		)
	})
	o8 := object(cloud.KindInstance, 8, 8, "{}")
	change(t, s, func(w cloud.RegionWriter) error { return w.PutObject(o8) })

	for _, c := range []struct {
		after uint64
		limit int
		want  changes
	}{
		{0, 100, changes{[]cloud.Object{o1, o3, o5, o8}, []cloud.Tombstone{t6, t7}}},
		{0, 2, changes{[]cloud.Object{o1, o3}, nil}},
		{1, 3, changes{[]cloud.Object{o3, o5}, []cloud.Tombstone{t6}}},
		{5, 1, changes{nil, []cloud.Tombstone{t6}}},
		{5, 3, changes{[]cloud.Object{o8}, []cloud.Tombstone{t6, t7}}},
		{6, 2, changes{[]cloud.Object{o8}, []cloud.Tombstone{t7}}},
		{8, 2, changes{}},
		{math.MaxUint64, 2, changes{}},
	} {
		got := see(t, s, func(r cloud.RegionReader) (changes, error) {
			objects, tombstones, err := r.Changes(c.after, c.limit)
			return changes{append([]cloud.Object(nil), objects...), append([]cloud.Tombstone(nil), tombstones...)}, err
		})
		equal(t, fmt.Sprintf("the first %d changes after %d", c.limit, c.after), got, c.want)
	}
}

func testRegionTombstones(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	graves := func() []cloud.Tombstone {
		return see(t, s, func(r cloud.RegionReader) ([]cloud.Tombstone, error) {
			_, tombstones, err := r.Changes(0, 100)
			return append([]cloud.Tombstone(nil), tombstones...), err
		})
	}
	stone := func(n int) cloud.Tombstone {
		return cloud.Tombstone{ObjectKey: cloud.ObjectKey{Kind: cloud.KindInstance, ID: id(n)}, Rev: uint64(10 + n)} //nolint:gosec // n is small
	}
	change(t, s, func(w cloud.RegionWriter) error {
		for n := 1; n <= 5; n++ {
			if err := first(w.PutObject(object(cloud.KindInstance, n, uint64(n), "{}")), w.BuryObject(stone(n), now)); err != nil {
				return err
			}
		}
		return nil
	})
	equal(t, "the tombstones", graves(), []cloud.Tombstone{stone(1), stone(2), stone(3), stone(4), stone(5)})
	equal(t, "the number of kinds left", len(see(t, s, cloud.RegionReader.CountObjects)), 0)
	for what, bury := range map[string]cloud.Tombstone{
		"one that is buried": stone(1),
		"one that never was": {ObjectKey: cloud.ObjectKey{Kind: cloud.KindInstance, ID: id(99)}, Rev: 99},
	} {
		t.Run(what, func(t *testing.T) {
			err := s.Write(t.Context(), func(w cloud.RegionWriter) error { return w.BuryObject(bury, now) })
			wantCode(t, err, cloud.CodeNotFound, "instance")
		})
	}

	// Back from the grave.
	back := object(cloud.KindInstance, 2, 20, "{}")
	change(t, s, func(w cloud.RegionWriter) error { return w.PutObject(back) })
	equal(t, "the tombstones after a return", graves(), []cloud.Tombstone{stone(1), stone(3), stone(4), stone(5)})

	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	change(t, s, func(w cloud.RegionWriter) error {
		for n, at := range map[int]time.Time{6: hour(1), 7: hour(3), 8: hour(2)} { // the clock was set back
			if err := first(w.PutObject(object(cloud.KindInstance, n, uint64(n), "{}")), w.BuryObject(stone(n), at)); err != nil { //nolint:gosec // n is small
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		upTo  uint64
		since time.Time
		floor uint64
		left  []cloud.Tombstone
	}{
		{10, hour(9), 0, []cloud.Tombstone{stone(1), stone(3), stone(4), stone(5), stone(6), stone(7), stone(8)}},
		{12, hour(9), 11, []cloud.Tombstone{stone(3), stone(4), stone(5), stone(6), stone(7), stone(8)}},
		{12, hour(9), 0, []cloud.Tombstone{stone(3), stone(4), stone(5), stone(6), stone(7), stone(8)}},
		{99, now, 0, []cloud.Tombstone{stone(3), stone(4), stone(5), stone(6), stone(7), stone(8)}},
		{13, now.Add(time.Microsecond), 13, []cloud.Tombstone{stone(4), stone(5), stone(6), stone(7), stone(8)}},
		{99, hour(1), 15, []cloud.Tombstone{stone(6), stone(7), stone(8)}},
		{99, hour(3), 16, []cloud.Tombstone{stone(7), stone(8)}}, // the last follows one that stays
		{math.MaxInt64, hour(4), 18, nil},
	} {
		var floor uint64
		change(t, s, func(w cloud.RegionWriter) (err error) {
			floor, err = w.PruneTombstones(c.upTo, c.since)
			return err
		})
		what := fmt.Sprintf("up to %d, buried before %s", c.upTo, c.since.Format(time.TimeOnly))
		equal(t, "the floor "+what, floor, c.floor)
		equal(t, "the tombstones without those "+what, graves(), c.left)
	}
}

func testRegionGrants(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	grant := func(subject, organization cloud.ID, role cloud.Role, age time.Duration) cloud.KeptGrant {
		return cloud.KeptGrant{
			GrantKey: cloud.GrantKey{Subject: subject, Organization: organization},
			Grant:    cloud.Grant{Role: role, SSHKeys: []string{"ssh-ed25519 \"A\"", "☂"}, RevokedTokens: []string{"jti"}},
			AskedAt:  now.Add(-age),
		}
	}
	oldest := grant(ada.ID, acme.ID, cloud.RoleAdmin, 3*time.Hour)
	middle := grant(ada.ID, beta.ID, cloud.RoleViewer, 2*time.Hour)
	newest := grant(ben.ID, acme.ID, cloud.RoleEditor, time.Hour)
	newest.SSHKeys, newest.RevokedTokens = nil, nil
	since := func(age time.Duration) []cloud.KeptGrant {
		return see(t, s, func(r cloud.RegionReader) ([]cloud.KeptGrant, error) { return r.Grants(now.Add(-age)) })
	}
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.PutGrant(newest), w.PutGrant(oldest), w.PutGrant(middle))
	})
	equal(t, "the grants", since(3*time.Hour), []cloud.KeptGrant{oldest, middle, newest})
	equal(t, "the grants but for the oldest", since(3*time.Hour-time.Microsecond), []cloud.KeptGrant{middle, newest})

	oldest = grant(ada.ID, acme.ID, cloud.RoleViewer, 0)
	change(t, s, func(w cloud.RegionWriter) error { return w.PutGrant(oldest) })
	equal(t, "the grants after one was asked for again", since(24*time.Hour), []cloud.KeptGrant{middle, newest, oldest})
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.DeleteGrant(middle.GrantKey), w.DeleteGrant(middle.GrantKey), w.DeleteGrant(cloud.GrantKey{Subject: ada.ID}))
	})
	equal(t, "the grants without one", since(24*time.Hour), []cloud.KeptGrant{newest, oldest})
	change(t, s, func(w cloud.RegionWriter) error { return w.DeleteGrantsBefore(newest.AskedAt) })
	equal(t, "the grants that are not too old", since(24*time.Hour), []cloud.KeptGrant{newest, oldest})
	change(t, s, func(w cloud.RegionWriter) error { return w.DeleteGrantsBefore(newest.AskedAt.Add(time.Microsecond)) })
	equal(t, "the grants that are younger", since(24*time.Hour), []cloud.KeptGrant{oldest})

	list := cloud.KeptGrant{GrantKey: oldest.List(), Grant: cloud.Grant{Organizations: []cloud.ID{acme.ID, beta.ID}}, AskedAt: now.Add(time.Minute)}
	change(t, s, func(w cloud.RegionWriter) error { return w.PutGrant(list) })
	equal(t, "the grants and where one belongs", since(24*time.Hour), []cloud.KeptGrant{oldest, list})
	change(t, s, func(w cloud.RegionWriter) error { return w.DeleteGrant(list.GrantKey) })
	equal(t, "the grants without the list", since(24*time.Hour), []cloud.KeptGrant{oldest})

	equal(t, "the revision of a new database", see(t, s, cloud.RegionReader.GrantRevision), uint64(0))
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.SetGrantRevision(math.MaxInt64), w.BeginDaemon(id(861)))
	})
	equal(t, "the revision", see(t, open(), cloud.RegionReader.GrantRevision), uint64(math.MaxInt64))
	err := s.Write(t.Context(), func(w cloud.RegionWriter) error { return w.SetGrantRevision(math.MaxInt64 + 1) })
	wantCode(t, err, cloud.CodeInvalid, "9223372036854775808")
}

func testRegionDaemon(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	const nobody cloud.ID = ""
	first, second := id(861), id(862)
	for _, step := range []struct {
		what string
		do   func(cloud.RegionWriter) error
		want cloud.Daemon
	}{
		{"before the first", func(cloud.RegionWriter) error { return nil }, cloud.Daemon{}},
		{"after it began", func(w cloud.RegionWriter) error { return w.BeginDaemon(first) }, cloud.Daemon{Holder: first}},
		{"after the fence of another", func(w cloud.RegionWriter) error { return w.FenceDaemon(nobody, now) }, cloud.Daemon{Holder: first}},
		{"after its fence", func(w cloud.RegionWriter) error { return w.FenceDaemon(first, now) }, cloud.Daemon{Holder: first, FencedAt: now}},
		{"after the second began", func(w cloud.RegionWriter) error { return w.BeginDaemon(second) }, cloud.Daemon{Holder: second}},
		{"after a late fence of the first", func(w cloud.RegionWriter) error { return w.FenceDaemon(first, now) }, cloud.Daemon{Holder: second}},
		{"after the fence of the second", func(w cloud.RegionWriter) error { return w.FenceDaemon(second, now) }, cloud.Daemon{Holder: second, FencedAt: now}},
	} {
		change(t, s, step.do)
		equal(t, "the daemon "+step.what, see(t, s, cloud.RegionReader.Daemon), step.want)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	equal(t, "the daemon after a restart", see(t, open(), cloud.RegionReader.Daemon), cloud.Daemon{Holder: second, FencedAt: now})
}

func testRegionTransactions(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	o := object(cloud.KindInstance, 1, 1, "{}")
	boom := errors.New("boom")
	fail := func(end func() error) error {
		return s.Write(t.Context(), func(w cloud.RegionWriter) error {
			if err := first(w.PutObject(o), w.SetIdentity(cloud.RegionIdentity{Incarnation: id(850), Seq: 1})); err != nil {
				return err
			}
			return end()
		})
	}
	before := see(t, s, cloud.RegionReader.Identity)
	if err := fail(func() error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Write returned %v; want the closure's error", err)
	}
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v; want the closure's panic", got)
			}
		}()
		_ = fail(func() error { panic("boom") })
	}()
	equal(t, "the identity after two failures", see(t, s, cloud.RegionReader.Identity), before)
	equal(t, "the number of kinds after two failures", len(see(t, s, cloud.RegionReader.CountObjects)), 0)

	err := s.Read(t.Context(), func(r cloud.RegionReader) error {
		if _, err := r.Identity(); err != nil {
			return err
		}
		change(t, s, func(w cloud.RegionWriter) error { return w.PutObject(o) })
		objects, err := r.Objects(cloud.ObjectKey{}, 10)
		equal(t, "the number of objects in the middle of a read", len(objects), 0)
		return err
	})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	equal(t, "the objects afterwards", see(t, s, func(r cloud.RegionReader) ([]cloud.Object, error) {
		return r.Objects(cloud.ObjectKey{}, 10)
	}), []cloud.Object{o})
}

func testRegionClosed(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for what, err := range map[string]error{
		"Ping":  s.Ping(t.Context()),
		"Read":  s.Read(t.Context(), func(cloud.RegionReader) error { return nil }),
		"Write": s.Write(t.Context(), func(cloud.RegionWriter) error { return nil }),
	} {
		if cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("%s after Close: got the error %v; want %s", what, err, cloud.CodeUnavailable)
		}
	}
}
