package federation_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/test/soak"
)

// historyVariable holds a history to play again, as a failed test prints it.
const historyVariable = "PENSTOCK_TEST_HISTORY"

func silent(string, ...any) {}

// TestSoakThePictureIsTrue plays random histories of everything that may happen
// to a plane, a region and the network between them. At every moment nothing is
// called healthy that was not confirmed in time, nothing disappears but what is
// gone, and a copy that is complete is what the region had; once the link is
// quiet, it is what the region has.
func TestSoakThePictureIsTrue(t *testing.T) {
	t.Parallel()
	for _, random := range soak.Rounds(t, 1000) {
		holds(t, inMemory{}, randomHistory(random))
	}
}

// TestSoakThePictureIsTrueOnDatabases is the same on those that are used.
func TestSoakThePictureIsTrueOnDatabases(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]func(*testing.T) media{
		"SQLite":     func(t *testing.T) media { return inSQLite{t} },
		"PostgreSQL": func(t *testing.T) media { return inPostgreSQL{t} },
		"replicas":   func(t *testing.T) media { return inReplicas{inPostgreSQL{t}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, random := range soak.Rounds(t, 4) {
				t.Run(fmt.Sprint(n), func(t *testing.T) { holds(t, keep(t), randomHistory(random)) })
			}
		})
	}
}

// holds plays a history, and if it fails, the shortest one that still does.
func holds(t *testing.T, m media, h history) {
	t.Helper()
	if err := newSimulation(m, "", silent).play(h); err == nil {
		return
	}
	h = shrink(h, func(h history) bool { return newSimulation(m, "", silent).play(h) != nil })
	t.Errorf("%v\nplay it again with %s='%v'", newSimulation(m, "", silent).play(h), historyVariable, h)
}

// TestHistory plays one history again, message by message.
func TestHistory(t *testing.T) {
	t.Parallel()
	text := os.Getenv(historyVariable)
	if text == "" {
		t.Skipf("%s names no history", historyVariable)
	}
	h, err := parseHistory(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := newSimulation(inMemory{}, "", t.Logf).play(h); err != nil {
		t.Error(err)
	}
}

// Each guard of the protocol is there for a reason: without it some history
// fails.
func TestEveryGuardIsNeeded(t *testing.T) {
	t.Parallel()
	for _, g := range []guard{guardNonce, guardEpoch, guardDigest, guardRev, guardGap, guardCommit, guardLoss, guardGate} {
		t.Run(string(g), func(t *testing.T) {
			t.Parallel()
			fails := func(h history) bool { return newSimulation(inMemory{}, g, silent).play(h) != nil }
			const enough = 20_000
			for seed := range uint64(enough) {
				if h := randomHistory(rand.New(rand.NewPCG(seed, 0))); fails(h) {
					h = shrink(h, fails)
					t.Logf("history %d, and shortest: %v\n%v", seed, newSimulation(inMemory{}, g, silent).play(h), h)
					return
				}
			}
			t.Errorf("none of %d histories fails without it", enough)
		})
	}
}

// So is that of the audit, but what shows it comes together too seldom: the plane
// is put back, and before the region learns of it, a message arrives once more
// that builds on what the plane has lost.
func TestTheGuardOfTheAuditIsNeeded(t *testing.T) {
	t.Parallel()
	h, err := parseHistory("act 0 0; pass 12 0; save-plane 0 0; act 1 0; pass 12 0; act 2 0; mishap 0 0; mishap 3 0; pass 12 0; restore-plane 0 0; deliver 0 0")
	if err != nil {
		t.Fatal(err)
	}
	if err := newSimulation(inMemory{}, "", silent).play(h); err != nil {
		t.Error(err)
	}
	err = newSimulation(inMemory{}, guardAudit, silent).play(h)
	if err == nil || !strings.Contains(err.Error(), "the plane lacks the entry") {
		t.Errorf("without the guard: %v", err)
	}
}

// What happened once happens again, at the same moments: that is what cutting
// down and playing again rely on.
func TestHistoriesEndAlike(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		h := randomHistory(rand.New(rand.NewPCG(seed, 2)))
		var played [2][]string
		for i := range played {
			trace := func(format string, args ...any) { played[i] = append(played[i], fmt.Sprint(format, args[:2])) }
			if err := newSimulation(inMemory{}, "", trace).play(h); err != nil {
				t.Errorf("%v\n%v", err, h)
			}
		}
		if diff := gocmp.Diff(played[0], played[1]); diff != "" {
			t.Fatalf("%v, first and then:\n%s", h, diff)
		}
	}
}

// A history is played from its text as from its seed.
func TestHistoriesAreText(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		h := randomHistory(rand.New(rand.NewPCG(seed, 1)))
		again, err := parseHistory(h.String())
		if err != nil || again.String() != h.String() {
			t.Fatalf("got %v, %v; want %v", again, err, h)
		}
	}
	for _, text := range []string{"", "put", "put 1", "put x 2", "fly 1 2"} {
		if h, err := parseHistory(text); err == nil {
			t.Errorf("%q is read as %v", text, h)
		}
	}
}
