package control

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestSlugs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Acme":                        "acme",
		"Tidal Labs":                  "tidal-labs",
		"  Tidal -- Labs, Inc. ":      "tidal-labs-inc",
		"Müller & Søn GmbH":           "muller-son-gmbh",
		"Straße":                      "strasse",
		"Ångström Ŀ":                  "angstrom-l",
		"Łódź Œuvre":                  "lodz-oeuvre",
		"CAFÉ":                        "cafe",
		"Ｆｕｌｌ　Ｗｉｄｔｈ ①":                "full-width-1",
		"株式会社":                        nameless,
		"東京 AI":                       "ai",
		"---":                         nameless,
		"🚀":                           nameless,
		"a/../b":                      "a-b",
		strings.Repeat("x", 100):      strings.Repeat("x", maxSlug-1),
		strings.Repeat("ab ", 40):     strings.Repeat("ab-", 16) + "a",
		strings.Repeat("x", 48) + "ß": strings.Repeat("x", 48),
	} {
		got := slug(in)
		if got != want {
			t.Errorf("slug(%q) is %q; want %q", in, got, want)
		}
		o := cloud.Organization{ID: "019cae00-0000-7000-8000-0000000000a1", DisplayName: in}
		for name := range namesFor(o) {
			if err := cloud.CheckName("name", name); err != nil {
				t.Errorf("%q: %v", in, err)
			}
		}
	}
}

func TestNamesFor(t *testing.T) {
	t.Parallel()
	o := cloud.Organization{ID: "019cae00-0000-7000-8000-0000000000a1", DisplayName: "Acme"}
	want := []string{"acme", "acme-2", "acme-3", "acme-4", "acme-5", "acme-6", "acme-7", "acme-8", "acme-9", "acme-0000000000a1"}
	if diff := cmp.Diff(want, slices.Collect(namesFor(o))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
