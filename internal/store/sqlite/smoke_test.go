package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	start := time.Now()
	p, err := OpenPlane(ctx, filepath.Join(t.TempDir(), "pl ?%ane#.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(start))
	start = time.Now()
	err = p.Write(ctx, func(w cloud.Writer) error {
		if err := w.CreateOrganization(cloud.Organization{ID: "a", Name: "acme", CreatedAt: start}); err != nil {
			return err
		}
		if err := w.CreateUser(cloud.User{ID: "u", Email: "A@b.c"}); err != nil {
			return err
		}
		if err := w.CreateRegion(cloud.Region{Name: "r"}); err != nil {
			return err
		}
		if err := w.SetIssuer("x"); err != nil {
			return err
		}
		return w.AddMember(cloud.Member{OrganizationID: "a", User: cloud.User{ID: "u"}, Role: "admin"})
	})
	t.Log(time.Since(start), err)
	t.Log(p.Standing(ctx, "u"))
	t.Log(p.Standing(ctx, "v"))
	t.Log(p.Ping(ctx))
	t.Log(p.Backup(ctx, filepath.Join(t.TempDir(), "b")))
	t.Log(p.Read(ctx, func(r cloud.Reader) error { x, err := r.Plane(); t.Log(x); l, _ := r.Links(); t.Log(l); return err }))
	err = p.Write(ctx, func(w cloud.Writer) error { return w.AddMember(cloud.Member{OrganizationID: "x", User: cloud.User{ID: "u"}}) })
	t.Log(err)
	t.Log(p.Close())
	t.Log(p.Ping(ctx))
	r, err := OpenRegion(ctx, filepath.Join(t.TempDir(), "region.db"), func() cloud.ID { return "inc" })
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.Read(ctx, func(r cloud.RegionReader) error { x, err := r.Identity(); t.Log(x); l, k, _ := r.Changes(0, 5); t.Log(l, k); return err }))
}
