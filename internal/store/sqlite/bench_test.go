package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// BenchmarkStanding measures the read on every request's way: a user of three
// organizations among a thousand of both.
func BenchmarkStanding(b *testing.B) {
	p, err := OpenPlane(b.Context(), filepath.Join(b.TempDir(), "plane.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	id := func(n int) cloud.ID { return cloud.ID(fmt.Sprintf("00000000-0000-7000-8000-%012d", n)) }
	err = p.Write(b.Context(), func(w cloud.Writer) error {
		for i := range 1000 {
			if err := w.CreateOrganization(cloud.Organization{ID: id(i), Name: fmt.Sprint("org-", i), CreatedAt: time.Unix(1, 0)}); err != nil {
				return err
			}
			u := cloud.User{ID: id(i), Email: cloud.Email(fmt.Sprint(i, "@example.com")), Name: "Ada", CreatedAt: time.Unix(1, 0)}
			if err := w.CreateUser(u); err != nil {
				return err
			}
			for o := max(0, i-2); o <= i; o++ {
				if err := w.AddMember(cloud.Member{OrganizationID: id(o), User: u, Role: cloud.RoleEditor}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	run := func(ctx context.Context) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Standing(ctx, id(500)); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("Background", run(context.Background()))
	b.Run("Cancelable", run(b.Context()))
	b.Run("Parallel", func(b *testing.B) {
		ctx := b.Context()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := p.Standing(ctx, id(500)); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
