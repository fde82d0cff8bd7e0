package control

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Regions lists the cloud's regions; they are the same for everybody.
func (c *Control) Regions(ctx context.Context, page cloud.Page) (Listing[cloud.Region], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[cloud.Region], error) {
		return list(page, tx.Regions, func(r cloud.Region) string { return r.Name })
	})
}

// Links lists the state of every region's link.
func (o Operator) Links(ctx context.Context) ([]cloud.Link, error) {
	return read(ctx, o.Control, cloud.Reader.Links)
}

// RegionStatuses lists the regions with the state of their links.
func (o Operator) RegionStatuses(ctx context.Context) ([]cloud.RegionStatus, error) {
	return read(ctx, o.Control, func(tx cloud.Reader) ([]cloud.RegionStatus, error) {
		regions, err := tx.Regions(cloud.Page{})
		if err != nil {
			return nil, err
		}
		statuses := make([]cloud.RegionStatus, 0, len(regions))
		for _, r := range regions {
			status, err := regionStatus(tx, r)
			if err != nil {
				return nil, err
			}
			statuses = append(statuses, status)
		}
		return statuses, nil
	})
}

func regionStatus(tx cloud.Reader, r cloud.Region) (cloud.RegionStatus, error) {
	status := cloud.RegionStatus{Region: r}
	var err error
	if status.Link, err = tx.Link(r.Name); err != nil {
		return status, err
	}
	if status.Objects, err = tx.CountObjects(r.Name); err != nil {
		return status, err
	}
	status.Aside, err = tx.CountAside(r.Name)
	return status, err
}

// RegionDetail is all that an operator can see of a region.
type RegionDetail struct {
	cloud.RegionStatus
	Credentials []cloud.RegionCredential // oldest first
	Closed      bool                     // to all organizations but the exceptions; else open to all but those
	Except      []cloud.Organization     // by name
	Aside       []cloud.StoredObject     // held or missing, by kind and id
}

// Region tells all of a region.
func (o Operator) Region(ctx context.Context, name string) (RegionDetail, error) {
	return read(ctx, o.Control, func(tx cloud.Reader) (RegionDetail, error) {
		var d RegionDetail
		region, err := tx.Region(name)
		if err != nil {
			return d, err
		}
		if d.RegionStatus, err = regionStatus(tx, region); err != nil {
			return d, err
		}
		if d.Credentials, err = tx.RegionCredentials(name); err != nil {
			return d, err
		}
		if d.Aside, err = tx.ObjectsAside(name, cloud.ObjectKey{}, 0); err != nil {
			return d, err
		}
		access, err := tx.Access(name)
		if err != nil {
			return d, err
		}
		d.Closed = access.Closed
		for _, id := range access.Except {
			organization, err := tx.Organization(id)
			if err != nil {
				return d, err
			}
			d.Except = append(d.Except, organization)
		}
		slices.SortFunc(d.Except, func(a, b cloud.Organization) int { return strings.Compare(a.Name, b.Name) })
		return d, nil
	})
}

// CreateRegion makes a region and its credential, which is returned this once
// and stored as a hash. Where organizations are named, they alone may use it.
// CodeInvalid for a wrong name or URL, CodeConflict for a name that is taken.
func (o Operator) CreateRegion(ctx context.Context, name, url string, organizations ...string) (cloud.Secret, error) {
	if err := cloud.CheckName("the region's name", name); err != nil {
		return cloud.Secret{}, err
	}
	if err := cloud.CheckRegionURL(url); err != nil {
		return cloud.Secret{}, err
	}
	secret := newRegionSecret()
	region := cloud.Region{Name: name, URL: url, CreatedAt: o.now()}
	err := o.store.Write(ctx, func(tx cloud.Writer) error {
		if err := tx.CreateRegion(region); err != nil {
			return err
		}
		after := map[string]any{"url": url}
		if len(organizations) > 0 {
			access, err := accessFor(tx, organizations)
			if err != nil {
				return err
			}
			if err := tx.SetAccess(name, access); err != nil {
				return err
			}
			after["access"] = access
		}
		return o.addCredential(tx, region, secret, change{action: "region.create", target: name, after: after})
	})
	return secret, err
}

// EnsureRegion makes a region that is not there yet, corrects its URL, and
// returns a credential that is good: the one given if it is the region's, else
// a new one.
func (o Operator) EnsureRegion(ctx context.Context, name, url string, have cloud.Secret) (cloud.Secret, error) {
	if err := cloud.CheckRegionURL(url); err != nil {
		return cloud.Secret{}, err
	}
	region, err := read(ctx, o.Control, func(tx cloud.Reader) (cloud.Region, error) { return tx.Region(name) })
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return o.CreateRegion(ctx, name, url)
	}
	if err != nil {
		return cloud.Secret{}, err
	}
	var secret cloud.Secret
	err = o.store.Write(ctx, func(tx cloud.Writer) error {
		secret = have
		if region.URL != url {
			if err := o.moveRegion(tx, region, url); err != nil {
				return err
			}
		}
		owner, err := tx.RegionByCredential(have.Hash())
		if err == nil && owner.Name == name {
			return nil
		}
		if err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
			return err
		}
		// What was lost is good for nothing but to whoever finds it.
		credentials, err := tx.RegionCredentials(name)
		if err != nil {
			return err
		}
		for _, c := range credentials {
			if err := o.revoke(tx, c); err != nil {
				return err
			}
		}
		secret = newRegionSecret()
		return o.addCredential(tx, region, secret, change{action: "region.credential.create", target: name})
	})
	return secret, err
}

func (o Operator) moveRegion(tx cloud.Writer, region cloud.Region, url string) error {
	if err := tx.SetRegionURL(region.Name, url); err != nil {
		return err
	}
	return o.audit(tx, change{
		action: "region.update", target: region.Name,
		before: map[string]any{"url": region.URL}, after: map[string]any{"url": url},
	})
}

func (o Operator) addCredential(tx cloud.Writer, region cloud.Region, secret cloud.Secret, ch change) error {
	credential := cloud.RegionCredential{ID: o.newID(), Region: region.Name, Hash: secret.Hash(), CreatedAt: o.now()}
	if err := tx.CreateRegionCredential(credential); err != nil {
		return err
	}
	return o.audit(tx, ch)
}

func newRegionSecret() cloud.Secret { return cloud.DrawSecret("psr_") }
