package region_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// What a tenant does is announced, also where nothing that is reported changes;
// and what the plane has of it goes after cloud.AuditTTL, the rest never.
func TestTheAuditIsKeptUntilThePlaneHasIt(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		kept := func(want ...uint64) {
			t.Helper()
			seqs := []uint64{}
			s.must(s.store.Read(t.Context(), func(r cloud.RegionReader) error {
				list, err := r.AuditAfter(0, 100)
				for _, e := range list {
					seqs = append(seqs, e.Seq)
					if err := e.Check(); err != nil {
						t.Errorf("what the region writes is no entry of an audit: %v", err)
					}
				}
				return err
			}))
			if d := cmp.Diff(append([]uint64{}, want...), seqs); d != "" {
				t.Errorf("kept (-want +got):\n%s", d)
			}
		}
		synctest.Wait()
		select {
		case <-s.region.Changed():
		default:
		}
		c := s.project("research") // 1
		select {
		case <-s.region.Changed():
		default:
			t.Error("a new project is not announced")
		}
		s.launch(c, small) // 2
		s.must(s.store.Write(t.Context(), func(w cloud.RegionWriter) error {
			for n, age := range []time.Duration{cloud.AuditTTL + time.Hour, cloud.AuditTTL + time.Hour, cloud.AuditTTL - time.Hour} { // 3, 4, 5
				if err := w.AppendAudit(cloud.AuditEntry{
					ID: cloud.ID(fmt.Sprint(n)), At: time.Now().Add(-age), Actor: cloud.Actor{Kind: cloud.ActorSystem}, Action: "x",
				}); err != nil {
					return err
				}
			}
			return nil
		}))
		for _, step := range []struct {
			reported uint64
			want     []uint64
		}{
			{0, []uint64{1, 2, 3, 4, 5}},
			{3, []uint64{1, 2, 3, 4, 5}}, // the last one that the plane has says where to go on
			{4, []uint64{1, 2, 4, 5}},
			{0, []uint64{1, 2, 4, 5}}, // the plane was put back
			{5, []uint64{1, 2, 5}},
		} {
			s.must(s.region.AuditReported(t.Context(), step.reported))
			kept(step.want...)
		}
	})
}
