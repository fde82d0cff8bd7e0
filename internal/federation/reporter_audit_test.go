package federation_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// act appends entries of the audit, as tenants do, with so much to say of each.
func (w *world) act(from, to, size int) {
	w.t.Helper()
	if err := w.store.Write(w.t.Context(), func(tx cloud.RegionWriter) error {
		for n := from; n < to; n++ {
			if err := tx.AppendAudit(cloud.AuditEntry{
				ID: cloud.ID(actID(n)), At: time.Now(), OrganizationID: acme, Actor: cloud.Actor{Kind: cloud.ActorUser, ID: string(ada)},
				Action: "instance.stop", Target: fmt.Sprint(n), After: `{"x":"` + strings.Repeat("x", size) + `"}`,
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stream() (stream cloud.AuditStream) {
	w.t.Helper()
	if err := w.store.Read(w.t.Context(), func(tx cloud.RegionReader) (err error) {
		stream, err = tx.AuditStream()
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return stream
}

// audits are the messages of the audit that reached the plane.
func (w *world) audits() (audits []wire.AuditReport) {
	for _, m := range w.plane.received() {
		if m.Audit != nil {
			audits = append(audits, *m.Audit)
		}
	}
	return audits
}

func numbers(from, to int) (targets []string) {
	for n := from; n < to; n++ {
		targets = append(targets, fmt.Sprint(n))
	}
	return targets
}

// What was done while the plane was away comes at once when it is back, in
// messages within their bounds, between which the region is heard.
func TestTheAuditComesInBoundedMessages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ entries, size int }{"many": {1234, 10}, "large": {60, 50 << 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.act(0, c.entries, c.size)
				w.start()
				w.pass(time.Second)
				var targets []string
				messages := w.audits()
				for i, m := range messages {
					if i > 0 && m.After != messages[i-1].Upto {
						t.Errorf("message %d is after %s; want %s", i, m.After, messages[i-1].Upto)
					}
					size := 0
					for _, e := range m.Entries {
						size += len(*e.After)
						targets = append(targets, e.Target)
					}
					if size > federation.MaxAuditMessage {
						t.Errorf("message %d has %d bytes of facts", i, size)
					}
				}
				if len(messages) != 3 {
					t.Errorf("there are %d messages", len(messages))
				}
				if diff := gocmp.Diff(numbers(0, c.entries), targets); diff != "" {
					t.Errorf("(-want +got):\n%.1000s", diff)
				}
				if s := w.stream(); s.Reported != uint64(c.entries) {
					t.Errorf("the region notes %+v", s)
				}
				beats := slices.DeleteFunc(w.plane.operations(), func(operation string) bool { return operation == "Hello" || strings.Contains(operation, "Snapshot") })
				for i, operation := range beats {
					if operation == "ReportAudit" && beats[i-1] != "Sync" {
						t.Errorf("no sign of life before an audit: %v", beats)
					}
				}
				w.pass(time.Minute)
				if n := len(w.audits()); n != 3 {
					t.Errorf("with nothing new there are %d messages", n)
				}
			})
		})
	}
}

// However messages are lost and repeated, and daemons started again, the plane
// has every entry once.
func TestTheAuditComesThroughLosses(t *testing.T) {
	t.Parallel()
	withBothEnds(t, func(t *testing.T, b *bothEnds) {
		fates := []fate{lost, unanswered, doubled, late, broken, arrives}
		n := 0
		b.network.decide(func(path string) fate {
			if !strings.HasSuffix(path, "/audit") {
				return arrives
			}
			n++
			return fates[n%len(fates)]
		})
		b.start()
		for i := range 12 {
			b.act(10*i, 10*i+10, 10)
			b.pass(20 * time.Second)
			if i%5 == 4 {
				b.stop()
				b.restartRegion()
				b.start()
			}
		}
		b.network.decide(nil)
		b.pass(15 * time.Minute)
		if diff := gocmp.Diff(numbers(0, 120), b.stand.targetsOf(acme)); diff != "" {
			t.Errorf("(-want +got):\n%.2000s", diff)
		}
		if s := b.stream(); s.Seq != 120 || s.Reported != 120 {
			t.Errorf("the region notes %+v", s)
		}
	})
}

// A plane that cannot take the audit hears changes and heartbeats as ever, and
// gets the audit when it can.
func TestTheAuditHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		var refuse atomic.Bool
		refuse.Store(true)
		plane := w.plane.handler()
		w.network.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if refuse.Load() && strings.HasSuffix(r.URL.Path, "/audit") {
				http.Error(rw, `{"message":"no"}`, http.StatusBadRequest)
				return
			}
			plane.ServeHTTP(rw, r)
		}))
		w.act(0, 3, 10)
		w.start()
		for range 20 {
			w.pass(time.Minute)
			if s := w.reporter.Status(); s.State != federation.ReporterSyncing || time.Since(s.LastSync) > 20*time.Second || s.Failures > 0 {
				t.Fatalf("the status is %+v", s)
			}
		}
		attempts := strings.Count(w.log.String(), "bringing the audit to the plane failed")
		if attempts < 3 || attempts > 10 {
			t.Errorf("it was tried %d times in 20 minutes", attempts)
		}
		w.fleet(0, 3, cloud.InstanceRunning)
		w.pass(time.Second)
		w.converged()
		if s := w.stream(); s.Reported != 0 {
			t.Errorf("the region takes for reported: %+v", s)
		}
		refuse.Store(false)
		w.pass(11 * time.Minute)
		if s := w.stream(); s.Reported != 3 || len(w.audits()) != 1 {
			t.Errorf("in the end: %+v after %d messages", s, len(w.audits()))
		}
	})
}

func TestAPlaneThatTakesNoAuditIsSentNone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.plane.noAudit = true
		w.act(0, 3, 10)
		w.start()
		w.pass(5 * time.Minute)
		if n := len(w.audits()); n > 0 {
			t.Errorf("%d messages", n)
		}
		if s := w.stream(); s.Reported != 0 {
			t.Errorf("the region takes for reported: %+v", s)
		}
	})
}

// What the plane would not keep is passed over, and said.
func TestEntriesBeyondTheirBoundsAreNotSent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.act(0, 1, 10)
		w.act(1, 2, cloud.MaxAuditSide)
		w.act(2, 3, 10)
		w.act(3, 4, cloud.MaxAuditSide)
		w.start()
		w.pass(time.Minute)
		var targets []string
		for _, m := range w.audits() {
			for _, e := range m.Entries {
				targets = append(targets, e.Target)
			}
		}
		if diff := gocmp.Diff([]string{"0", "2"}, targets); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if s := w.stream(); s.Reported != 4 {
			t.Errorf("the region notes %+v", s)
		}
		if n := strings.Count(w.log.String(), "an entry of the audit is not brought to the plane"); n != 2 {
			t.Errorf("it is said %d times", n)
		}
	})
}

// A plane that was put back gets again what it lost, though nothing new happens;
// so does one that has what this region never had, since the region was put back.
func TestTheAuditAfterARestore(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{"of the plane": actID(0), "of the plane, to before the first": "", "of the region": actID(77)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.act(0, 3, 10)
				w.start()
				w.pass(time.Second)
				w.plane.with(func(s *planeState) { s.audit, s.audited = last, nil })
				w.pass(time.Minute)
				want := numbers(0, 3)
				if last == actID(0) {
					want = want[1:]
				}
				var targets []string
				w.plane.with(func(s *planeState) {
					for _, e := range s.audited {
						targets = append(targets, e.Target)
					}
				})
				if diff := gocmp.Diff(want, targets); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if s := w.stream(); s.Reported != 3 {
					t.Errorf("the region notes %+v", s)
				}
			})
		})
	}
}
