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
	region            = "west-1"
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
		if err := tx.CreateRegion(cloud.Region{Name: region, URL: "http://127.0.0.1:8081", CreatedAt: now}); err != nil {
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
	u := cloud.User{ID: newID(), Email: cloud.Email(memberOf(name)), Name: "Ada", CreatedAt: now}
	if err := tx.CreateOrganization(o); err != nil {
		return "", err
	}
	if err := tx.CreateUser(u); err != nil {
		return "", err
	}
	return o.ID, tx.AddMember(cloud.Member{OrganizationID: o.ID, User: u, Role: cloud.RoleViewer, JoinedAt: now})
}

// reportedJustNow is the link of a region that is heard of.
func reportedJustNow(now time.Time, instances int) cloud.Link {
	return cloud.Link{
		Region: region, Incarnation: newID(), Epoch: 1, AppliedSeq: uint64(instances), // not negative
		SyncedAt: now, Sources: map[string]time.Time{source: now},
	}
}

// instanceObject is the n-th instance, of the size that instances usually are.
func instanceObject(n int, organization cloud.ID, now time.Time) (cloud.StoredObject, error) {
	project := cloud.ID(uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, organization, n%3)).String())
	report := cloud.InstanceReport{
		OrganizationID: organization, ProjectID: project,
		Name: fmt.Sprintf("trainer-%d", n), Type: "gpu.h100.8x", State: cloud.InstanceRunning,
		IP: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255), Image: "image://ubuntu22.04",
		Tags: map[string]string{"team": "foundation", "purpose": "training"}, Source: source,
	}
	body, err := json.Marshal(report)
	return cloud.StoredObject{
		Object: cloud.Object{
			ObjectKey: cloud.ObjectKey{Kind: cloud.KindInstance, ID: newID()},
			Rev:       uint64(n + 1), Body: body, // not negative
		},
		Region: region, OrganizationID: organization, ProjectID: project,
		State: string(report.State), StateSince: now, UpdatedAt: now,
	}, err
}

func newID() cloud.ID { return cloud.ID(uuid.Must(uuid.NewV7()).String()) }
