package storetest

import (
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
