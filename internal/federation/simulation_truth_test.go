package federation_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// truth knows what no machine of the simulation knows: what time it is, when
// each source was really heard, and what each region's database ever held. It
// holds the plane to it.
type truth struct {
	*simulation
	keys    []cloud.ObjectKey // of everything that there may be
	heard   map[string]time.Duration
	states  map[position]cloud.Digest
	heads   map[cloud.ID]head             // of each incarnation, what was changed last
	forked  map[cloud.ID]bool             // incarnations of which two databases went different ways
	acts    map[cloud.ID]cloud.AuditEntry // that there ever was to tell
	failure error
}

// position is a place in a stream of changes.
type position struct {
	incarnation cloud.ID
	seq         uint64
}

// clockPlay is by how much the age of a source may be wrong: as far as clocks of
// one plane may differ, and as the plane may err about how far one was set back.
const clockPlay = cloud.ClockPlay + 2*control.AliveInterval

func newTruth(s *simulation) truth {
	t := truth{
		simulation: s, heard: map[string]time.Duration{},
		states: map[position]cloud.Digest{}, heads: map[cloud.ID]head{}, forked: map[cloud.ID]bool{},
		acts: map[cloud.ID]cloud.AuditEntry{},
	}
	for n := range simInstances + simFleet {
		t.keys = append(t.keys, instanceKey(n))
	}
	for n := range simClusters {
		t.keys = append(t.keys, clusterKey(n))
	}
	return t
}

func (t *truth) fail(format string, args ...any) {
	if t.failure == nil {
		t.failure = fmt.Errorf("after %v: "+format, append([]any{t.now}, args...)...)
	}
}

// head is how far some database has come, and with what.
type head struct {
	seq    uint64
	digest cloud.Digest
}

// note remembers what a daemon's database holds now. Who changes it otherwise
// than from what was there last has gone another way.
func (t *truth) note(d *daemon) {
	id := identityIn(d.db)
	before := d.noted
	if d.noted = id; before.Incarnation == id.Incarnation && before.Seq == id.Seq {
		return
	}
	if before.Incarnation == id.Incarnation && t.heads[id.Incarnation] != (head{before.Seq, before.Digest}) {
		t.forked[id.Incarnation] = true
	}
	if _, known := t.heads[id.Incarnation]; !known || before.Incarnation == id.Incarnation {
		t.heads[id.Incarnation] = head{id.Seq, id.Digest}
	}
	t.states[position{id.Incarnation, id.Seq}] = id.Digest
}

// view is what the plane has of the region.
type view struct {
	link    cloud.Link
	objects map[cloud.ObjectKey]cloud.StoredObject
	access  cloud.Access
	known   map[cloud.ID]bool // organizations
	acts    map[cloud.ID]cloud.AuditEntry
}

// reported are the objects without those that are missing.
func (v view) reported() map[cloud.ObjectKey]cloud.StoredObject {
	list := maps.Clone(v.objects)
	maps.DeleteFunc(list, func(_ cloud.ObjectKey, o cloud.StoredObject) bool { return !o.MissingSince.IsZero() })
	return list
}

// held says why an object must be held; "" if it must not.
func (v view) held(o cloud.StoredObject) cloud.HeldReason {
	switch {
	case !v.known[o.OrganizationID]:
		return cloud.HeldUnknownOrganization
	case !v.access.Admits(o.OrganizationID):
		return cloud.HeldDenied
	case o.ObjectKey == foreignKey:
		return cloud.HeldForeignID
	}
	return ""
}

func (t *truth) before() (v view) { return t.view(west) }

func (t *truth) view(region string) (v view) {
	t.mustRead(func(r cloud.Reader) (err error) {
		if v.link, err = r.Link(region); err != nil {
			return err
		}
		if v.access, err = r.Access(region); err != nil {
			return err
		}
		if v.known, err = r.KnownOrganizations([]cloud.ID{acme, bolt, stray}); err != nil {
			return err
		}
		if v.objects, err = r.StoredObjects(region, t.keys); err != nil {
			return err
		}
		v.acts, err = t.actsIn(r, region)
		return err
	})
	return v
}

// delivered judges what a message did. While a snapshot is under way, or owed,
// nothing disappears; else the copy is what the region had at some seq.
func (t *truth) delivered(m letter, before view) {
	after := t.view(west)
	changed := !maps.EqualFunc(before.objects, after.objects, func(a, b cloud.StoredObject) bool {
		return a.Rev == b.Rev && bytes.Equal(a.Body, b.Body) && a.Held == b.Held && a.MissingSince.Equal(b.MissingSince)
	})
	if epoch := m.epoch(); (epoch == nil || *epoch != before.link.Epoch) && changed {
		t.fail("the plane took over what a daemon sent that is not the one it talks to: %v", m)
	}
	t.aside(after, m)
	t.audited(before, after, m)
	if after.link.Snapshot != nil {
		for key := range before.objects {
			if _, kept := after.objects[key]; !kept {
				t.fail("%s %s disappeared before the end of a snapshot, by %v", key.Kind, key.ID, m)
			}
		}
		return
	}
	t.gone(before, after, m)
	if changed || before.link.Snapshot != nil || before.link.AppliedSeq != after.link.AppliedSeq {
		t.whole(after, m)
	}
}

// actsIn are the entries of the audit that a region reported, by their ids there.
func (t *truth) actsIn(r cloud.Reader, region string) (map[cloud.ID]cloud.AuditEntry, error) {
	acts := map[cloud.ID]cloud.AuditEntry{}
	for _, organization := range []cloud.ID{acme, bolt, stray} {
		list, err := r.Audit(organization, cloud.AuditFilter{Region: region}, cloud.Page{})
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if _, twice := acts[e.Reported.ID]; twice {
				t.fail("the entry %s of the audit is there twice", e.Reported.ID)
			}
			acts[e.Reported.ID] = e
		}
	}
	return acts, nil
}

// audited judges the audit: what is there stays, and what comes is what a region
// once said, of an organization of which it may speak, at the plane's own time.
func (t *truth) audited(before, after view, m letter) {
	for id, e := range after.acts {
		if was, known := before.acts[id]; known {
			if was != e {
				t.fail("the entry %s of the audit changed from %v to %v, by %v", id, was, e, m)
			}
			continue
		}
		if !before.known[e.OrganizationID] || !before.access.Admits(e.OrganizationID) || !e.At.Equal(t.planeNow().Truncate(time.Microsecond)) {
			t.fail("the entry %s of the audit should not be there, or not so: %v, by %v", id, e, m)
		}
		reported := e
		reported.ID, reported.At, reported.Reported = id, e.Reported.At, cloud.Reported{}
		if reported != t.acts[id] || epochOf(m) != before.link.Epoch {
			t.fail("nobody said that of the audit: %v, by %v", e, m)
		}
	}
	if len(after.acts) < len(before.acts) {
		t.fail("the audit lost something by %v", m)
	}
}

func epochOf(m letter) uint64 {
	if epoch := m.epoch(); epoch != nil {
		return *epoch
	}
	return 0
}

// toldAll says what the plane lacks of the audit of a region, of the organization
// of which it could always speak.
func (t *truth) toldAll(db cloud.RegionStore, v view) (err error) {
	mustReadRegion(db, func(r cloud.RegionReader) error {
		list := must(r.AuditEntries(acme, cloud.Page{}))
		for _, e := range list {
			if _, told := v.acts[e.ID]; !told {
				err = fmt.Errorf("the plane lacks the entry %s of the audit", e.ID)
			}
		}
		if s := must(r.AuditStream()); s.Seq != s.Reported {
			err = cmp.Or(err, fmt.Errorf("the region takes %d of %d entries for reported", s.Reported, s.Seq))
		}
		return nil
	})
	return err
}

// whole judges a copy that the plane takes for complete.
func (t *truth) whole(v view, m letter) {
	var digest cloud.Digest
	for _, o := range v.reported() {
		digest.Add(o.Object)
	}
	if digest != v.link.Digest {
		t.fail("the copy has the digest %v, and its link says %v, after %v", digest, v.link.Digest, m)
	}
	at := position{v.link.Incarnation, v.link.AppliedSeq}
	if want, known := t.states[at]; !t.forked[at.incarnation] && (!known || want != digest) {
		t.fail("the copy at %d of %s is nothing that the region had then, after %v", at.seq, at.incarnation, m)
	}
}

// gone judges what disappeared. A tombstone removes what it says. A snapshot
// removes what it lacks, unless that is too much, and what was missing already
// when it had lasted for long enough as the snapshot began.
func (t *truth) gone(before, after view, m letter) {
	var lost int64
	for key, o := range before.objects {
		_, kept := after.objects[key]
		switch {
		case kept:
		case m.sync != nil:
			said := func(s wire.Tombstone) bool { return string(s.Kind) == string(key.Kind) && s.ID == string(key.ID) }
			if !slices.ContainsFunc(m.sync.Tombstones, said) {
				t.fail("%s %s disappeared, though %v does not say so", key.Kind, key.ID, m)
			}
		case o.MissingSince.IsZero():
			lost++
		case before.link.Snapshot == nil || before.link.Snapshot.BegunAt.Sub(o.MissingSince) < cloud.GuardDelay:
			t.fail("%s %s, missing since %v, disappeared before that was confirmed, by %v", key.Kind, key.ID, o.MissingSince, m)
		}
	}
	if cloud.Guarded(lost, int64(len(before.objects))) {
		t.fail("%d of %d objects disappeared at once, by %v", lost, len(before.objects), m)
	}
}

// aside judges what is held and missing: nothing of an organization that the
// plane does not know, or that may not use the region, is shown, nothing that
// is missing is healthy, and the link counts both.
func (t *truth) aside(v view, m letter) {
	counted := v.link
	counted.Held, counted.MissingSince = 0, time.Time{}
	clock := cloud.HealthClock{Now: t.planeNow(), Policy: cloud.DefaultHealthPolicy}
	for key, o := range v.objects {
		if o.Held != "" {
			counted.Held++
		} else if held := v.held(o); held != "" {
			t.fail("%s %s is shown, which should be held as %s, after %v", key.Kind, key.ID, held, m)
		}
		if o.MissingSince.IsZero() {
			continue
		}
		if counted.MissingSince.IsZero() || o.MissingSince.Before(counted.MissingSince) {
			counted.MissingSince = o.MissingSince
		}
		if key.Kind == cloud.KindInstance {
			if h := clock.Instance(&v.link, must(cloud.NewInstance(o))).Health; h != cloud.InstanceAttention && h != cloud.InstanceOffline {
				t.fail("instance %s is missing, and %s, after %v", key.ID, h, m)
			}
		}
	}
	if v.link.Snapshot == nil && (counted.Held != v.link.Held || !counted.MissingSince.Equal(v.link.MissingSince)) {
		t.fail("%d objects are held, and some missing since %v; the link says %d and %v, after %v",
			counted.Held, counted.MissingSince, v.link.Held, v.link.MissingSince, m)
	}
}

// check judges what anybody could read from the plane now.
func (t *truth) check() {
	if t.planeAway {
		return
	}
	for n := range simSources {
		source := sourceName(n)
		heard, ever := t.heard[source]
		silent := t.now - heard
		if ever && silent <= cloud.DefaultHealthPolicy.Cluster.Stale+clockPlay {
			continue
		}
		link, clock := t.healthClock()
		instance, cluster := healthOf(&link, clock, source)
		if instance == cloud.InstanceHealthy && (!ever || silent > clock.Policy.Instance.Stale+clockPlay) {
			t.fail("an instance of %s is healthy, of which nothing was heard for %v", source, silent)
		}
		if cluster == cloud.ClusterHealthy {
			t.fail("a cluster of %s is healthy, of which nothing was heard for %v", source, silent)
		}
	}
}

func (t *truth) healthClock() (link cloud.Link, clock cloud.HealthClock) {
	clock = cloud.HealthClock{Now: t.planeNow(), Policy: cloud.DefaultHealthPolicy}
	t.mustRead(func(r cloud.Reader) error {
		plane, err := r.Plane()
		if err != nil {
			return err
		}
		clock.Outages = plane.Outages
		link, err = r.Link(west)
		return err
	})
	return link, clock
}

func healthOf(link *cloud.Link, clock cloud.HealthClock, source string) (cloud.InstanceHealth, cloud.ClusterHealth) {
	i := clock.Instance(link, cloud.Instance{InstanceReport: cloud.InstanceReport{State: cloud.InstanceRunning, Source: source}})
	c := clock.Cluster(link, cloud.Cluster{ClusterReport: cloud.ClusterReport{Source: source}})
	return i.Health, c.Health
}

// settled says what is missing once the link is quiet: one daemon is left that
// reports, the plane has what that one has, and believes it.
func (t *truth) settled() error {
	var living []*daemon
	for _, d := range t.daemons() {
		if !d.over() {
			living = append(living, d)
		}
	}
	if len(living) != 1 {
		return fmt.Errorf("%d daemons report", len(living))
	}
	id, v := identityIn(living[0].db), t.view(west)
	if v.link.Incarnation != id.Incarnation || v.link.AppliedSeq != id.Seq || v.link.Digest != id.Digest || v.link.Snapshot != nil {
		return fmt.Errorf("the link is at %d of %s with %v, snapshot %v, and the region at %d of %s with %v",
			v.link.AppliedSeq, v.link.Incarnation, v.link.Digest, v.link.Snapshot, id.Seq, id.Incarnation, id.Digest)
	}
	list := objectsIn(living[0].db)
	theirs := v.reported()
	for key, o := range v.objects {
		if !o.MissingSince.IsZero() {
			return fmt.Errorf("%s %s is missing still", key.Kind, key.ID)
		}
		if want := v.held(o); o.Held != want {
			return fmt.Errorf("%s %s is held as %q, and should be as %q", key.Kind, key.ID, o.Held, want)
		}
	}
	same := maps.EqualFunc(list, theirs, func(o cloud.Object, copied cloud.StoredObject) bool {
		return o.Rev == copied.Rev && bytes.Equal(o.Body, copied.Body)
	})
	if !same {
		return fmt.Errorf("the region has %v, and the plane %v", list, theirs)
	}
	if err := t.toldAll(living[0].db, v); err != nil {
		return err
	}
	if len(t.view(east).objects) != 1 {
		return errors.New("another region's object is gone")
	}
	link, clock := t.healthClock()
	for n := range simSources {
		if instance, cluster := healthOf(&link, clock, sourceName(n)); instance != cloud.InstanceHealthy || cluster != cloud.ClusterHealthy {
			return fmt.Errorf("what %s has is %s and %s, though it was just heard", sourceName(n), instance, cluster)
		}
	}
	return nil
}

func identityIn(db cloud.RegionStore) (id cloud.RegionIdentity) {
	mustReadRegion(db, func(r cloud.RegionReader) (err error) {
		id, err = r.Identity()
		return err
	})
	return id
}

func daemonIn(db cloud.RegionStore) (d cloud.Daemon) {
	mustReadRegion(db, func(r cloud.RegionReader) (err error) {
		d, err = r.Daemon()
		return err
	})
	return d
}

func objectsIn(db cloud.RegionStore) map[cloud.ObjectKey]cloud.Object {
	list := map[cloud.ObjectKey]cloud.Object{}
	mustReadRegion(db, func(r cloud.RegionReader) error {
		objects, err := r.Objects(cloud.ObjectKey{}, simInstances+simFleet+simClusters)
		for _, o := range objects {
			list[o.ObjectKey] = o
		}
		return err
	})
	return list
}

func mustReadRegion(db cloud.RegionStore, fn func(cloud.RegionReader) error) {
	if err := db.Read(context.Background(), fn); err != nil {
		panic(err)
	}
}
