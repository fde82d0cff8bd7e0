package federation_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

func actID(n int) string { return fmt.Sprintf("0195c0de-ac70-7000-8000-%012d", n) }

// act is the entry n of a region's audit.
func act(n int, mend ...func(*wire.AuditEntry)) wire.AuditEntry {
	before, after := json.RawMessage(`{"state":"running"}`), json.RawMessage(`{"state":"stopped"}`)
	e := wire.AuditEntry{
		ID: actID(n), AtUs: time.Date(2026, 3, 1, 11, 59, n, 0, time.UTC).UnixMicro(), OrganizationID: string(acme),
		ActorKind: "user", ActorID: string(ada), Action: "instance.stop", Target: fmt.Sprint(n),
		Before: &before, After: &after, RequestID: new("request-1"), Address: new("192.0.2.7"),
	}
	for _, m := range mend {
		m(&e)
	}
	return e
}

// told is a message of these entries.
func (r *site) told(after string, entries ...wire.AuditEntry) wire.AuditReport {
	m := wire.AuditReport{Epoch: r.epoch, After: after, Entries: entries}
	if len(entries) > 0 {
		m.Upto = entries[len(entries)-1].ID
	}
	return m
}

func (r *site) tell(m wire.AuditReport) wire.AuditAnswer {
	r.s.t.Helper()
	answer, err := r.s.plane.ReportAudit(r.s.t.Context(), r.peer(), m)
	if err != nil {
		r.s.t.Fatal(err)
	}
	return answer
}

// heardOf is the audit of an organization from its beginning.
func (s *stand) heardOf(organization cloud.ID) []cloud.AuditEntry {
	s.t.Helper()
	list := read(s, func(r cloud.Reader) ([]cloud.AuditEntry, error) {
		return r.Audit(organization, cloud.AuditFilter{}, cloud.Page{})
	})
	slices.Reverse(list)
	return list
}

func (s *stand) targetsOf(organization cloud.ID) (targets []string) {
	s.t.Helper()
	for _, e := range s.heardOf(organization) {
		targets = append(targets, e.Target)
	}
	return targets
}

// What a region says is kept as it says it, but in the place and at the time at
// which it comes.
func TestWhatRegionsDidIsInTheAudit(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	if last := r.send(r.heartbeat()).AuditLast; last == nil || *last != "" {
		t.Errorf("before the first the last one is %v", last)
	}
	if diff := gocmp.Diff(wire.AuditAnswer{Last: actID(1)}, r.tell(r.told("", act(1)))); diff != "" {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
	if last := r.send(r.heartbeat()).AuditLast; last == nil || *last != actID(1) {
		t.Errorf("the last one is %v", last)
	}
	want := []cloud.AuditEntry{{
		At: s.clock(), OrganizationID: acme, Actor: cloud.Actor{Kind: cloud.ActorUser, ID: string(ada)}, Action: "instance.stop", Target: "1",
		Before: `{"state":"running"}`, After: `{"state":"stopped"}`, Origin: cloud.Origin{RequestID: "request-1", Address: "192.0.2.7"},
		Reported: cloud.Reported{Region: west, ID: cloud.ID(actID(1)), At: time.Date(2026, 3, 1, 11, 59, 1, 0, time.UTC)},
	}}
	got := s.heardOf(acme)
	for i := range got {
		if got[i].ID == cloud.ID(actID(1)) {
			t.Error("the plane took the region's id for its own")
		}
		got[i].ID = ""
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Messages come twice, late and after either end was put back.
func TestEntriesOfTheAuditComeOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		story func(s *stand, r *site)
		last  string
		want  []string
	}{
		"one after the other": {func(_ *stand, r *site) {
			r.tell(r.told("", act(1), act(2)))
			r.tell(r.told(actID(2), act(3)))
		}, actID(3), []string{"1", "2", "3"}},
		"the answer was lost": {func(_ *stand, r *site) {
			r.tell(r.told("", act(1)))
			r.tell(r.told("", act(1), act(2)))
		}, actID(2), []string{"1", "2"}},
		"one comes late": {func(_ *stand, r *site) {
			r.tell(r.told("", act(1)))
			late := r.told(actID(1), act(2))
			r.tell(late)
			r.tell(r.told(actID(2), act(3)))
			if answer := r.tell(late); answer.Last != actID(3) {
				r.s.t.Errorf("the answer to what is late is %+v", answer)
			}
		}, actID(3), []string{"1", "2", "3"}},
		"it says something else the second time": {func(_ *stand, r *site) {
			r.tell(r.told("", act(1)))
			r.tell(r.told("", act(1, func(e *wire.AuditEntry) { e.Target = "forged" })))
		}, actID(1), []string{"1"}},
		"the plane was put back": {func(s *stand, r *site) {
			r.tell(r.told("", act(1)))
			link := s.link(west)
			r.tell(r.told(actID(1), act(2)))
			s.write(func(w cloud.Writer) error { return w.PutLink(link) })
			if answer := r.tell(r.told(actID(2), act(3))); answer.Last != actID(1) {
				s.t.Errorf("what the plane lacks is not asked for: %+v", answer)
			}
			r.tell(r.told(actID(1), act(2), act(3)))
		}, actID(3), []string{"1", "2", "3"}},
		"the region was put back": {func(_ *stand, r *site) {
			r.tell(r.told("", act(1), act(2)))
			r.tell(r.told("", act(1), act(7)))
		}, actID(7), []string{"1", "2", "7"}},
		"what is left out moves on": {func(_ *stand, r *site) {
			r.tell(wire.AuditReport{Epoch: r.epoch, Upto: actID(9)})
			r.tell(r.told(actID(9), act(10)))
		}, actID(10), []string{"10"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			r := joined(s, west)
			c.story(s, r)
			if diff := gocmp.Diff(c.want, s.targetsOf(acme)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if last := s.link(west).AuditLast; last != cloud.ID(c.last) {
				t.Errorf("the last one is %s; want %s", last, c.last)
			}
		})
	}
}

// No region is in the way of another one, or of the plane, by an id.
func TestRegionsHaveIDsOfTheirOwnInTheAudit(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r, other := joined(s, west), joined(s, east)
	own := cloud.AuditEntry{ID: cloud.ID(actID(1)), At: s.clock(), OrganizationID: acme, Actor: cloud.Actor{Kind: cloud.ActorSystem}, Action: "x", Target: "own"}
	s.write(func(w cloud.Writer) error { return w.AppendAudit(own) })
	r.tell(r.told("", act(1)))
	other.tell(other.told("", act(1, func(e *wire.AuditEntry) { e.Target = "other" })))
	regions := map[string]string{}
	for _, e := range s.heardOf(acme) {
		regions[e.Target] = e.Reported.Region
	}
	if diff := gocmp.Diff(map[string]string{"own": "", "1": west, "other": east}, regions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A single entry that is no good is left out, and holds up nothing.
func TestEntriesThatTheAuditDoesNotKeep(t *testing.T) {
	t.Parallel()
	raw := func(text string) *json.RawMessage { return new(json.RawMessage(text)) }
	for name, mend := range map[string]func(*wire.AuditEntry){
		"an organization that there is not":   func(e *wire.AuditEntry) { e.OrganizationID = string(stray) },
		"one that may not use the region":     func(e *wire.AuditEntry) { e.OrganizationID = string(bolt) },
		"no organization":                     func(e *wire.AuditEntry) { e.OrganizationID = "" },
		"no id":                               func(e *wire.AuditEntry) { e.ID = "" },
		"an id in capitals":                   func(e *wire.AuditEntry) { e.ID = strings.ToUpper(e.ID) },
		"an actor of no kind":                 func(e *wire.AuditEntry) { e.ActorKind = "" },
		"an actor of a kind that there's not": func(e *wire.AuditEntry) { e.ActorKind = "god" },
		"an actor too long":                   func(e *wire.AuditEntry) { e.ActorID = strings.Repeat("x", 256) },
		"no action":                           func(e *wire.AuditEntry) { e.Action = "" },
		"an action that is not printable":     func(e *wire.AuditEntry) { e.Action = "a\x00b" },
		"a target too long":                   func(e *wire.AuditEntry) { e.Target = strings.Repeat("x", 256) },
		"a target that is no text":            func(e *wire.AuditEntry) { e.Target = "\xff" },
		"a request id of two lines":           func(e *wire.AuditEntry) { e.RequestID = new("a\nb") },
		"an address too long":                 func(e *wire.AuditEntry) { e.Address = new(strings.Repeat("x", 256)) },
		"before that is too much":             func(e *wire.AuditEntry) { e.Before = raw(`{"x":"` + strings.Repeat("x", 64<<10) + `"}`) },
		"after that is no object":             func(e *wire.AuditEntry) { e.After = raw(`["x"]`) },
		"after that is no JSON":               func(e *wire.AuditEntry) { e.After = raw(`{"x"`) },
		"after that is no text":               func(e *wire.AuditEntry) { e.After = raw("{\"x\":\"\xff\"}") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			s.write(func(w cloud.Writer) error { return w.SetAccess(west, cloud.Access{Except: []cloud.ID{bolt}}) })
			r := joined(s, west)
			m := r.told("", act(1), act(2, mend), act(3))
			if diff := gocmp.Diff(wire.AuditAnswer{Last: actID(3), Ignored: 1}, r.tell(m)); diff != "" {
				t.Errorf("the answer (-want +got):\n%s", diff)
			}
			if diff := gocmp.Diff([]string{"1", "3"}, s.targetsOf(acme)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, organization := range []cloud.ID{bolt, stray} {
				if targets := s.targetsOf(organization); len(targets) > 0 {
					t.Errorf("%s has %v", organization, targets)
				}
			}
			if !strings.Contains(s.logged.String(), "entries of a region's audit are not kept") {
				t.Error("the log says nothing of it")
			}
		})
	}
}

// A region's clock has no say in where an entry is listed, and in how long it is
// kept; and whatever it says can be written.
func TestTheClockOfARegionHidesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	clocks := []int64{0, 1, -1 << 63, 1<<63 - 1, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()}
	var entries []wire.AuditEntry
	var want []string
	for n, us := range clocks {
		entries = append(entries, act(n, func(e *wire.AuditEntry) { e.AtUs = us }))
		want = append(want, fmt.Sprint(n))
	}
	r.tell(r.told("", entries...))
	if diff := gocmp.Diff(want, s.targetsOf(acme)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, e := range s.heardOf(acme) {
		if !e.At.Equal(s.clock()) {
			t.Errorf("%s is listed at %v", e.Target, e.At)
		}
		if _, err := json.Marshal(e.Reported.At); err != nil {
			t.Errorf("%s: %v", e.Target, err)
		}
	}
	s.write(func(w cloud.Writer) error {
		n, err := w.DeleteAudit(s.clock(), 100)
		if n > 0 {
			t.Errorf("%d entries end by the region's clock", n)
		}
		return err
	})
}

func TestMessagesOfTheAuditThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.tell(r.told("", act(1)))
	old := r.clone()
	r.hello()
	many := make([]wire.AuditEntry, 501)
	for n := range many {
		many[n] = act(n)
	}
	before := s.link(west)
	for name, c := range map[string]struct {
		message wire.AuditReport
		code    cloud.Code
	}{
		"a fenced daemon":            {old.told(actID(1), act(2)), cloud.CodeConflict},
		"an epoch of nobody":         {wire.AuditReport{Epoch: r.epoch + 1, After: actID(1), Upto: actID(2)}, cloud.CodeInvalid},
		"no epoch":                   {wire.AuditReport{After: actID(1), Upto: actID(2)}, cloud.CodeInvalid},
		"too many":                   {r.told(actID(1), many...), cloud.CodeInvalid},
		"after what is no id":        {wire.AuditReport{Epoch: r.epoch, After: "x", Upto: actID(2)}, cloud.CodeInvalid},
		"up to what is no id":        {wire.AuditReport{Epoch: r.epoch, After: actID(1), Upto: "x"}, cloud.CodeInvalid},
		"up to nothing":              {wire.AuditReport{Epoch: r.epoch, After: actID(1)}, cloud.CodeInvalid},
		"up to an id that is longer": {wire.AuditReport{Epoch: r.epoch, After: actID(1), Upto: actID(2) + "0"}, cloud.CodeInvalid},
	} {
		_, err := s.plane.ReportAudit(t.Context(), r.peer(), c.message)
		refused(t, name, err, c.code)
	}
	if diff := gocmp.Diff(before, s.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
	if diff := gocmp.Diff([]string{"1"}, s.targetsOf(acme)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The audit comes over HTTP, as long as a message is no longer than is agreed.
func TestTheAuditOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := joined(a.stand, west)
	c := a.client(credentialOf(west))
	answer, err := c.ReportAuditWithResponse(t.Context(), r.told("", act(1)))
	if err != nil || answer.JSON200 == nil || answer.JSON200.Last != actID(1) {
		t.Fatalf("%v, %s", err, answer.Body)
	}
	var entries []wire.AuditEntry
	for n := 2; n < 20; n++ {
		large := json.RawMessage(`{"x":"` + strings.Repeat("x", 60<<10) + `"}`)
		entries = append(entries, act(n, func(e *wire.AuditEntry) { e.Before, e.After = &large, nil }))
	}
	for name, c := range map[string]struct {
		message    wire.AuditReport
		credential cloud.Secret
		status     int
	}{
		"over 1 MiB":          {r.told(actID(1), entries...), credentialOf(west), http.StatusRequestEntityTooLarge},
		"of another region":   {r.told(actID(1), act(2)), credentialOf(east), http.StatusBadRequest},
		"of nobody":           {r.told(actID(1), act(2)), cloud.NewSecret("x"), http.StatusUnauthorized},
		"up to 1 MiB is fine": {r.told(actID(1), entries[:16]...), credentialOf(west), http.StatusOK},
	} {
		answer, err := a.client(c.credential).ReportAuditWithResponse(t.Context(), c.message)
		if err != nil || answer.StatusCode() != c.status {
			t.Errorf("%s: %v, %d %.200s; want %d", name, err, answer.StatusCode(), answer.Body, c.status)
		}
	}
	if n := len(a.targetsOf(acme)); n != 17 {
		t.Errorf("there are %d entries", n)
	}
}
