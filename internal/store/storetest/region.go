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
	refused(t, s, cloud.CodeConflict, "credential", func(w cloud.Writer) error {
		return w.CreateRegionCredential(credential(504, "east-1", "new"))
	})
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreateRegionCredential(credential(504, "north-1", "newer"))
	})
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
