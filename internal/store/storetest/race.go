package storetest

import (
	"sync"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// racers is how many do the same at once.
const racers = 6

// race has several do the same at once in two processes, the nth of them with
// n, and returns what became of each.
func race(t *testing.T, open func() cloud.Store, fn func(w cloud.Writer, n int) error) []error {
	t.Helper()
	stores := []cloud.Store{open(), open()}
	errs := make([]error, racers)
	var group sync.WaitGroup
	for n := range racers {
		group.Go(func() {
			errs[n] = stores[n%len(stores)].Write(t.Context(), func(w cloud.Writer) error { return fn(w, n) })
		})
	}
	group.Wait()
	return errs
}

// win checks that as many of a race succeeded, and the others were refused with
// a code.
func win(t *testing.T, what string, errs []error, want int, code cloud.Code) {
	t.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, code, "")
	}
	if won != want {
		t.Errorf("%s: %d of %d succeeded; want %d", what, won, len(errs), want)
	}
}
