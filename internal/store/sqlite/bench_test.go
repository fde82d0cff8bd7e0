package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// benchID makes the nth UUID; like version 7's, they grow.
func benchID(n int) cloud.ID { return cloud.ID(fmt.Sprintf("0195c000-0000-7000-8000-%012d", n)) }

func openBench(b *testing.B) *Plane {
	b.Helper()
	p, err := OpenPlane(b.Context(), filepath.Join(b.TempDir(), "plane.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := p.Write(b.Context(), func(w cloud.Writer) error {
		return w.CreateRegion(cloud.Region{Name: "local", URL: "http://localhost", CreatedAt: time.Unix(1, 0)})
	}); err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkStanding measures the read on every request's way, for a user of
// one and of three organizations among a thousand of both.
func BenchmarkStanding(b *testing.B) {
	p := openBench(b)
	err := p.Write(b.Context(), func(w cloud.Writer) error {
		for i := range 1000 {
			if err := w.CreateOrganization(cloud.Organization{ID: benchID(i), Name: fmt.Sprint("org-", i), CreatedAt: time.Unix(1, 0)}); err != nil {
				return err
			}
			u := cloud.User{ID: benchID(i), Email: cloud.Email(fmt.Sprint(i, "@example.com")), Name: "Ada", Kind: cloud.Person, CreatedAt: time.Unix(1, 0)}
			if err := w.CreateUser(u); err != nil {
				return err
			}
			for o := max(0, i-i%2*2); o <= i; o++ {
				if err := w.AddMember(cloud.Member{OrganizationID: benchID(o), User: u, Role: cloud.RoleEditor}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	standing := func(ctx context.Context, b *testing.B, n, relations int) {
		s, err := p.Standing(ctx, benchID(n))
		if err != nil || len(s.Relations) != relations {
			b.Errorf("got %d relations and the error %v", len(s.Relations), err)
		}
	}
	for relations, n := range map[int]int{1: 500, 3: 501} {
		b.Run(fmt.Sprintf("relations=%d", relations), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				standing(b.Context(), b, n, relations)
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				standing(b.Context(), b, 500, 1)
			}
		})
	})
}

func benchObjects(b *testing.B, first int) []cloud.StoredObject {
	b.Helper()
	objects := make([]cloud.StoredObject, 1000)
	for i := range objects {
		body, err := json.Marshal(cloud.InstanceReport{
			OrganizationID: benchID(1), ProjectID: benchID(i % 10), Name: fmt.Sprint("worker-", i), Type: "8xH100",
			State: cloud.InstanceRunning, IP: "10.0.0.1", Image: "ubuntu-24.04", Source: "engine",
		})
		if err != nil {
			b.Fatal(err)
		}
		objects[i] = cloud.StoredObject{
			Object: cloud.Object{
				ObjectKey: cloud.ObjectKey{Kind: cloud.KindInstance, ID: benchID(first + i)},
				Rev:       uint64(first + i), Body: body,
			},
			Region: "local", OrganizationID: benchID(1), ProjectID: benchID(i % 10),
			State: "running", StateSince: time.Unix(1, 0), UpdatedAt: time.Unix(1, 0),
		}
	}
	return objects
}

// BenchmarkPutObjects measures a batch of 1,000 new objects.
func BenchmarkPutObjects(b *testing.B) {
	p := openBench(b)
	first := 0
	for b.Loop() {
		b.StopTimer()
		objects := benchObjects(b, first)
		first += len(objects)
		b.StartTimer()
		if err := p.Write(b.Context(), func(w cloud.Writer) error { return w.PutObjects("i", "s", objects) }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInstances measures a list of 1,000 instances.
func BenchmarkInstances(b *testing.B) {
	p := openBench(b)
	objects := benchObjects(b, 0)
	if err := p.Write(b.Context(), func(w cloud.Writer) error { return w.PutObjects("i", "s", objects) }); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Read(b.Context(), func(r cloud.Reader) error {
			list, err := r.Instances(benchID(1), "", cloud.Page{})
			if len(list) != len(objects) {
				b.Errorf("got %d instances", len(list))
			}
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}
