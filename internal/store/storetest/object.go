package storetest

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func object(kind cloud.ObjectKind, n int, rev uint64, body string) cloud.Object {
	return cloud.Object{ObjectKey: cloud.ObjectKey{Kind: kind, ID: id(n)}, Rev: rev, Body: []byte(body)}
}

func digestOf(objects ...cloud.Object) cloud.Digest {
	var d cloud.Digest
	for _, o := range objects {
		d.Add(o)
	}
	return d
}

// instance and cluster make an object as west-1 reported it, and what the
// plane makes of it.
func instance(t *testing.T, n int, organization, project cloud.ID) (cloud.StoredObject, cloud.Instance) {
	report := cloud.InstanceReport{
		OrganizationID: organization, ProjectID: project, Name: "worker", Type: "8xH100",
		State: cloud.InstanceRunning, Image: "ubuntu-24.04", Source: "engine",
	}
	o := stored(t, cloud.KindInstance, n, organization, project, string(report.State), report)
	return o, cloud.Instance{ID: o.ID, Region: o.Region, InstanceReport: report, StateSince: o.StateSince, UpdatedAt: o.UpdatedAt}
}

func cluster(t *testing.T, n int, organization, project cloud.ID) (cloud.StoredObject, cloud.Cluster) {
	report := cloud.ClusterReport{
		OrganizationID: organization, ProjectID: project, Name: "train", Type: cloud.ClusterSlurm, Source: "prober",
	}
	o := stored(t, cloud.KindCluster, n, organization, project, report.State(), report)
	return o, cloud.Cluster{ID: o.ID, Region: o.Region, ClusterReport: report, StateSince: o.StateSince, UpdatedAt: o.UpdatedAt}
}

func stored(t *testing.T, kind cloud.ObjectKind, n int, organization, project cloud.ID, state string, report any) cloud.StoredObject {
	t.Helper()
	body, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	return cloud.StoredObject{
		Object: object(kind, n, 1, string(body)), Region: "west-1",
		OrganizationID: organization, ProjectID: project,
		State: state, StateSince: now.Add(-time.Minute), UpdatedAt: now,
	}
}

func put(incarnation, snapshot cloud.ID, objects ...cloud.StoredObject) func(cloud.Writer) error {
	return func(w cloud.Writer) error { return w.PutObjects(incarnation, snapshot, objects) }
}

func testObjects(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	i1, one := instance(t, 1, acme.ID, alpha)
	i2, two := instance(t, 2, acme.ID, gamma)
	i3, three := instance(t, 3, acme.ID, alpha)
	i4, _ := instance(t, 4, beta.ID, alpha)
	c1, first := cluster(t, 1, acme.ID, alpha)
	c2, second := cluster(t, 2, acme.ID, gamma)
	i3.Region, three.Region = "east-1", "east-1"
	write(t, s, put(id(601), "", c2, i3, i1, i4, c1, i2))

	instances := func(organization, project cloud.ID) func(cloud.Reader, cloud.Page) ([]cloud.Instance, error) {
		return func(r cloud.Reader, p cloud.Page) ([]cloud.Instance, error) {
			return r.Instances(organization, project, p)
		}
	}
	clusters := func(organization, project cloud.ID) func(cloud.Reader, cloud.Page) ([]cloud.Cluster, error) {
		return func(r cloud.Reader, p cloud.Page) ([]cloud.Cluster, error) {
			return r.Clusters(organization, project, p)
		}
	}
	ofInstance := func(i cloud.Instance) string { return string(i.ID) }
	ofCluster := func(c cloud.Cluster) string { return string(c.ID) }
	pagedIn(t, s, "the instances", []cloud.Instance{one, two, three}, ofInstance, instances(acme.ID, ""))
	pagedIn(t, s, "the instances of a project", []cloud.Instance{one, three}, ofInstance, instances(acme.ID, alpha))
	pagedIn(t, s, "the instances of an unknown project", nil, ofInstance, instances(acme.ID, id(1)))
	pagedIn(t, s, "the clusters", []cloud.Cluster{first, second}, ofCluster, clusters(acme.ID, ""))
	pagedIn(t, s, "the clusters of a project", []cloud.Cluster{second}, ofCluster, clusters(acme.ID, gamma))
	pagedIn(t, s, "the clusters of a stranger", nil, ofCluster, clusters(beta.ID, ""))

	get := func(organization, id cloud.ID) func(cloud.Reader) (cloud.Instance, error) {
		return func(r cloud.Reader) (cloud.Instance, error) { return r.Instance(organization, id) }
	}
	equal(t, "the instance", read(t, s, get(acme.ID, two.ID)), two)
	missing(t, s, "an instance of another organization", get(beta.ID, two.ID))
	missing(t, s, "an unknown instance", get(acme.ID, id(9)))
	counts := func(region string) map[cloud.ObjectKind]int64 {
		return read(t, s, func(r cloud.Reader) (map[cloud.ObjectKind]int64, error) { return r.CountObjects(region) })
	}
	equal(t, "the counts", counts("west-1"), map[cloud.ObjectKind]int64{cloud.KindInstance: 3, cloud.KindCluster: 2})
	equal(t, "the number of kinds of nothing", len(counts("north-1")), 0)

	// An instance moves on, to another project too.
	i2.Rev, i2.ProjectID, i2.State, i2.UpdatedAt = 99, alpha, "error", now.Add(time.Minute)
	two.ProjectID, two.State, two.UpdatedAt = alpha, cloud.InstanceError, i2.UpdatedAt
	body, err := json.Marshal(two.InstanceReport)
	if err != nil {
		t.Fatal(err)
	}
	i2.Body = body
	write(t, s, put(id(602), "", i2))
	equal(t, "the instance after a change", read(t, s, get(acme.ID, two.ID)), two)
	pagedIn(t, s, "the instances of its new project", []cloud.Instance{one, two, three}, ofInstance, instances(acme.ID, alpha))

	write(t, s, func(w cloud.Writer) error {
		return w.DeleteObjects("west-1", []cloud.ObjectKey{i1.ObjectKey, i3.ObjectKey, {Kind: cloud.KindInstance, ID: id(9)}})
	})
	pagedIn(t, s, "the instances after a deletion", []cloud.Instance{two, three}, ofInstance, instances(acme.ID, ""))
	pagedIn(t, s, "the clusters after a deletion of an instance of their id", []cloud.Cluster{first, second}, ofCluster, clusters(acme.ID, ""))
}

func testObjectsAreKeptAsReported(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	objects := []cloud.Object{
		object(cloud.KindInstance, 1, 1, `{ "name" :	"spaced\u00e9", "b": 1.0, "a": 1e2 }`),
		object(cloud.KindInstance, 2, math.MaxInt64, `{"name":"☂ ünïcödé"}`+"\n"),
		object(cloud.KindCluster, 1, 3, ``),
	}
	keys := []cloud.ObjectKey{{Kind: cloud.KindCluster, ID: id(2)}}
	all := make([]cloud.StoredObject, len(objects))
	want := map[cloud.ObjectKey]cloud.StoredObject{}
	for i, o := range objects {
		all[i] = cloud.StoredObject{Object: o, Region: "west-1", OrganizationID: acme.ID, ProjectID: alpha, State: "up", StateSince: now, UpdatedAt: now}
		keys = append(keys, o.ObjectKey)
		want[o.ObjectKey] = all[i]
	}
	write(t, s, put(id(601), "", all...))
	of := func(region string) map[cloud.ObjectKey]cloud.StoredObject {
		return read(t, s, func(r cloud.Reader) (map[cloud.ObjectKey]cloud.StoredObject, error) {
			return r.StoredObjects(region, keys)
		})
	}
	got := of("west-1")
	equal(t, "what is stored", got, want)
	equal(t, "the number of what another region has", len(of("east-1")), 0)

	// The copy sums up to the same digest, and to none when taken apart.
	var copied cloud.Digest
	for _, o := range got {
		copied.Add(o.Object)
	}
	equal(t, "the digest of the copy", copied, digestOf(objects...))
	for _, o := range objects {
		copied.Remove(o)
	}
	equal(t, "the digest of nothing", copied, cloud.Digest{})

	over := cloud.StoredObject{Object: object(cloud.KindInstance, 3, math.MaxInt64+1, "{}"), Region: "west-1"}
	refused(t, s, cloud.CodeInvalid, "9223372036854775808", put(id(601), "", over))
	refused(t, s, cloud.CodeNotFound, "", put(id(601), "", cloud.StoredObject{
		Object: object(cloud.KindInstance, 4, 1, "{}"), Region: "north-1",
	}))
}

func testObjectsHeld(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	i1, _ := instance(t, 1, acme.ID, alpha)
	c1, _ := cluster(t, 2, acme.ID, alpha)
	i1.Held, c1.Held = cloud.HeldForeignID, cloud.HeldForeignID
	write(t, s, put(id(601), "", i1, c1))

	missing(t, s, "a held instance", func(r cloud.Reader) (cloud.Instance, error) { return r.Instance(acme.ID, i1.ID) })
	for _, project := range []cloud.ID{"", alpha} {
		equal(t, "the number of held instances in a list", len(read(t, s, func(r cloud.Reader) ([]cloud.Instance, error) {
			return r.Instances(acme.ID, project, cloud.Page{})
		})), 0)
		equal(t, "the number of held clusters in a list", len(read(t, s, func(r cloud.Reader) ([]cloud.Cluster, error) {
			return r.Clusters(acme.ID, project, cloud.Page{})
		})), 0)
	}
	equal(t, "the owner of a held id", ownerOf(t, s, i1.ObjectKey), "")
	equal(t, "what the plane has of it", read(t, s, func(r cloud.Reader) (map[cloud.ObjectKey]cloud.StoredObject, error) {
		return r.StoredObjects("west-1", []cloud.ObjectKey{i1.ObjectKey})
	}), map[cloud.ObjectKey]cloud.StoredObject{i1.ObjectKey: i1})
	equal(t, "the counts", read(t, s, func(r cloud.Reader) (map[cloud.ObjectKind]int64, error) { return r.CountObjects("west-1") }),
		map[cloud.ObjectKind]int64{cloud.KindInstance: 1, cloud.KindCluster: 1})
}

// ownerOf is the region in whose name an id is shown, "" if none is.
func ownerOf(t *testing.T, s cloud.Store, key cloud.ObjectKey) string {
	t.Helper()
	return read(t, s, func(r cloud.Reader) (map[cloud.ObjectKey]string, error) {
		return r.Owners([]cloud.ObjectKey{key})
	})[key]
}

// An id is shown in the name of one region, and in that of another once the
// first has let go of it.
func testForeignObjects(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	mine, _ := instance(t, 1, acme.ID, alpha)
	theirs, _ := instance(t, 1, beta.ID, gamma)
	theirs.Region = "east-1"
	owner := func() string { return ownerOf(t, s, mine.ObjectKey) }
	equal(t, "the owner of an unknown id", owner(), "")
	write(t, s, put(id(601), "", mine))
	equal(t, "the owner", owner(), "west-1")

	refused(t, s, cloud.CodeConflict, "", put(id(602), "", theirs))
	theirs.Held = cloud.HeldForeignID
	write(t, s, put(id(602), "", theirs))
	equal(t, "the owner after another's claim", owner(), "west-1")

	write(t, s, func(w cloud.Writer) error { return w.DeleteObjects("west-1", []cloud.ObjectKey{mine.ObjectKey}) })
	equal(t, "the owner after the first let go", owner(), "")
	theirs.Held = ""
	write(t, s, put(id(602), "", theirs))
	equal(t, "the new owner", owner(), "east-1")
}

// Three generations of objects, of which the last snapshot saw some.
func testSnapshots(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	kept, _ := instance(t, 1, acme.ID, alpha)
	lost, _ := instance(t, 2, beta.ID, alpha)
	lostToo, _ := instance(t, 3, beta.ID, alpha)
	lostCluster, _ := cluster(t, 4, acme.ID, alpha)
	fresh, _ := instance(t, 5, acme.ID, alpha)
	elsewhere, _ := instance(t, 6, beta.ID, alpha)
	elsewhere.Region = "east-1"
	write(t, s, put(id(601), "", kept, lost))
	write(t, s, put(id(602), id(611), lostToo, lostCluster, elsewhere))
	write(t, s, put(id(603), id(612), kept, fresh))

	unseen := func() (organizations []cloud.ID) {
		write(t, s, func(w cloud.Writer) (err error) {
			organizations, err = w.DeleteUnseen("west-1", id(612))
			return err
		})
		return organizations
	}
	equal(t, "who lost something", unseen(), []cloud.ID{acme.ID, beta.ID})
	keys := []cloud.ObjectKey{kept.ObjectKey, lost.ObjectKey, lostToo.ObjectKey, lostCluster.ObjectKey, fresh.ObjectKey, elsewhere.ObjectKey}
	has := func(region string) map[cloud.ObjectKey]cloud.StoredObject {
		return read(t, s, func(r cloud.Reader) (map[cloud.ObjectKey]cloud.StoredObject, error) {
			return r.StoredObjects(region, keys)
		})
	}
	equal(t, "what is left", has("west-1"), map[cloud.ObjectKey]cloud.StoredObject{kept.ObjectKey: kept, fresh.ObjectKey: fresh})
	equal(t, "what another region has", has("east-1"), map[cloud.ObjectKey]cloud.StoredObject{elsewhere.ObjectKey: elsewhere})
	equal(t, "how many lost something the second time", len(unseen()), 0)
}
