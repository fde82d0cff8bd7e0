package soak

import (
	"slices"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]length{
		"":     {rounds: 5},
		"200x": {rounds: 200},
		"1h":   {span: time.Hour, rounds: 1},
	} {
		if got, err := parse(text, 5); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "0x", "-1x", "1.5x", "0s", "-1h", "10", "long"} {
		if got, err := parse(text, 5); err == nil {
			t.Errorf("%q: got %v; want an error", text, got)
		}
	}
}

// What a seed did, it does again, and no two rounds are alike.
func TestRounds(t *testing.T) {
	t.Setenv("PENSTOCK_TEST_SEED", "42")
	t.Setenv("PENSTOCK_TEST_SOAK", "3x")
	play := func() (numbers []uint64) {
		for n, random := range Rounds(t, 1) {
			if n != len(numbers)+1 {
				t.Errorf("round %d is called %d", len(numbers)+1, n)
			}
			numbers = append(numbers, random.Uint64())
		}
		return numbers
	}
	first, second := play(), play()
	if len(first) != 3 || !slices.Equal(first, second) {
		t.Errorf("got %v and %v; want three numbers, twice the same", first, second)
	}
	slices.Sort(first)
	if len(slices.Compact(first)) != 3 {
		t.Errorf("got %v; want three different ones", second)
	}
}
