package federation

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// copyChange is what one message changes in the plane's copy of a region,
// worked out before it is written.
type copyChange struct {
	put     []cloud.StoredObject
	removed []cloud.Object // what counted before, in the place of put or deleted
	held    []cloud.StoredObject
	aside   bool                  // it concerns objects that are held or missing
	touched map[cloud.ID]struct{} // organizations whose lists look different
}

func newChange() copyChange { return copyChange{touched: make(map[cloud.ID]struct{})} }

func (c *copyChange) touch(o cloud.StoredObject) {
	if o.Held == "" { // nobody sees the others
		c.touched[o.OrganizationID] = struct{}{}
	}
}

// replace takes note of an object that is replaced or deleted. One that is
// missing counts no longer among what the region has.
func (c *copyChange) replace(old cloud.StoredObject) {
	if old.MissingSince.IsZero() {
		c.removed = append(c.removed, old.Object)
	}
	c.aside = c.aside || old.Held != "" || !old.MissingSince.IsZero()
}

// organizations lists those whose lists look different, in their order.
func (c *copyChange) organizations() []cloud.ID {
	return slices.Sorted(maps.Keys(c.touched))
}

// newState works out what upserts and tombstones make of the copy.
//
// In a snapshot an object that reads as before is unchanged, whatever its rev:
// a snapshot says what there is and not what happened, and revs of different
// incarnations do not compare. So a region that renews its incarnation moves
// nobody's updated_at.
func newState(r cloud.Reader, region string, now time.Time, upserts []upsert, tombstones []cloud.ObjectKey, snapshot bool) (copyChange, error) {
	c := newChange()
	keys := slices.Clone(tombstones)
	for _, u := range upserts {
		keys = append(keys, u.ObjectKey)
	}
	stored, err := r.StoredObjects(region, keys)
	if err != nil {
		return c, err
	}
	for _, key := range tombstones {
		if old, ok := stored[key]; ok {
			c.replace(old)
			c.touch(old)
		}
	}
	organizations := make(map[cloud.ID]struct{})
	for _, u := range upserts {
		organizations[u.organization] = struct{}{}
	}
	gate, err := openGate(r, region, organizations, newcomers(upserts, stored))
	if err != nil {
		return c, err
	}
	for _, u := range upserts {
		o := cloud.StoredObject{
			Object:         u.Object,
			Region:         region,
			OrganizationID: u.organization,
			ProjectID:      u.project,
			State:          u.state,
			StateSince:     now,
			UpdatedAt:      now,
		}
		old, known := stored[u.ObjectKey]
		o.Held = gate.judge(o)
		if o.Held != "" && old.Held == "" {
			c.held = append(c.held, o)
		}
		c.aside = c.aside || o.Held != ""
		if known {
			c.replace(old)
			if old.State == o.State {
				o.StateSince = old.StateSince
			}
		}
		if snapshot && known && bytes.Equal(old.Body, o.Body) {
			o.UpdatedAt = old.UpdatedAt
			if old.Held != o.Held || !old.MissingSince.IsZero() {
				c.touch(o)
				c.touch(old)
			}
		} else {
			if known {
				c.touch(old) // it may have been another organization's
			}
			c.touch(o)
		}
		c.put = append(c.put, o)
	}
	return c, nil
}

// newcomers lists the objects that are not shown in their region's name yet. An
// id belongs to the region that reported it first: those that have an owner
// already are to be held aside.
func newcomers(upserts []upsert, stored map[cloud.ObjectKey]cloud.StoredObject) []cloud.ObjectKey {
	var keys []cloud.ObjectKey
	for _, u := range upserts {
		if old, known := stored[u.ObjectKey]; !known || old.Held != "" {
			keys = append(keys, u.ObjectKey)
		}
	}
	return keys
}
