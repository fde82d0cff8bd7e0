package managementapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

type auditEntry struct {
	ID     string
	At     time.Time
	Action string
	Target string
	Actor  struct{ Kind, ID, Name, Email string }
	Before json.RawMessage
	After  json.RawMessage
	From   string `json:"address"`
	ReqID  string `json:"request_id"`
	Region string
	// ReportedAt is what the region's clock said.
	ReportedAt *time.Time `json:"reported_at"`
}

func actions(entries []auditEntry) (actions []string) {
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	return actions
}

// TestAudit does some things and reads in the audit what it was.
func TestAudit(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		changed := w.call(admin, "PATCH", memberPath(guest), `{"role":"editor"}`).want(http.StatusOK)
		w.clock.Pass(time.Minute)
		w.call(guest, "DELETE", "/user/organizations/"+acme, "").want(http.StatusNoContent)
		w.clock.Pass(time.Minute)
		if err := w.operator().SuspendOrganization(t.Context(), "acme", true); err != nil {
			t.Fatal(err)
		}
		w.call(stranger, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusCreated) // elsewhere
		w.call(guest, "POST", "/user/keys", newKey("desktop", publicKey("desktop"))).want(http.StatusOK) // nowhere
		got := list[auditEntry](w.get(admin, "/audit").want(http.StatusOK))
		if diff := cmp.Diff([]string{"organization.suspend", "member.leave", "member.update"}, actions(got)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if by := got[0].Actor; by.Kind != "operator" || by.ID != "root" || by.Name != "" || got[0].From != "" || got[0].Before != nil {
			t.Errorf("the operator's is %+v", got[0])
		}
		update := got[2]
		if by := update.Actor; by.Kind != "user" || by.ID != string(userIDs[admin]) || by.Name != "The admin" || by.Email != "admin@example.com" {
			t.Errorf("the actor is %+v", by)
		}
		if string(update.Before) != `{"email":"guest@example.com","role":"viewer"}` || string(update.After) != `{"email":"guest@example.com","role":"editor"}` ||
			update.Target != string(userIDs[guest]) || update.From != "192.0.2.1" || update.ReqID != changed.header.Get("X-Request-ID") || !update.At.Equal(start.Truncate(time.Microsecond)) {
			t.Errorf("got %+v", update)
		}
		second := start.Add(time.Minute).Format(time.RFC3339Nano)
		for query, want := range map[string][]string{
			"actor=" + string(userIDs[admin]):  {"member.update"},
			"actor=root":                       {"organization.suspend"},
			"action=member.leave":              {"member.leave"},
			"action=member":                    nil,
			"target=" + string(userIDs[guest]): {"member.leave", "member.update"},
			"target=" + string(userIDs[guest]) + "&action=member.update":     {"member.update"},
			"since=" + url.QueryEscape(second):                               {"organization.suspend", "member.leave"},
			"until=" + url.QueryEscape(second):                               {"member.update"},
			"since=2026-03-02T14:30:00Z&until=2026-03-02T15:31:30%2B01:00":   {"member.leave", "member.update"},
			"since=2027-01-01T00:00:00Z":                                     nil,
			"actor=" + string(userIDs[stranger]):                             nil,
			"target=" + string(userIDs[guest]) + "&actor=%27%20OR%201%3D1--": nil,
		} {
			if diff := cmp.Diff(want, actions(list[auditEntry](w.get(admin, "/audit?"+query).want(http.StatusOK)))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
	})
}

// TestAuditOfRegions reads what a region reported: as its word, in the order in
// which it came, and with no names of people that are none of the reader's
// business.
func TestAuditOfRegions(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		clock := start.Add(-48 * time.Hour).Truncate(time.Microsecond)
		w.write(func(tx cloud.Writer) error {
			for i, actor := range []cloud.Actor{
				{Kind: cloud.ActorUser, ID: string(userIDs[guest])},
				{Kind: cloud.ActorUser, ID: string(userIDs[stranger])},
				{Kind: cloud.ActorSystem, ID: "penstock"},
				{Kind: cloud.ActorUser, ID: string(userIDs[stranger])},
			} {
				e := cloud.AuditEntry{
					ID: cloud.ID(fmt.Sprintf("019cae00-0000-7000-a000-%012x", i)), At: start.Add(time.Duration(i) * time.Second),
					OrganizationID: acme, Actor: actor, Action: "instance.stop", Target: fmt.Sprint(i),
				}
				if i < 3 {
					e.Reported = cloud.Reported{Region: []string{"west-1", "east-1"}[i%2], ID: e.ID, At: clock}
				}
				if err := tx.AppendAudit(e); err != nil {
					return err
				}
			}
			return nil
		})
		got := list[auditEntry](w.get(admin, "/audit").want(http.StatusOK))
		if len(got) != 4 {
			t.Fatalf("got %+v", got)
		}
		type facts struct{ Target, Region, Kind, Name string }
		var seen []facts
		for _, e := range got {
			seen = append(seen, facts{e.Target, e.Region, e.Actor.Kind, e.Actor.Name})
			if (e.Region == "") != (e.ReportedAt == nil) || e.ReportedAt != nil && !e.ReportedAt.Equal(clock) || e.At.Equal(clock) {
				t.Errorf("%s: at %v, reported %v", e.Target, e.At, e.ReportedAt)
			}
		}
		want := []facts{
			{"3", "", "user", "The stranger"}, {"2", "west-1", "system", ""}, {"1", "east-1", "user", ""}, {"0", "west-1", "user", "The guest"},
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for query, want := range map[string][]string{"region=west-1": {"2", "0"}, "region=east-1&limit=1": {"1"}, "region=north-1": nil, "region=west-1&limit=1": {"2"}} {
			r := w.get(admin, "/audit?"+query).want(http.StatusOK)
			var targets []string
			for _, e := range list[auditEntry](r) {
				targets = append(targets, e.Target)
			}
			if diff := cmp.Diff(want, targets); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
			if next := nextOf(t, r); (next != "") != (query == "region=west-1&limit=1") {
				t.Errorf("%s: next is %q", query, next)
			}
		}
	})
}

// TestAuditPagesKeepTheirFilter walks a filtered audit, also one longer than comes
// at once.
func TestAuditPagesKeepTheirFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(func(tx cloud.Writer) error {
		for i := range 2500 {
			if err := tx.AppendAudit(cloud.AuditEntry{
				ID: cloud.ID(fmt.Sprintf("019cae00-0000-7000-a000-%012x", i)), At: start.Add(time.Duration(i) * time.Second), OrganizationID: acme,
				Actor: cloud.Actor{Kind: cloud.ActorUser, ID: string(userIDs[guest])}, Action: []string{"a.b", "c d&e=f"}[i%2], Target: fmt.Sprint(i),
			}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		query        string
		pages, items int
	}{
		{"", 3, 2500},
		{"limit=500", 5, 2500},
		{"action=a.b", 2, 1250},
		{"action=c%20d%26e%3Df&limit=400", 4, 1250},
		{"actor=" + string(userIDs[guest]) + "&since=2026-03-02T14:30:01Z&until=2026-03-02T14:30:12Z&limit=3", 4, 11},
	} {
		var targets []string
		pages := 0
		for next := "/audit?" + c.query; next != ""; pages++ {
			r := w.get(admin, next).want(http.StatusOK)
			for _, e := range list[auditEntry](r) {
				targets = append(targets, e.Target)
			}
			next = nextOf(t, r)
		}
		items := len(targets)
		slices.Sort(targets)
		if pages != c.pages || items != c.items || len(slices.Compact(targets)) != items {
			t.Errorf("%q: got %d items on %d pages; want %d on %d, each once", c.query, items, pages, c.items, c.pages)
		}
	}
}

// TestNothingChangesTheAudit sends to it all that there is.
func TestNothingChangesTheAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		w.call(admin, method, "/audit", "{}").want(http.StatusMethodNotAllowed)
		w.call(admin, method, "/audit/"+nobody, "{}").want(http.StatusNotFound)
	}
}
