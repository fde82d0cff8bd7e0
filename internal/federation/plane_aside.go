package federation

import (
	"maps"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// gate decides which objects of a region are shown, and which are held aside.
type gate struct {
	access cloud.Access
	known  map[cloud.ID]bool // organizations that there are
	owners map[cloud.ObjectKey]string
}

// openGate reads what decides about objects of these organizations, of which
// the newcomers are not shown in their region's name yet.
func openGate(r cloud.Reader, region string, organizations map[cloud.ID]struct{}, newcomers []cloud.ObjectKey) (g gate, err error) {
	if len(organizations) == 0 {
		return g, nil
	}
	if g.access, err = r.Access(region); err != nil {
		return g, err
	}
	if g.known, err = r.KnownOrganizations(slices.Sorted(maps.Keys(organizations))); err != nil {
		return g, err
	}
	g.owners, err = r.Owners(newcomers)
	return g, err
}

// judge says why the object is held aside; "" if it is shown.
func (g gate) judge(o cloud.StoredObject) cloud.HeldReason {
	if reason := g.bars(o.OrganizationID); reason != "" {
		return reason
	}
	if g.owners[o.ObjectKey] != "" {
		return cloud.HeldForeignID
	}
	return ""
}

// bars says why the region has nothing to say of the organization; "" if it has.
func (g gate) bars(organization cloud.ID) cloud.HeldReason {
	switch {
	case !g.known[organization]:
		return cloud.HeldUnknownOrganization
	case !g.access.Admits(organization):
		return cloud.HeldDenied
	}
	return ""
}

// release shows what was held for a reason that is gone, without waiting for
// the region to say it again. It does so in a message of the region whose
// objects these are: no message waits for another region's link.
//
// It writes rows, and a row that is written counts as seen: so not while a
// snapshot is under way.
func (c *copyChange) release(w cloud.Writer, link cloud.Link) error {
	if link.Held == 0 || link.Snapshot != nil {
		return nil
	}
	freed, err := w.ReasonsGone(link.Region, maxBatch)
	if err != nil || len(freed) == 0 {
		return err
	}
	c.aside = true
	organizations := make(map[cloud.ID]struct{})
	keys := make([]cloud.ObjectKey, len(freed))
	for i, o := range freed {
		organizations[o.OrganizationID], keys[i] = struct{}{}, o.ObjectKey
	}
	gate, err := openGate(w, link.Region, organizations, keys)
	if err != nil {
		return err
	}
	for i := range freed {
		freed[i].Held = gate.judge(freed[i])
		c.touch(freed[i])
	}
	return w.PutObjects(link.Incarnation, "", freed)
}

// countAside notes in the link what of the copy is held or missing.
func countAside(r cloud.Reader, link *cloud.Link) (cloud.Aside, error) {
	aside, err := r.CountAside(link.Region)
	link.NoteAside(aside)
	return aside, err
}

// countObjects is how many objects the plane has of a region.
func countObjects(r cloud.Reader, region string) (sum int64, err error) {
	counts, err := r.CountObjects(region)
	for _, n := range counts {
		sum += n
	}
	return sum, err
}
