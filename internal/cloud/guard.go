package cloud

import "time"

// The removal guard: what a snapshot lacks is gone, unless it is so much that a
// fault of the region is likelier. Then it is held as missing, and goes only
// when a second, later snapshot lacks it still, or an operator says so.
const (
	// A snapshot may lack up to guardObjects objects, and up to a guardShare-th
	// of what there was.
	guardObjects = 10
	guardShare   = 5

	// GuardDelay is how much later than the first a second snapshot must have
	// begun to confirm that an object is gone.
	GuardDelay = 5 * time.Minute
)

// Guarded reports whether a snapshot lacks too many of the objects that there
// were to be believed at once.
func Guarded(lacks, had int64) bool {
	return lacks > guardObjects && lacks > had/guardShare
}

// Confirms returns the instant up to which what has been missing is gone, if
// the snapshot lacks it still.
func (s Snapshot) Confirms() time.Time { return s.BegunAt.Add(-GuardDelay) }

// AsksAgain reports whether it is time for another snapshot, which confirms
// that what is missing is gone, or brings it back.
func (l *Link) AsksAgain(now time.Time) bool {
	return l.Snapshot == nil && !l.MissingSince.IsZero() && !now.Before(l.MissingSince.Add(GuardDelay))
}
