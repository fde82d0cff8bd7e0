package region

import (
	"fmt"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestRevisionSaysNothingDuringAChange(t *testing.T) {
	t.Parallel()
	var s revisionSlot
	first := s.now()
	if first == 0 || s.now() != first {
		t.Errorf("at rest it is %d and then %d", first, s.now())
	}
	var one, two touched
	one.begin(&s)
	one.begin(&s) // the transaction runs again
	two.begin(&s)
	one.end()
	if got := s.now(); got != 0 {
		t.Errorf("while one of two is under way it is %d", got)
	}
	two.end()
	if got := s.now(); got == 0 || got == first {
		t.Errorf("after the changes it is %d; before it was %d", got, first)
	}
}

func TestOwnersAreBounded(t *testing.T) {
	t.Parallel()
	var o owners
	for n := range 3 * mostOwners {
		id := cloud.ID(fmt.Sprint(n))
		o.put(id, "acme", 7)
		if got, ok := o.get(id, 7); got != "acme" || !ok {
			t.Fatalf("what was just put is %q, %v", got, ok)
		}
		if len(o.of) > mostOwners {
			t.Fatalf("%d are remembered", len(o.of))
		}
	}
	o.put("p", "acme", 7)
	o.put("q", "acme", 0)
	for id, now := range map[cloud.ID]Revision{"p": 8, "q": 0, "r": 7} {
		if _, ok := o.get(id, now); ok {
			t.Errorf("the owner of %s is known as of %d", id, now)
		}
	}
}
