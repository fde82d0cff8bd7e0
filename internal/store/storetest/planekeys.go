package storetest

import (
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testRegionPlaneKeys(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	kept := func(s cloud.RegionStore) string {
		return string(see(t, s, cloud.RegionReader.PlaneKeys))
	}
	if got := see(t, s, cloud.RegionReader.PlaneKeys); got != nil {
		t.Errorf("the keys in a new database are %q, want nil", got)
	}
	for _, document := range []string{`{"keys":"☂"}`, strings.Repeat("k", 512<<10), "{}"} {
		change(t, s, func(w cloud.RegionWriter) error { return w.SetPlaneKeys([]byte(document)) })
		equal(t, "the keys", kept(s), document)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	equal(t, "the keys after a restart", kept(open()), "{}")
}
