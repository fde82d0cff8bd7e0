package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testRegions(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	equal(t, "the region", read(t, s, func(r cloud.Reader) (cloud.Region, error) { return r.Region(west.Name) }), west)
	missing(t, s, "an unknown region", func(r cloud.Reader) (cloud.Region, error) { return r.Region("north-1") })
	pagedIn(t, s, "the regions", []cloud.Region{east, west}, func(r cloud.Region) string { return r.Name }, cloud.Reader.Regions)
	refused(t, s, cloud.CodeConflict, "west-1", func(w cloud.Writer) error {
		return w.CreateRegion(cloud.Region{Name: "west-1", URL: "https://example.com", CreatedAt: now})
	})
	equal(t, "the region after a second try", read(t, s, func(r cloud.Reader) (cloud.Region, error) { return r.Region(west.Name) }), west)

	moved := west
	moved.URL = "https://elsewhere.example.com"
	write(t, s, func(w cloud.Writer) error { return w.SetRegionURL(moved.Name, moved.URL) })
	pagedIn(t, s, "the regions after one moved", []cloud.Region{east, moved}, func(r cloud.Region) string { return r.Name }, cloud.Reader.Regions)
	refused(t, s, cloud.CodeNotFound, "north-1", func(w cloud.Writer) error { return w.SetRegionURL("north-1", moved.URL) })
}

func testRegionCredentials(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	credential := func(n int, region, secret string) cloud.RegionCredential {
		return cloud.RegionCredential{ID: id(n), Region: region, Hash: cloud.NewSecret(secret).Hash(), CreatedAt: now}
	}
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.CreateRegionCredential(credential(501, "west-1", "old")),
			w.CreateRegionCredential(credential(502, "west-1", "new")),
			w.CreateRegionCredential(credential(503, "east-1", "other")),
		)
	})
	by := func(secret string) func(cloud.Reader) (cloud.Region, error) {
		return func(r cloud.Reader) (cloud.Region, error) {
			return r.RegionByCredential(cloud.NewSecret(secret).Hash())
		}
	}
	for secret, want := range map[string]cloud.Region{"old": west, "new": west, "other": east} {
		equal(t, "the region by its credential "+secret, read(t, s, by(secret)), want)
	}
	missing(t, s, "a foreign credential", by("guess"))
	of := func(region string) []cloud.RegionCredential {
		return read(t, s, func(r cloud.Reader) ([]cloud.RegionCredential, error) { return r.RegionCredentials(region) })
	}
	equal(t, "a region's credentials", of("west-1"), []cloud.RegionCredential{credential(501, "west-1", "old"), credential(502, "west-1", "new")})
	equal(t, "the number of an unknown region's", len(of("north-1")), 0)
	refused(t, s, cloud.CodeConflict, "credential", func(w cloud.Writer) error {
		return w.CreateRegionCredential(credential(504, "east-1", "new"))
	})
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreateRegionCredential(credential(504, "north-1", "newer"))
	})

	refused(t, s, cloud.CodeNotFound, "west-1", func(w cloud.Writer) error { return w.DeleteRegionCredential("west-1", id(503)) })
	write(t, s, func(w cloud.Writer) error { return w.DeleteRegionCredential("west-1", id(501)) })
	missing(t, s, "a revoked credential", by("old"))
	equal(t, "the region by the other credential", read(t, s, by("new")), west)
	equal(t, "the region by another's", read(t, s, by("other")), east)
}

func testAccess(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	of := func(region string) cloud.Access {
		return read(t, s, func(r cloud.Reader) (cloud.Access, error) { return r.Access(region) })
	}
	check := func(what, region string, closed bool, except ...cloud.ID) {
		t.Helper()
		got := of(region)
		equal(t, what+": closed", got.Closed, closed)
		equal(t, what+": exceptions", append([]cloud.ID{}, got.Except...), append([]cloud.ID{}, except...))
	}
	check("a new region", "west-1", false)
	missing(t, s, "the access to an unknown region", func(r cloud.Reader) (cloud.Access, error) { return r.Access("north-1") })
	set := func(region string, a cloud.Access) func(cloud.Writer) error {
		return func(w cloud.Writer) error { return w.SetAccess(region, a) }
	}
	write(t, s, set("west-1", cloud.Access{Closed: true, Except: []cloud.ID{beta.ID, acme.ID}}))
	check("a closed region", "west-1", true, acme.ID, beta.ID)
	check("another region", "east-1", false)
	write(t, s, set("west-1", cloud.Access{Except: []cloud.ID{beta.ID}}))
	check("an open region", "west-1", false, beta.ID)
	refused(t, s, cloud.CodeNotFound, "north-1", set("north-1", cloud.Access{}))
	refused(t, s, cloud.CodeNotFound, "", set("west-1", cloud.Access{Except: []cloud.ID{id(1)}}))
	check("after refusals", "west-1", false, beta.ID)
}

// Lists are in the order of bytes, whatever language the database is made for.
// Fails without COLLATE "C" on PostgreSQL.
func testOrderOfBytes(t *testing.T, open func() cloud.Store) {
	s := open()
	names := []string{"a-b", "a_b", "ab", "B", "é", "Z", "a", "a.b", "~"}
	var want []cloud.Region
	for _, name := range names {
		r := cloud.Region{Name: name, CreatedAt: now}
		write(t, s, func(w cloud.Writer) error { return w.CreateRegion(r) })
		want = append(want, r)
	}
	slices.SortFunc(want, func(a, b cloud.Region) int { return strings.Compare(a.Name, b.Name) })
	pagedIn(t, s, "the regions", want, func(r cloud.Region) string { return r.Name }, cloud.Reader.Regions)
}
