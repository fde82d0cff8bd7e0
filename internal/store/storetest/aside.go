package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// asideOf counts what of west-1 is held or missing.
func asideOf(t *testing.T, s cloud.Store) cloud.Aside {
	t.Helper()
	return read(t, s, func(r cloud.Reader) (cloud.Aside, error) { return r.CountAside("west-1") })
}

func storedIn(t *testing.T, s cloud.Store, region string, keys ...cloud.ObjectKey) map[cloud.ObjectKey]cloud.StoredObject {
	t.Helper()
	return read(t, s, func(r cloud.Reader) (map[cloud.ObjectKey]cloud.StoredObject, error) {
		return r.StoredObjects(region, keys)
	})
}

func testAside(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	shown, _ := instance(t, 1, acme.ID, alpha)
	foreign, _ := instance(t, 2, acme.ID, alpha)
	unknown, _ := instance(t, 3, id(1), alpha)
	unknownToo, _ := cluster(t, 4, id(1), alpha)
	elsewhere, _ := instance(t, 5, beta.ID, alpha)
	foreign.Held, unknown.Held, unknownToo.Held = cloud.HeldForeignID, cloud.HeldUnknownOrganization, cloud.HeldUnknownOrganization
	elsewhere.Region, elsewhere.Held = "east-1", cloud.HeldDenied
	equal(t, "what is aside of nothing", asideOf(t, s), cloud.Aside{Held: map[cloud.HeldReason]int64{}})
	write(t, s, put(id(601), id(611), shown, foreign, unknown, unknownToo, elsewhere))
	write(t, s, func(w cloud.Writer) error {
		_, err := w.HoldUnseen("west-1", id(611), now)
		return err
	})
	equal(t, "what is aside", asideOf(t, s), cloud.Aside{
		Held: map[cloud.HeldReason]int64{cloud.HeldForeignID: 1, cloud.HeldUnknownOrganization: 2},
	})
	list := func(after cloud.ObjectKey, limit int) []cloud.StoredObject {
		return read(t, s, func(r cloud.Reader) ([]cloud.StoredObject, error) { return r.ObjectsAside("west-1", after, limit) })
	}
	equal(t, "the list", list(cloud.ObjectKey{}, 0), []cloud.StoredObject{unknownToo, foreign, unknown})
	equal(t, "its beginning", list(cloud.ObjectKey{}, 2), []cloud.StoredObject{unknownToo, foreign})
	equal(t, "its end", list(foreign.ObjectKey, 2), []cloud.StoredObject{unknown})
	equal(t, "the organizations", read(t, s, func(r cloud.Reader) ([]cloud.ID, error) { return r.OrganizationsIn("west-1") }),
		[]cloud.ID{id(1), acme.ID})
	known := func(ids ...cloud.ID) map[cloud.ID]bool {
		var got map[cloud.ID]bool
		write(t, s, func(w cloud.Writer) (err error) {
			got, err = w.KnownOrganizations(ids)
			return err
		})
		return got
	}
	equal(t, "the known organizations", known(acme.ID, id(1), beta.ID), map[cloud.ID]bool{acme.ID: true, beta.ID: true})
	equal(t, "none of none", len(known()), 0)
}

// What a region has of an organization is shown and held as the operator says,
// and an id that somebody else took meanwhile stays theirs.
func testAsideReasonsGone(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	mine, _ := instance(t, 1, acme.ID, alpha)
	taken, _ := instance(t, 2, acme.ID, alpha)
	foreign, _ := instance(t, 3, acme.ID, alpha)
	stray, _ := instance(t, 4, id(1), alpha)
	betas, _ := instance(t, 5, beta.ID, alpha)
	owner, _ := instance(t, 3, beta.ID, alpha)
	taker, _ := instance(t, 2, beta.ID, alpha)
	owner.Region, taker.Region = "east-1", "east-1"
	foreign.Held, stray.Held = cloud.HeldForeignID, cloud.HeldUnknownOrganization
	write(t, s, put(id(601), "", mine, taken, foreign, stray, betas, owner))

	var n int64
	write(t, s, func(w cloud.Writer) (err error) {
		n, err = w.DenyObjects("west-1", acme.ID)
		return err
	})
	equal(t, "the number of denied objects", int(n), 3)
	held := func() map[cloud.ID]cloud.HeldReason {
		reasons := map[cloud.ID]cloud.HeldReason{}
		for key, o := range storedIn(t, s, "west-1", mine.ObjectKey, taken.ObjectKey, foreign.ObjectKey, stray.ObjectKey, betas.ObjectKey) {
			reasons[key.ID] = o.Held
		}
		return reasons
	}
	equal(t, "why they are held then", held(), map[cloud.ID]cloud.HeldReason{
		mine.ID: cloud.HeldDenied, taken.ID: cloud.HeldDenied, foreign.ID: cloud.HeldDenied,
		stray.ID: cloud.HeldUnknownOrganization, betas.ID: "",
	})
	write(t, s, put(id(602), "", taker))
	write(t, s, func(w cloud.Writer) (err error) {
		n, err = w.AllowObjects("west-1", acme.ID)
		return err
	})
	equal(t, "the number of allowed objects", int(n), 3)
	equal(t, "why they are held at last", held(), map[cloud.ID]cloud.HeldReason{
		mine.ID: "", taken.ID: cloud.HeldForeignID, foreign.ID: cloud.HeldForeignID,
		stray.ID: cloud.HeldUnknownOrganization, betas.ID: "",
	})

	gone := func(limit int) (ids []cloud.ID) {
		for _, o := range read(t, s, func(r cloud.Reader) ([]cloud.StoredObject, error) { return r.ReasonsGone("west-1", limit) }) {
			ids = append(ids, o.ID)
		}
		return ids
	}
	equal(t, "the number of those whose reason is gone", len(gone(10)), 0)
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.DeleteObjects("east-1", []cloud.ObjectKey{owner.ObjectKey, taker.ObjectKey}),
			w.CreateOrganization(cloud.Organization{ID: id(1), Name: "adopted", CreatedAt: now}),
		)
	})
	equal(t, "those whose reason is gone", gone(10), []cloud.ID{taken.ID, foreign.ID, stray.ID})
	equal(t, "the first two", gone(2), []cloud.ID{taken.ID, foreign.ID})
	write(t, s, func(w cloud.Writer) error {
		_, err := w.HoldUnseen("west-1", id(611), now)
		return err
	})
	equal(t, "the number of those that are missing", len(gone(10)), 0)
}

func testMissing(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	seen, _ := instance(t, 1, acme.ID, alpha)
	lost, shown := instance(t, 2, acme.ID, alpha)
	lostToo, shownCluster := cluster(t, 3, beta.ID, alpha)
	later, _ := instance(t, 4, beta.ID, alpha)
	elsewhere, _ := instance(t, 5, beta.ID, alpha)
	elsewhere.Region = "east-1"
	write(t, s, put(id(601), "", seen, lost, lostToo, later, elsewhere))
	write(t, s, put(id(601), id(611), seen, later))
	count := func(snapshot cloud.ID) (n int64) {
		write(t, s, func(w cloud.Writer) (err error) {
			n, err = w.CountUnseen("west-1", snapshot)
			return err
		})
		return n
	}
	organizations := func(fn func(cloud.Writer) ([]cloud.ID, error)) (ids []cloud.ID) {
		write(t, s, func(w cloud.Writer) (err error) {
			ids, err = fn(w)
			return err
		})
		return ids
	}
	hold := func(snapshot cloud.ID, since time.Time) []cloud.ID {
		return organizations(func(w cloud.Writer) ([]cloud.ID, error) { return w.HoldUnseen("west-1", snapshot, since) })
	}
	equal(t, "how many a snapshot lacks", int(count(id(611))), 2)
	equal(t, "whose these are", hold(id(611), now), []cloud.ID{acme.ID, beta.ID})
	equal(t, "whose are held the second time", len(hold(id(611), now.Add(time.Second))), 0)
	equal(t, "how many it lacks still", int(count(id(611))), 2)
	equal(t, "what is aside", asideOf(t, s), cloud.Aside{Held: map[cloud.HeldReason]int64{}, Missing: 2, MissingSince: now})

	// They stay in the lists, marked.
	shown.MissingSince, shownCluster.MissingSince = now, now
	equal(t, "a missing instance", read(t, s, func(r cloud.Reader) (cloud.Instance, error) { return r.Instance(acme.ID, lost.ID) }), shown)
	equal(t, "its list", read(t, s, func(r cloud.Reader) ([]cloud.Instance, error) { return r.Instances(acme.ID, alpha, cloud.Page{}) })[1], shown)
	equal(t, "the list of clusters", read(t, s, func(r cloud.Reader) ([]cloud.Cluster, error) { return r.Clusters(beta.ID, "", cloud.Page{}) }),
		[]cloud.Cluster{shownCluster})
	lost.MissingSince, lostToo.MissingSince = now, now
	equal(t, "what is stored", storedIn(t, s, "west-1", lost.ObjectKey), map[cloud.ObjectKey]cloud.StoredObject{lost.ObjectKey: lost})
	equal(t, "the list of what is aside", read(t, s, func(r cloud.Reader) ([]cloud.StoredObject, error) {
		return r.ObjectsAside("west-1", cloud.ObjectKey{}, 0)
	}), []cloud.StoredObject{lostToo, lost})

	// A later snapshot lacks another one; the removal of what it lacks leaves
	// out what is missing.
	write(t, s, put(id(601), id(612), seen))
	equal(t, "whose lacks the next snapshot", hold(id(612), now.Add(time.Minute)), []cloud.ID{beta.ID})
	write(t, s, put(id(601), id(613)))
	equal(t, "whose is removed", organizations(func(w cloud.Writer) ([]cloud.ID, error) { return w.DeleteUnseen("west-1", id(613)) }), []cloud.ID{acme.ID})
	equal(t, "what is aside then", asideOf(t, s), cloud.Aside{Held: map[cloud.HeldReason]int64{}, Missing: 3, MissingSince: now})

	write(t, s, func(w cloud.Writer) error { return w.SetBackMissing("west-1", time.Hour) })
	equal(t, "since when it is after the clock was set back", asideOf(t, s).MissingSince, now.Add(-time.Hour))
	write(t, s, func(w cloud.Writer) error { return w.SetBackMissing("west-1", -time.Hour) })

	// What is put is not missing; of the rest goes what was for long enough.
	write(t, s, put(id(601), "", lost))
	deleteUntil := func(until time.Time) []cloud.ID {
		return organizations(func(w cloud.Writer) ([]cloud.ID, error) { return w.DeleteMissing("west-1", until) })
	}
	equal(t, "how many go before", len(deleteUntil(now.Add(-time.Microsecond))), 0)
	equal(t, "whose goes", deleteUntil(now), []cloud.ID{beta.ID})
	lost.MissingSince, later.MissingSince = time.Time{}, now.Add(time.Minute)
	equal(t, "what is left", storedIn(t, s, "west-1", seen.ObjectKey, lost.ObjectKey, lostToo.ObjectKey, later.ObjectKey),
		map[cloud.ObjectKey]cloud.StoredObject{lost.ObjectKey: lost, later.ObjectKey: later})
	equal(t, "what another region has", len(storedIn(t, s, "east-1", elsewhere.ObjectKey)), 1)
}
