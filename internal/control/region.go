package control

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Regions lists the cloud's regions; they are the same for everybody.
func (c *Control) Regions(ctx context.Context, page cloud.Page) (Listing[cloud.Region], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[cloud.Region], error) {
		return list(page, tx.Regions, func(r cloud.Region) string { return r.Name })
	})
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
			status := cloud.RegionStatus{Region: r}
			if status.Link, err = tx.Link(r.Name); err != nil {
				return nil, err
			}
			if status.Objects, err = tx.CountObjects(r.Name); err != nil {
				return nil, err
			}
			statuses = append(statuses, status)
		}
		return statuses, nil
	})
}

// CreateRegion makes a region and its credential, which is returned this once
// and stored as a hash. CodeInvalid for a wrong name or URL, CodeConflict for a
// name that is taken.
func (o Operator) CreateRegion(ctx context.Context, name, url string) (cloud.Secret, error) {
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
		return o.addCredential(tx, region, secret, change{action: "region.create", target: name, after: map[string]any{"url": url}})
	})
	return secret, err
}

func (o Operator) addCredential(tx cloud.Writer, region cloud.Region, secret cloud.Secret, ch change) error {
	credential := cloud.RegionCredential{ID: o.newID(), Region: region.Name, Hash: secret.Hash(), CreatedAt: o.now()}
	if err := tx.CreateRegionCredential(credential); err != nil {
		return err
	}
	return o.audit(tx, ch)
}

// newRegionSecret draws 256 random bits. The prefix lets scanners for leaked
// secrets recognize it.
func newRegionSecret() cloud.Secret {
	var bits [32]byte
	rand.Read(bits[:]) //nolint:errcheck // crypto/rand.Read never fails; it crashes the program instead
	return cloud.NewSecret("psr_" + base64.RawURLEncoding.EncodeToString(bits[:]))
}
