package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// A fleet is organizations of 1,000 instances, and one of ten.
const (
	organizationSize  = 1000
	region1           = "west-1"
	source            = "engine"
	smallOrganization = "ten"
	largeOrganization = "org-0"

	// batchSize is the most that a region sends at once.
	batchSize = 1000
)

// organizations are those that are asked for, with the length of their lists.
var organizations = map[string]int{smallOrganization: 10, largeOrganization: organizationSize}

func memberOf(organization string) string { return "member@" + organization + ".example" }

// loadFleet fills a new database. The organizations' instances take turns, as
// if launched so: what belongs to one is spread over all of the table.
func loadFleet(ctx context.Context, file string, instances int) (err error) {
	store, err := sqlite.OpenPlane(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	now := time.Now()
	ids := make([]cloud.ID, instances/organizationSize)
	var few cloud.ID
	if err := store.Write(ctx, func(tx cloud.Writer) error {
		for i := range ids {
			if ids[i], err = createOrganization(tx, fmt.Sprintf("org-%d", i), now); err != nil {
				return err
			}
		}
		if few, err = createOrganization(tx, smallOrganization, now); err != nil {
			return err
		}
		if err := tx.CreateRegion(cloud.Region{Name: region1, URL: "http://127.0.0.1:8081", CreatedAt: now}); err != nil {
			return err
		}
		return tx.PutLink(reportedJustNow(now, instances))
	}); err != nil {
		return err
	}

	incarnation := newID()
	put := func(from, to int, owner func(int) cloud.ID) error {
		objects := make([]cloud.StoredObject, 0, to-from)
		for n := from; n < to; n++ {
			o, err := instanceObject(n, owner(n), now)
			if err != nil {
				return err
			}
			objects = append(objects, o)
		}
		return store.Write(ctx, func(tx cloud.Writer) error { return tx.PutObjects(incarnation, "", objects) })
	}
	for from := 0; from < instances; from += batchSize {
		if err := put(from, min(from+batchSize, instances), func(n int) cloud.ID { return ids[n%len(ids)] }); err != nil {
			return err
		}
	}
	return put(instances, instances+organizations[smallOrganization], func(int) cloud.ID { return few })
}

func createOrganization(tx cloud.Writer, name string, now time.Time) (cloud.ID, error) {
	o := cloud.Organization{ID: newID(), Name: name, DisplayName: name, CreatedAt: now}
	u := cloud.User{ID: newID(), Email: cloud.Email(memberOf(name)), Name: "Ada", Kind: cloud.Person, CreatedAt: now}
	if err := tx.CreateOrganization(o); err != nil {
		return "", err
	}
	if err := tx.CreateUser(u); err != nil {
		return "", err
	}
	return o.ID, tx.AddMember(cloud.Member{OrganizationID: o.ID, User: u, Role: cloud.RoleViewer, JoinedAt: now})
}

// tenantRegion is a region with a credential, and what it has reported already.
type tenantRegion struct {
	name        string
	credential  cloud.Secret
	incarnation cloud.ID
	instances   int
	digest      cloud.Digest
}

// loadTenants fills a new database with organizations for so many instances,
// and regions, whose instances take turns in belonging to them.
func loadTenants(ctx context.Context, file string, instances int, regions []tenantRegion) (ids []cloud.ID, err error) {
	store, err := sqlite.OpenPlane(ctx, file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	now := time.Now()
	ids = make([]cloud.ID, max(1, instances/organizationSize))
	return ids, store.Write(ctx, func(tx cloud.Writer) error {
		for i := range ids {
			if ids[i], err = createOrganization(tx, fmt.Sprintf("org-%d", i), now); err != nil {
				return err
			}
		}
		for i := range regions {
			if err := regions[i].load(tx, ids, i, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// load is what the plane knows of the n-th region.
func (r *tenantRegion) load(tx cloud.Writer, owners []cloud.ID, n int, now time.Time) error {
	if err := tx.CreateRegion(cloud.Region{Name: r.name, URL: "http://127.0.0.1:8081", CreatedAt: now}); err != nil {
		return err
	}
	if err := tx.CreateRegionCredential(cloud.RegionCredential{ID: newID(), Region: r.name, Hash: r.credential.Hash(), CreatedAt: now}); err != nil {
		return err
	}
	if r.instances == 0 {
		return nil
	}
	r.digest = cloud.Digest{}
	objects := make([]cloud.StoredObject, r.instances)
	for i := range objects {
		o, err := instanceObject(i, owners[(n*r.instances+i)%len(owners)], now)
		if err != nil {
			return err
		}
		o.Region = r.name
		r.digest.Add(o.Object)
		objects[i] = o
	}
	if err := tx.PutObjects(r.incarnation, "", objects); err != nil {
		return err
	}
	return tx.PutLink(cloud.Link{
		Region: r.name, Incarnation: r.incarnation, AppliedSeq: uint64(r.instances), Digest: r.digest, // not negative
		SyncedAt: now, Sources: map[string]time.Time{source: now},
	})
}

// reportedJustNow is the link of a region that is heard of.
func reportedJustNow(now time.Time, instances int) cloud.Link {
	return cloud.Link{
		Region: region1, Incarnation: newID(), Epoch: 1, AppliedSeq: uint64(instances), // not negative
		SyncedAt: now, Sources: map[string]time.Time{source: now},
	}
}

// instanceReport is that of the n-th instance, of the size that instances
// usually are.
func instanceReport(n int, organization cloud.ID) cloud.InstanceReport {
	project := cloud.ID(uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, organization, n%3)).String())
	return cloud.InstanceReport{
		OrganizationID: organization, ProjectID: project,
		Name: fmt.Sprintf("trainer-%d", n), Type: "gpu.h100.8x", State: cloud.InstanceRunning,
		IP: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255), Image: "image://ubuntu22.04",
		Tags: map[string]string{"team": "foundation", "purpose": "training"}, Source: source,
	}
}

// instanceObject is the n-th instance as the plane keeps it.
func instanceObject(n int, organization cloud.ID, now time.Time) (cloud.StoredObject, error) {
	report := instanceReport(n, organization)
	body, err := json.Marshal(report)
	return cloud.StoredObject{
		Object: cloud.Object{
			ObjectKey: cloud.ObjectKey{Kind: cloud.KindInstance, ID: newID()},
			Rev:       uint64(n + 1), Body: body, // not negative
		},
		Region: region1, OrganizationID: organization, ProjectID: report.ProjectID,
		State: string(report.State), StateSince: now, UpdatedAt: now,
	}, err
}

func newID() cloud.ID { return cloud.ID(uuid.Must(uuid.NewV7()).String()) }
