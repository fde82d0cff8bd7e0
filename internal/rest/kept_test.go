package rest

import (
	"strings"
	"testing"
)

// TestKeptIsBounded keeps representations of many sizes, and proves that memory
// stays bounded and that what was asked for last is what stays.
func TestKeptIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	k := NewKept[int, string](limit)
	keep := func(n, size int) {
		t.Helper()
		k.Put(n, "now", represent(t, strings.Repeat("x", size), ""))
		k.checkBooks(t)
	}
	kept := func(n int) bool { return k.Get(n, func(of string) bool { return of == "now" }) != nil }
	for n := range 100 {
		keep(n, 100*n)
		kept(0) // asked for all the time
	}
	if !kept(0) || !kept(99) || kept(50) {
		t.Errorf("kept: the one that is in use %v, the last %v, an old one %v", kept(0), kept(99), kept(50))
	}
	keep(0, 2*limit)
	if kept(0) || !kept(99) {
		t.Error("one beyond the limit is kept, or has driven out others")
	}
	keep(99, 1)
	keep(99, 5000)
	keep(99, 1)
	if !kept(99) {
		t.Error("one that was replaced is gone")
	}
	if k.Get(99, func(string) bool { return false }) != nil {
		t.Error("one that does not hold is had")
	}
}

// checkBooks counts what is kept.
func (k *Kept[K, V]) checkBooks(t *testing.T) {
	t.Helper()
	bytes := 0
	for _, e := range k.byKey {
		bytes += k.at(e).rep.Size()
	}
	if bytes != k.bytes || bytes > k.limit || len(k.byKey) != k.recent.Len() {
		t.Fatalf("%d bytes are kept, %d by the books; limit %d; %d by key, %d by use", bytes, k.bytes, k.limit, len(k.byKey), k.recent.Len())
	}
}
