package storetest

import (
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// TestFleetStore runs that part of TestStore which is about regions and what
// they report, for a store that is for nothing else.
func TestFleetStore(t *testing.T, create func(t *testing.T) (open func() cloud.Store)) {
	for name, test := range map[string]func(*testing.T, func() cloud.Store){
		"Access":                   testAccess,
		"Aside":                    testAside,
		"AsideReasonsGone":         testAsideReasonsGone,
		"ForeignObjects":           testForeignObjects,
		"Issuers":                  testIssuers,
		"Links":                    testLinks,
		"LinksOutOfRange":          testLinksOutOfRange,
		"Missing":                  testMissing,
		"Objects":                  testObjects,
		"ObjectsAreKeptAsReported": testObjectsAreKeptAsReported,
		"ObjectsHeld":              testObjectsHeld,
		"Outages":                  testOutages,
		"Plane":                    testPlane,
		"RegionCredentials":        testRegionCredentials,
		"Regions":                  testRegions,
		"Snapshots":                testSnapshots,
		"TransactionFails":         testTransactionFails,
		"TransactionPanics":        testTransactionPanics,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, create(t))
		})
	}
}
