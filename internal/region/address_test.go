package region_test

import (
	"net/netip"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

func TestRangesOfAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]cloud.Code{
		"10.0.0.0/8": "", "10.64.0.0/16": "", "192.168.7.0/29": "", "172.16.0.0/12": "",
		"10.0.0.0/7": cloud.CodeInvalid, "172.16.0.0/11": cloud.CodeInvalid, "192.168.7.0/30": cloud.CodeInvalid,
		"8.8.8.0/24": cloud.CodeInvalid, "fd00::/64": cloud.CodeInvalid, "0.0.0.0/0": cloud.CodeInvalid,
	} {
		_, err := region.NewReconciler(region.ReconcilerConfig{Addresses: netip.MustParsePrefix(text)})
		if cloud.CodeOf(err) != want || (err == nil) != (want == "") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	if _, err := region.NewReconciler(region.ReconcilerConfig{}); cloud.CodeOf(err) != cloud.CodeInvalid {
		t.Errorf("no range: got %v", err)
	}
}
