package control_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

// regions is an operator's desk with two organizations and two regions.
type regions struct {
	t        *testing.T
	store    cloud.Store
	operator control.Operator
	org      map[string]cloud.ID
	first    cloud.Secret // west-1's
}

func newRegions(t *testing.T) *regions {
	t.Helper()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	n := 0
	newID := func() cloud.ID { n++; return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", n)) }
	now := func() time.Time { return time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC) }
	r := &regions{t: t, store: store, org: map[string]cloud.ID{}}
	r.operator = control.New(store, now, newID, cloud.DefaultHealthPolicy).As(cloud.Actor{Kind: cloud.ActorOperator, ID: "ada"})
	for _, name := range []string{"acme", "globex"} {
		organization, err := r.operator.CreateOrganization(t.Context(), name, "")
		r.check(err)
		r.org[name] = organization.ID
	}
	r.first, err = r.operator.CreateRegion(t.Context(), "west-1", "https://west-1.example.com")
	r.check(err)
	_, err = r.operator.CreateRegion(t.Context(), "east-1", "https://east-1.example.com", "globex")
	r.check(err)
	return r
}

func (r *regions) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *regions) refused(what string, err error, code cloud.Code, says string) {
	r.t.Helper()
	if cloud.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), says) {
		r.t.Errorf("%s: got %v; want %s that says %q", what, err, code, says)
	}
}

// have gives a region the instance n of an organization.
func (r *regions) have(region string, n int, organization string) cloud.ID {
	r.t.Helper()
	id := cloud.ID(fmt.Sprintf("019cae00-0000-7000-a000-%012x", n))
	body, err := json.Marshal(cloud.InstanceReport{OrganizationID: r.org[organization], ProjectID: id, State: cloud.InstanceRunning, Source: "engine"})
	r.check(err)
	r.check(r.store.Write(r.t.Context(), func(w cloud.Writer) error {
		return w.PutObjects("incarnation", "snapshot", []cloud.StoredObject{{
			Object: cloud.Object{ObjectKey: cloud.ObjectKey{Kind: cloud.KindInstance, ID: id}, Rev: 1, Body: body},
			Region: region, OrganizationID: r.org[organization], ProjectID: id,
		}})
	}))
	return id
}

// shown is how many instances an organization sees.
func (r *regions) shown(organization string) int {
	r.t.Helper()
	n := 0
	r.check(r.store.Read(r.t.Context(), func(tx cloud.Reader) error {
		list, err := tx.Instances(r.org[organization], "", cloud.Page{})
		n = len(list)
		return err
	}))
	return n
}

func (r *regions) detail(region string) control.RegionDetail {
	r.t.Helper()
	d, err := r.operator.Region(r.t.Context(), region)
	r.check(err)
	return d
}

func TestCredentialsAreReplacedWithoutAGap(t *testing.T) {
	t.Parallel()
	r, ctx := newRegions(t), t.Context()
	good := func(s cloud.Secret) bool {
		return r.store.Read(ctx, func(tx cloud.Reader) error {
			_, err := tx.RegionByCredential(s.Hash())
			return err
		}) == nil
	}
	second, err := r.operator.RotateCredential(ctx, "west-1")
	r.check(err)
	if !good(r.first) || !good(second) {
		t.Error("of two credentials not both are good")
	}
	credentials := r.detail("west-1").Credentials
	_, err = r.operator.RotateCredential(ctx, "west-1")
	r.refused("a third", err, cloud.CodeConflict, "penstock admin region revoke west-1 --credential "+string(credentials[0].ID))
	other := r.detail("east-1").Credentials[0].ID
	_, err = r.operator.RevokeCredentials(ctx, "west-1", other)
	r.refused("another region's", err, cloud.CodeNotFound, "penstock admin region show west-1")

	_, err = r.operator.RevokeCredentials(ctx, "west-1", credentials[0].ID)
	r.check(err)
	if good(r.first) || !good(second) {
		t.Error("the wrong one was revoked")
	}
	if _, err = r.operator.RotateCredential(ctx, "west-1"); err != nil {
		t.Errorf("with one revoked there is no room for another: %v", err)
	}
	revoked, err := r.operator.RevokeCredentials(ctx, "west-1", "")
	r.check(err)
	if len(revoked) != 2 || good(second) {
		t.Errorf("%d were revoked, want both", len(revoked))
	}
	for what, err := range map[string]error{
		"rotate": func() error { _, err := r.operator.RotateCredential(ctx, "north-1"); return err }(),
		"revoke": func() error { _, err := r.operator.RevokeCredentials(ctx, "north-1", ""); return err }(),
		"accept": func() error { _, err := r.operator.AcceptMissing(ctx, "north-1"); return err }(),
		"show":   func() error { _, err := r.operator.Region(ctx, "north-1"); return err }(),
		"allow":  r.operator.AdmitAll(ctx, "north-1", true),
	} {
		r.refused(what+" of an unknown region", err, cloud.CodeNotFound, `there is no region named "north-1"`)
	}
}

func TestWhoMayUseARegion(t *testing.T) {
	t.Parallel()
	r, ctx := newRegions(t), t.Context()
	for n, organization := range []string{"acme", "acme", "globex"} {
		r.have("west-1", n, organization)
	}
	expect := func(what string, acme, globex int, held map[cloud.HeldReason]int64) {
		t.Helper()
		if a, g := r.shown("acme"), r.shown("globex"); a != acme || g != globex {
			t.Errorf("%s: acme sees %d and globex %d; want %d and %d", what, a, g, acme, globex)
		}
		d := r.detail("west-1")
		if diff := cmp.Diff(held, d.RegionStatus.Aside.Held); diff != "" {
			t.Errorf("%s: held (-want +got):\n%s", what, diff)
		}
		var sum int64
		for _, n := range held {
			sum += n
		}
		if d.Link.Held != sum || len(d.Aside) != int(sum) {
			t.Errorf("%s: the link counts %d, %d are listed; want %d", what, d.Link.Held, len(d.Aside), sum)
		}
	}
	none := map[cloud.HeldReason]int64{}
	expect("open", 2, 1, none)
	r.check(r.operator.AdmitOrganization(ctx, "west-1", "acme", false))
	expect("acme denied", 0, 1, map[cloud.HeldReason]int64{cloud.HeldDenied: 2})
	r.check(r.operator.AdmitAll(ctx, "west-1", false))
	expect("all denied", 0, 0, map[cloud.HeldReason]int64{cloud.HeldDenied: 3})
	r.check(r.operator.AdmitOrganization(ctx, "west-1", "acme", true))
	expect("acme allowed", 2, 0, map[cloud.HeldReason]int64{cloud.HeldDenied: 1})

	// What is denied owns no id, and does not get it back from whoever took it.
	r.have("east-1", 2, "globex")
	r.check(r.operator.AdmitAll(ctx, "west-1", true))
	expect("all allowed", 2, 1, map[cloud.HeldReason]int64{cloud.HeldForeignID: 1})
	r.check(r.operator.AdmitOrganization(ctx, "west-1", "globex", false))
	expect("globex denied", 2, 1, map[cloud.HeldReason]int64{cloud.HeldDenied: 1})

	r.refused("an unknown organization", r.operator.AdmitOrganization(ctx, "west-1", "initech", true),
		cloud.CodeNotFound, `there is no organization named "initech"; make it with: penstock admin org create initech`)
	if d := r.detail("east-1"); !d.Closed || len(d.Except) != 1 || d.Except[0].Name != "globex" {
		t.Errorf("a region made for globex is open to %v, closed %v", d.Except, d.Closed)
	}
	_, err := r.operator.CreateRegion(ctx, "north-1", "https://north-1.example.com", "initech")
	r.refused("a region for nobody known", err, cloud.CodeNotFound, "initech")
	_, err = r.operator.Region(ctx, "north-1")
	r.refused("the region of a refusal", err, cloud.CodeNotFound, "north-1")
}

// Regions ask anew about the organizations for which the access to one of them
// changed, and about no other.
func TestAccessMovesGrants(t *testing.T) {
	t.Parallel()
	r, ctx := newRegions(t), t.Context()
	var revision uint64
	for _, step := range []struct {
		what string
		do   func() error
		want []cloud.GrantKey
	}{
		{"acme is denied", func() error { return r.operator.AdmitOrganization(ctx, "west-1", "acme", false) }, []cloud.GrantKey{{Organization: r.org["acme"]}}},
		{"again", func() error { return r.operator.AdmitOrganization(ctx, "west-1", "acme", false) }, []cloud.GrantKey{}},
		{"globex too", func() error { return r.operator.AdmitOrganization(ctx, "west-1", "globex", false) }, []cloud.GrantKey{{Organization: r.org["globex"]}}},
		{"all are allowed", func() error { return r.operator.AdmitAll(ctx, "west-1", true) }, []cloud.GrantKey{{Organization: r.org["acme"]}, {Organization: r.org["globex"]}}},
		{"all are denied", func() error { return r.operator.AdmitAll(ctx, "west-1", false) }, []cloud.GrantKey{{}}},
		{"acme is allowed", func() error { return r.operator.AdmitOrganization(ctx, "west-1", "acme", true) }, []cloud.GrantKey{{Organization: r.org["acme"]}}},
	} {
		r.check(step.do())
		var got []cloud.GrantKey
		r.check(r.store.Read(ctx, func(tx cloud.Reader) (err error) {
			if got, err = tx.GrantChanges(revision, 10); err != nil {
				return err
			}
			plane, err := tx.Plane()
			revision = plane.GrantRevision
			return err
		}))
		byID := cmpopts.SortSlices(func(a, b cloud.GrantKey) bool { return a.Organization < b.Organization })
		if diff := cmp.Diff(step.want, got, byID); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
}

func TestAcceptingRemovesWhatIsMissing(t *testing.T) {
	t.Parallel()
	r, ctx := newRegions(t), t.Context()
	lost := []cloud.ID{r.have("west-1", 1, "acme"), r.have("west-1", 2, "globex")}
	since := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) // by a clock that was set back since
	r.check(r.store.Write(ctx, func(w cloud.Writer) error {
		link, err := w.Link("west-1")
		if err != nil {
			return err
		}
		link.MissingSince = since
		if err := w.PutLink(link); err != nil {
			return err
		}
		_, err = w.HoldUnseen("west-1", "another", since)
		return err
	}))
	r.have("west-1", 3, "acme")
	var missing []cloud.ID
	for _, o := range r.detail("west-1").Aside {
		missing = append(missing, o.ID)
	}
	if diff := cmp.Diff(lost, missing); diff != "" {
		t.Errorf("what is shown to be missing (-want +got):\n%s", diff)
	}
	removed, err := r.operator.AcceptMissing(ctx, "west-1")
	r.check(err)
	if acme, globex := r.shown("acme"), r.shown("globex"); removed != 2 || acme != 1 || globex != 0 {
		t.Errorf("it removes %d, and acme sees %d, globex %d", removed, acme, globex)
	}
	if d := r.detail("west-1"); !d.Link.MissingSince.IsZero() || d.RegionStatus.Aside.Missing != 0 {
		t.Errorf("afterwards the link says that objects are missing since %v", d.Link.MissingSince)
	}
	_, err = r.operator.AcceptMissing(ctx, "west-1")
	r.refused("nothing", err, cloud.CodeConflict, "there is nothing to accept")
}
