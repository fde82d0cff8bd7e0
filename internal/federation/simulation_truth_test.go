package federation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// truth knows what no machine of the simulation knows: what time it is, when
// each source was really heard, and what each region's database ever held. It
// holds the plane to it.
type truth struct {
	*simulation
	keys    []cloud.ObjectKey // of everything that there may be
	heard   map[string]time.Duration
	states  map[position]cloud.Digest
	heads   map[cloud.ID]head // of each incarnation, what was changed last
	forked  map[cloud.ID]bool // incarnations of which two databases went different ways
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
	}
	for n := range simInstances {
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
}

func (t *truth) before() (v view) { return t.view(west) }

func (t *truth) view(region string) (v view) {
	t.mustRead(func(r cloud.Reader) (err error) {
		if v.link, err = r.Link(region); err != nil {
			return err
		}
		v.objects, err = r.StoredObjects(region, t.keys)
		return err
	})
	return v
}

// delivered judges what a message did. While a snapshot is under way, or owed,
// nothing disappears; else the copy is what the region had at some seq.
func (t *truth) delivered(m letter, before view) {
	after := t.view(west)
	changed := !maps.EqualFunc(before.objects, after.objects, func(a, b cloud.StoredObject) bool {
		return a.Rev == b.Rev && bytes.Equal(a.Body, b.Body)
	})
	if epoch := m.epoch(); (epoch == nil || *epoch != before.link.Epoch) && changed {
		t.fail("the plane took over what a daemon sent that is not the one it talks to: %v", m)
	}
	if after.link.Snapshot != nil {
		for key := range before.objects {
			if _, kept := after.objects[key]; !kept {
				t.fail("%s %s disappeared before the end of a snapshot, by %v", key.Kind, key.ID, m)
			}
		}
		return
	}
	if changed || before.link.Snapshot != nil || before.link.AppliedSeq != after.link.AppliedSeq {
		t.whole(after, m)
	}
}

// whole judges a copy that the plane takes for complete.
func (t *truth) whole(v view, m letter) {
	var digest cloud.Digest
	for _, o := range v.objects {
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
	same := maps.EqualFunc(list, v.objects, func(o cloud.Object, copied cloud.StoredObject) bool {
		return o.Rev == copied.Rev && bytes.Equal(o.Body, copied.Body)
	})
	if !same {
		return fmt.Errorf("the region has %v, and the plane %v", list, v.objects)
	}
	if theirs := t.view(east); len(theirs.objects) != 1 {
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

func objectsIn(db cloud.RegionStore) map[cloud.ObjectKey]cloud.Object {
	list := map[cloud.ObjectKey]cloud.Object{}
	mustReadRegion(db, func(r cloud.RegionReader) error {
		objects, err := r.Objects(cloud.ObjectKey{}, simInstances+simClusters)
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
