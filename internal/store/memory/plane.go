package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// outageTTL is how long after its end an outage is kept.
const outageTTL = 7 * 24 * time.Hour

// Plane is as much of the plane's store as the federation link touches.
type Plane struct {
	cloud.Store // nil: the rest

	writing sync.Mutex // held by the one transaction that writes
	mu      sync.Mutex
	state   *planeState // replaced by every transaction, never changed
}

type planeState struct {
	plane         cloud.Plane
	organizations map[cloud.ID]cloud.Organization
	users         map[cloud.ID]cloud.User
	regions       map[string]cloud.Region
	access        map[string]cloud.Access
	credentials   map[cloud.SecretHash]cloud.RegionCredential
	links         map[string]cloud.Link
	objects       map[place]row
	grants        map[cloud.GrantKey]uint64 // the revision of the last change
	audit         []cloud.AuditEntry
}

// place is where an object is kept.
type place struct {
	region string
	cloud.ObjectKey
}

type row struct {
	cloud.StoredObject
	snapshot cloud.ID // the last one that it was seen in
}

// NewPlane returns a store of which nothing is known but its keys.
func NewPlane() *Plane {
	return &Plane{state: &planeState{
		plane:         cloud.Plane{NonceKey: cloud.DrawKey(), MailKey: cloud.DrawKey()},
		organizations: map[cloud.ID]cloud.Organization{},
		users:         map[cloud.ID]cloud.User{},
		regions:       map[string]cloud.Region{},
		access:        map[string]cloud.Access{},
		credentials:   map[cloud.SecretHash]cloud.RegionCredential{},
		links:         map[string]cloud.Link{},
		objects:       map[place]row{},
		grants:        map[cloud.GrantKey]uint64{},
	}}
}

// Clone returns a store of its own with what this one holds now.
func (s *Plane) Clone() *Plane { return &Plane{state: s.current()} }

func (s *Plane) current() *planeState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Read implements cloud.Store.
func (s *Plane) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn(planeTransaction{planeState: s.current()})
}

// Write implements cloud.Store.
func (s *Plane) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	next := s.current().clone()
	if err := fn(planeTransaction{planeState: next}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = next
	return nil
}

// Shared implements cloud.Store.
func (s *Plane) Shared() bool { return false }

// Close implements cloud.Store.
func (s *Plane) Close() error { return nil }

// clone is a state of its own. Whatever lies behind a pointer in a row, such
// as the sources of a link, is replaced and never changed.
func (s *planeState) clone() *planeState {
	c := *s
	c.organizations = maps.Clone(s.organizations)
	c.users = maps.Clone(s.users)
	c.regions = maps.Clone(s.regions)
	c.access = maps.Clone(s.access)
	c.credentials = maps.Clone(s.credentials)
	c.links = maps.Clone(s.links)
	c.objects = maps.Clone(s.objects)
	c.grants = maps.Clone(s.grants)
	c.audit = slices.Clip(s.audit)
	return &c
}

// planeTransaction implements as much of cloud.Writer.
type planeTransaction struct {
	cloud.Writer // nil: the rest
	*planeState
}

func (t planeTransaction) OrganizationByName(name string) (cloud.Organization, error) {
	for _, o := range t.organizations {
		if o.Name == name {
			return o, nil
		}
	}
	return cloud.Organization{}, cloud.NotFound("there is no organization named %q", name)
}

func (t planeTransaction) Organization(id cloud.ID) (cloud.Organization, error) {
	return get(t.organizations, id, "there is no organization of that id")
}

func (t planeTransaction) CreateOrganization(o cloud.Organization) error {
	if _, err := t.OrganizationByName(o.Name); err == nil {
		return cloud.Conflict("there is an organization named %q already", o.Name)
	}
	t.organizations[o.ID] = o
	return nil
}

func (t planeTransaction) User(id cloud.ID) (cloud.User, error) {
	return get(t.users, id, "there is no user of that id")
}

func (t planeTransaction) CreateUser(u cloud.User) error {
	t.users[u.ID] = u
	return nil
}

func (t planeTransaction) Region(name string) (cloud.Region, error) {
	return get(t.regions, name, "there is no region named "+name)
}

func (t planeTransaction) Regions(page cloud.Page) ([]cloud.Region, error) {
	list := selected(t.regions, func(r cloud.Region) bool { return r.Name > page.After })
	slices.SortFunc(list, func(a, b cloud.Region) int { return cmp.Compare(a.Name, b.Name) })
	return first(list, page.Limit), nil
}

func (t planeTransaction) RegionByCredential(hash cloud.SecretHash) (cloud.Region, error) {
	c, err := get(t.credentials, hash, "no region has that credential")
	if err != nil {
		return cloud.Region{}, err
	}
	return t.Region(c.Region)
}

func (t planeTransaction) CreateRegion(r cloud.Region) error {
	if _, known := t.regions[r.Name]; known {
		return cloud.Conflict("there is a region named %q already", r.Name)
	}
	t.regions[r.Name] = r
	t.links[r.Name] = cloud.Link{Region: r.Name}
	return nil
}

func (t planeTransaction) SetRegionURL(name, url string) error {
	r, err := t.Region(name)
	if err != nil {
		return err
	}
	r.URL = url
	t.regions[name] = r
	return nil
}

func (t planeTransaction) CreateRegionCredential(c cloud.RegionCredential) error {
	if _, known := t.credentials[c.Hash]; known {
		return cloud.Conflict("this credential exists already")
	}
	if _, err := t.Region(c.Region); err != nil {
		return err
	}
	t.credentials[c.Hash] = c
	return nil
}

func (t planeTransaction) RegionCredentials(region string) ([]cloud.RegionCredential, error) {
	list := selected(t.credentials, func(c cloud.RegionCredential) bool { return c.Region == region })
	slices.SortFunc(list, func(a, b cloud.RegionCredential) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

func (t planeTransaction) DeleteRegionCredential(region string, id cloud.ID) error {
	for hash, c := range t.credentials {
		if c.Region == region && c.ID == id {
			delete(t.credentials, hash)
			return nil
		}
	}
	return cloud.NotFound("region %s has no credential of the id %q", region, id)
}

func (t planeTransaction) Access(region string) (cloud.Access, error) {
	if _, err := t.Region(region); err != nil {
		return cloud.Access{}, err
	}
	return t.access[region], nil
}

func (t planeTransaction) SetAccess(region string, a cloud.Access) error {
	if _, err := t.Region(region); err != nil {
		return err
	}
	for _, id := range a.Except {
		if _, err := t.Organization(id); err != nil {
			return err
		}
	}
	t.access[region] = cloud.Access{Closed: a.Closed, Except: slices.Sorted(slices.Values(a.Except))}
	return nil
}

func (t planeTransaction) Link(region string) (cloud.Link, error) {
	return get(t.links, region, "there is no region named "+region)
}

func (t planeTransaction) Links() ([]cloud.Link, error) {
	list := slices.Collect(maps.Values(t.links))
	slices.SortFunc(list, func(a, b cloud.Link) int { return cmp.Compare(a.Region, b.Region) })
	return list, nil
}

func (t planeTransaction) PutLink(l cloud.Link) error {
	if _, err := t.Region(l.Region); err != nil {
		return err
	}
	if err := fits(l.Epoch, l.AppliedSeq, l.HeardSeq); err != nil {
		return err
	}
	l.SyncedAt, l.MissingSince, l.Clock = stored(l.SyncedAt), stored(l.MissingSince), stored(l.Clock)
	l.Sources = maps.Clone(l.Sources)
	for source, heard := range l.Sources {
		l.Sources[source] = stored(heard)
	}
	if l.Snapshot != nil {
		snapshot := *l.Snapshot
		snapshot.BegunAt = stored(snapshot.BegunAt)
		l.Snapshot = &snapshot
		if err := fits(snapshot.Seq); err != nil {
			return err
		}
	}
	t.links[l.Region] = l
	return nil
}

func (t planeTransaction) CountObjects(region string) (map[cloud.ObjectKind]int64, error) {
	counts := map[cloud.ObjectKind]int64{}
	for at := range t.objects {
		if at.region == region {
			counts[at.Kind]++
		}
	}
	return counts, nil
}

func (t planeTransaction) StoredObjects(region string, keys []cloud.ObjectKey) (map[cloud.ObjectKey]cloud.StoredObject, error) {
	found := make(map[cloud.ObjectKey]cloud.StoredObject, len(keys))
	for _, key := range keys {
		if o, ok := t.objects[place{region, key}]; ok {
			found[key] = o.StoredObject
		}
	}
	return found, nil
}

func (t planeTransaction) Owners(keys []cloud.ObjectKey) (map[cloud.ObjectKey]string, error) {
	owners := map[cloud.ObjectKey]string{}
	for at, o := range t.objects {
		if o.Held == "" && slices.Contains(keys, at.ObjectKey) {
			owners[at.ObjectKey] = at.region
		}
	}
	return owners, nil
}

// isShown reports whether the id is shown in the name of any region.
func (t planeTransaction) isShown(key cloud.ObjectKey) bool {
	for at, o := range t.objects {
		if o.Held == "" && at.ObjectKey == key {
			return true
		}
	}
	return false
}

func (t planeTransaction) SetBackMissing(region string, by time.Duration) error {
	for at, o := range t.objects {
		if at.region == region && !o.MissingSince.IsZero() {
			o.MissingSince = stored(o.MissingSince.Add(-by))
			t.objects[at] = o
		}
	}
	return nil
}

func (t planeTransaction) CountAside(region string) (cloud.Aside, error) {
	aside := cloud.Aside{Held: map[cloud.HeldReason]int64{}}
	for at, o := range t.objects {
		if at.region != region {
			continue
		}
		if o.Held != "" {
			aside.Held[o.Held]++
		}
		if o.MissingSince.IsZero() {
			continue
		}
		if aside.Missing++; aside.MissingSince.IsZero() || o.MissingSince.Before(aside.MissingSince) {
			aside.MissingSince = o.MissingSince
		}
	}
	return aside, nil
}

func (t planeTransaction) ObjectsAside(region string, after cloud.ObjectKey, limit int) ([]cloud.StoredObject, error) {
	return t.list(region, limit, func(o cloud.StoredObject) bool {
		return (o.Held != "" || !o.MissingSince.IsZero()) && compareKeys(o.ObjectKey, after) > 0
	}), nil
}

func (t planeTransaction) ReasonsGone(region string, limit int) ([]cloud.StoredObject, error) {
	freed := t.list(region, 0, func(o cloud.StoredObject) bool {
		return o.Held == cloud.HeldForeignID && o.MissingSince.IsZero() && !t.isShown(o.ObjectKey)
	})
	adopted := t.list(region, 0, func(o cloud.StoredObject) bool {
		_, known := t.organizations[o.OrganizationID]
		return o.Held == cloud.HeldUnknownOrganization && o.MissingSince.IsZero() && known
	})
	return first(append(freed, adopted...), limit), nil
}

// list lists objects of a region by their keys.
func (t planeTransaction) list(region string, limit int, want func(cloud.StoredObject) bool) []cloud.StoredObject {
	list := []cloud.StoredObject{}
	for at, o := range t.objects {
		if at.region == region && want(o.StoredObject) {
			list = append(list, o.StoredObject)
		}
	}
	slices.SortFunc(list, func(a, b cloud.StoredObject) int { return compareKeys(a.ObjectKey, b.ObjectKey) })
	return first(list, limit)
}

func (t planeTransaction) KnownOrganizations(ids []cloud.ID) (map[cloud.ID]bool, error) {
	known := make(map[cloud.ID]bool, len(ids))
	for _, id := range ids {
		if _, ok := t.organizations[id]; ok {
			known[id] = true
		}
	}
	return known, nil
}

func (t planeTransaction) OrganizationsIn(region string) ([]cloud.ID, error) {
	return t.settle(region, func(row) bool { return true }, func(place, row) {}), nil
}

// shown lists what an organization sees.
func (t planeTransaction) shown(kind cloud.ObjectKind, organization, project cloud.ID, page cloud.Page) []row {
	list := selected(t.objects, func(o row) bool {
		return o.Held == "" && o.Kind == kind && o.OrganizationID == organization &&
			(project == "" || o.ProjectID == project) && string(o.ID) > page.After
	})
	slices.SortFunc(list, func(a, b row) int { return cmp.Compare(a.ID, b.ID) })
	return first(list, page.Limit)
}

func (t planeTransaction) Instance(organization, id cloud.ID) (cloud.Instance, error) {
	for _, o := range t.shown(cloud.KindInstance, organization, "", cloud.Page{}) {
		if o.ID == id {
			return cloud.NewInstance(o.StoredObject)
		}
	}
	return cloud.Instance{}, cloud.NotFound("the organization has no instance of that id")
}

func (t planeTransaction) Instances(organization, project cloud.ID, page cloud.Page) ([]cloud.Instance, error) {
	return parse(t.shown(cloud.KindInstance, organization, project, page), cloud.NewInstance)
}

func (t planeTransaction) Clusters(organization, project cloud.ID, page cloud.Page) ([]cloud.Cluster, error) {
	return parse(t.shown(cloud.KindCluster, organization, project, page), cloud.NewCluster)
}

func (t planeTransaction) PutObjects(_, snapshot cloud.ID, objects []cloud.StoredObject) error {
	for _, o := range objects {
		if _, err := t.Region(o.Region); err != nil {
			return err
		}
		if err := fits(o.Rev); err != nil {
			return err
		}
		for at, other := range t.objects {
			if at.ObjectKey == o.ObjectKey && at.region != o.Region && other.Held == "" && o.Held == "" {
				return cloud.Conflict("this %s is shown in the name of another region", o.Kind)
			}
		}
		o.StateSince, o.UpdatedAt, o.MissingSince = stored(o.StateSince), stored(o.UpdatedAt), time.Time{}
		t.objects[place{o.Region, o.ObjectKey}] = row{o, snapshot}
	}
	return nil
}

func (t planeTransaction) DeleteObjects(region string, keys []cloud.ObjectKey) error {
	for _, key := range keys {
		delete(t.objects, place{region, key})
	}
	return nil
}

func (t planeTransaction) CountUnseen(region string, snapshot cloud.ID) (n int64, err error) {
	for at, o := range t.objects {
		if at.region == region && o.snapshot != snapshot {
			n++
		}
	}
	return n, nil
}

func (t planeTransaction) HoldUnseen(region string, snapshot cloud.ID, since time.Time) ([]cloud.ID, error) {
	return t.settle(region, unseen(snapshot), func(at place, o row) {
		o.MissingSince = stored(since)
		t.objects[at] = o
	}), nil
}

func (t planeTransaction) DeleteUnseen(region string, snapshot cloud.ID) ([]cloud.ID, error) {
	return t.settle(region, unseen(snapshot), t.remove), nil
}

func (t planeTransaction) DeleteMissing(region string, until time.Time) ([]cloud.ID, error) {
	return t.settle(region, func(o row) bool {
		return !o.MissingSince.IsZero() && !o.MissingSince.After(until)
	}, t.remove), nil
}

// unseen are objects that the snapshot lacks, and that are not missing yet.
func unseen(snapshot cloud.ID) func(row) bool {
	return func(o row) bool { return o.snapshot != snapshot && o.MissingSince.IsZero() }
}

func (t planeTransaction) remove(at place, _ row) { delete(t.objects, at) }

// settle does something to some of a region's objects, and returns whose these
// are.
func (t planeTransaction) settle(region string, which func(row) bool, do func(place, row)) []cloud.ID {
	organizations := map[cloud.ID]bool{}
	for at, o := range t.objects {
		if at.region == region && which(o) {
			organizations[o.OrganizationID] = true
			do(at, o)
		}
	}
	return slices.Sorted(maps.Keys(organizations))
}

func (t planeTransaction) AllowObjects(region string, organization cloud.ID) (n int64, err error) {
	for at, o := range t.objects {
		if at.region != region || o.OrganizationID != organization || o.Held != cloud.HeldDenied {
			continue
		}
		o.Held = ""
		if t.isShown(at.ObjectKey) {
			o.Held = cloud.HeldForeignID
		}
		t.objects[at] = o
		n++
	}
	return n, nil
}

func (t planeTransaction) DenyObjects(region string, organization cloud.ID) (n int64, err error) {
	for at, o := range t.objects {
		if at.region == region && o.OrganizationID == organization && (o.Held == "" || o.Held == cloud.HeldForeignID) {
			o.Held = cloud.HeldDenied
			t.objects[at] = o
			n++
		}
	}
	return n, nil
}

// TouchFleet has no list to keep current.
func (t planeTransaction) TouchFleet([]cloud.ID) error { return nil }

func (t planeTransaction) TouchHealth() error {
	t.plane.HealthRevision++
	return nil
}

func (t planeTransaction) TouchGrants(pattern cloud.GrantKey) error {
	t.plane.GrantRevision++
	t.grants[pattern] = t.plane.GrantRevision
	maps.DeleteFunc(t.grants, func(_ cloud.GrantKey, revision uint64) bool {
		return revision+cloud.MaxGrantChanges <= t.plane.GrantRevision
	})
	return nil
}

func (t planeTransaction) GrantChanges(after uint64, limit int) ([]cloud.GrantKey, error) {
	keys := []cloud.GrantKey{}
	for key, revision := range t.grants {
		if revision > after {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b cloud.GrantKey) int { return cmp.Compare(t.grants[a], t.grants[b]) })
	return first(keys, limit), nil
}

func (t planeTransaction) Plane() (cloud.Plane, error) { return t.plane, nil }

func (t planeTransaction) MarkAlive(now time.Time) error {
	t.plane.AliveAt = stored(now)
	return nil
}

func (t planeTransaction) RecordOutage(o cloud.Outage) error {
	o.From, o.To = stored(o.From), stored(o.To)
	kept := slices.DeleteFunc(slices.Clone(t.plane.Outages), func(other cloud.Outage) bool {
		return other.To.Before(o.To.Add(-outageTTL)) || other.To.After(o.To) || other == o
	})
	t.plane.Outages = append(kept, o)
	slices.SortFunc(t.plane.Outages, func(a, b cloud.Outage) int {
		return cmp.Or(a.To.Compare(b.To), a.From.Compare(b.From))
	})
	return nil
}

func (t planeTransaction) SetNonceKey(key cloud.Secret) error {
	t.plane.NonceKey = key
	return nil
}

func (t planeTransaction) SetMailKey(key cloud.Secret) error {
	t.plane.MailKey = key
	return nil
}

func (t planeTransaction) SetIssuer(url string) error {
	others := slices.DeleteFunc(slices.Clone(t.plane.Issuers), func(other string) bool { return other == url })
	t.plane.Issuers = append([]string{url}, others...)
	return nil
}

// stored is a time as databases keep it.
func stored(at time.Time) time.Time {
	if at.IsZero() {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Microsecond)
}

func get[K comparable, V any](m map[K]V, key K, missing string) (V, error) {
	v, ok := m[key]
	if !ok {
		return v, cloud.NotFound("%s", missing)
	}
	return v, nil
}

func parse[T any](rows []row, convert func(cloud.StoredObject) (T, error)) ([]T, error) {
	list := make([]T, len(rows))
	for i, o := range rows {
		var err error
		if list[i], err = convert(o.StoredObject); err != nil {
			return nil, err
		}
	}
	return list, nil
}
