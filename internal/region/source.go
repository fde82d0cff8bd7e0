package region

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// MaxSources is how many sources a region keeps in mind; over that, the one
// that was silent for the longest is forgotten.
const MaxSources = 10_000

// Heard notes that a source lives, with nothing new to say. Silence is how the
// plane learns that a host is lost, so who was not heard must not be claimed to
// be. CodeInvalid if the name is empty, too long or not printable.
func (r *Region) Heard(source string) error {
	if err := checkSource(source); err != nil {
		return err
	}
	r.note(source, r.now())
	return nil
}

// Sources returns how long ago each source was last heard. A source that was
// not heard since this process started is not among them: what is not known
// is not said.
func (r *Region) Sources() map[string]time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	ages := make(map[string]time.Duration, len(r.heard))
	for source, at := range r.heard {
		ages[source] = max(0, now.Sub(at))
	}
	return ages
}

func (r *Region) note(source string, at time.Time) {
	if r.noteHeard(source, at) {
		r.announce() // until the plane is told, it does not believe what the source said before
	}
}

// noteHeard tells whether the source was not among those that were heard.
func (r *Region) noteHeard(source string, at time.Time) (fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.heard[source]
	if known && before.After(at) {
		return false
	}
	if !known && len(r.heard) >= MaxSources {
		r.forgetOldest()
	}
	r.heard[source] = at
	return !known
}

func (r *Region) forgetOldest() {
	var oldest string
	var since time.Time
	for source, at := range r.heard {
		if oldest == "" || at.Before(since) {
			oldest, since = source, at
		}
	}
	delete(r.heard, oldest)
}

func checkSource(source string) error {
	if source == "" || len(source) > engine.MaxSourceName {
		return cloud.Invalid("the name of a source has 1 to %d bytes; got %d", engine.MaxSourceName, len(source))
	}
	if !utf8.ValidString(source) || strings.ContainsFunc(source, unicode.IsControl) {
		return cloud.Invalid("the name of a source is printable; got %q", source)
	}
	return nil
}
