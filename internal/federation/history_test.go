package federation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// history is what happens, in order, to a plane, its region, and the network
// between them. Whatever is left out of one, the rest makes sense: that is how
// the shortest of those that fail is found.
type history []event

// event is an operation with its arguments, whatever those mean to it.
type event struct {
	name string
	n, m int
}

func (e event) String() string { return fmt.Sprintf("%s %d %d", e.name, e.n, e.m) }

// String is the form that parseHistory reads.
func (h history) String() string {
	lines := make([]string, len(h))
	for i, e := range h {
		lines[i] = e.String()
	}
	return strings.Join(lines, "; ")
}

func parseHistory(text string) (h history, err error) {
	for line := range strings.SplitSeq(text, ";") {
		var e event
		if _, err := fmt.Sscanf(line, "%s %d %d", &e.name, &e.n, &e.m); err != nil {
			return nil, fmt.Errorf("%q is not an operation with two numbers: %w", line, err)
		}
		if !slices.ContainsFunc(operations, func(o operation) bool { return o.name == e.name }) {
			return nil, fmt.Errorf("there is no operation %q", e.name)
		}
		h = append(h, e)
	}
	return h, nil
}

// maxEvents bounds a history.
const maxEvents = 60

// randomHistory draws operations by their weights.
func randomHistory(random *rand.Rand) history {
	var sum int
	for _, o := range operations {
		sum += o.weight
	}
	h := make(history, 3+random.IntN(maxEvents-3))
	for i := range h {
		at := random.IntN(sum)
		for _, o := range operations {
			if at -= o.weight; at < 0 {
				h[i] = event{o.name, random.IntN(100), random.IntN(100)}
				break
			}
		}
	}
	return h
}

// shrink leaves out of a history what is not needed for it to fail, ever
// smaller pieces, until nothing more can go; then it makes the arguments small.
func shrink(h history, fails func(history) bool) history {
	for size := len(h) / 2; size > 0; {
		removed := false
		for from := 0; from+size <= len(h); {
			shorter := slices.Delete(slices.Clone(h), from, from+size)
			if fails(shorter) {
				h, removed = shorter, true
			} else {
				from += size
			}
		}
		if !removed || size > 1 {
			size /= 2
		}
	}
	for i := range h {
		for _, simpler := range []event{{h[i].name, 0, 0}, {h[i].name, 0, h[i].m}, {h[i].name, h[i].n, 0}} {
			changed := slices.Clone(h)
			if changed[i] = simpler; simpler != h[i] && fails(changed) {
				h = changed
				break
			}
		}
	}
	return h
}
