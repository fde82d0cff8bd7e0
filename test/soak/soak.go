package soak

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The variables that say how long to go on, and which random numbers to use.
const (
	lengthVariable = "PENSTOCK_TEST_SOAK"
	seedVariable   = "PENSTOCK_TEST_SEED"
)

// Rounds yields the rounds of a test, from 1, each with its random numbers:
// so many as short says unless the environment says more. It ends with the
// first round in which the test failed.
func Rounds(t *testing.T, short int) iter.Seq2[int, *rand.Rand] {
	t.Helper()
	long, err := parse(os.Getenv(lengthVariable), short)
	if err != nil {
		t.Fatalf("%s: %v", lengthVariable, err)
	}
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("again with the same random numbers: %s=%d", seedVariable, seed)
	return func(yield func(int, *rand.Rand) bool) {
		end := time.Now().Add(long.span)
		for n := 1; n <= long.rounds || time.Now().Before(end); n++ {
			if t.Failed() || !yield(n, rand.New(rand.NewPCG(seed, uint64(n)))) {
				t.Logf("ended in round %d", n)
				return
			}
		}
	}
}

// Told reports whether the test was told how long to go on, as by `make soak`.
func Told() bool { return os.Getenv(lengthVariable) != "" }

// length is how long a test goes on: the longer of the two.
type length struct {
	span   time.Duration
	rounds int
}

// parse reads a length; an empty text is the short form.
func parse(text string, short int) (length, error) {
	if text == "" {
		return length{rounds: short}, nil
	}
	if number, ok := strings.CutSuffix(text, "x"); ok {
		rounds, err := strconv.Atoi(number)
		if err != nil || rounds < 1 {
			return length{}, fmt.Errorf("%q is no number of rounds such as 200x", text)
		}
		return length{rounds: rounds}, nil
	}
	span, err := time.ParseDuration(text)
	if err != nil || span <= 0 {
		return length{}, fmt.Errorf("%q is no span such as 10m, nor a number of rounds such as 200x", text)
	}
	return length{span: span, rounds: 1}, nil
}
