package control_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// replicas opens one database as two processes do.
func replicas(t *testing.T, open func() (cloud.Store, error)) (stores [2]cloud.Store) {
	t.Helper()
	for i := range stores {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores[i] = s
	}
	return stores
}

// databases are the ways to open a new database, again and again.
var databases = map[string]func(t *testing.T) func() (cloud.Store, error){
	"SQLite": func(t *testing.T) func() (cloud.Store, error) {
		file := filepath.Join(t.TempDir(), "plane.db")
		return func() (cloud.Store, error) { return sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, file)) }
	},
	"PostgreSQL": func(t *testing.T) func() (cloud.Store, error) {
		url := pgtest.Database(t)
		return func() (cloud.Store, error) {
			return postgres.OpenPlane(t.Context(), url, slog.New(slog.DiscardHandler))
		}
	},
}

// TestHouseIsKeptOnceEachTime lets two processes look for their work many times
// at once, each time it is due. Fails without the condition under which
// ClaimJob changes its row.
func TestHouseIsKeptOnceEachTime(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
			var processes []*control.Control
			for _, s := range replicas(t, database(t)) {
				processes = append(processes, control.New(storetest.Twice(s), func() time.Time { return now }, nil, cloud.DefaultHealthPolicy))
			}
			for hour := range 5 {
				var times atomic.Int32
				var looks sync.WaitGroup
				for n := range 20 {
					looks.Go(func() {
						done, err := processes[n%len(processes)].KeepHouse(t.Context())
						if err != nil {
							t.Error(err)
						}
						if done {
							times.Add(1)
						}
					})
				}
				looks.Wait()
				if got := times.Load(); got != 1 {
					t.Errorf("in hour %d the house was kept %d times; want once", hour, got)
				}
				now = now.Add(cloud.Housekeeping.Every)
			}
		})
	}
}

// TestHousekeepingForgetsWhatIsOver has something of each kind, over and not.
func TestHousekeepingForgetsWhatIsOver(t *testing.T) {
	t.Parallel()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	start := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
	now := start
	c := control.New(storetest.Twice(store), func() time.Time { return now }, nil, cloud.DefaultHealthPolicy)
	const organization cloud.ID = "acme"
	if err := store.Write(t.Context(), func(w cloud.Writer) error {
		if err := w.CreateOrganization(cloud.Organization{ID: organization, Name: "acme", CreatedAt: start}); err != nil {
			return err
		}
		for name, life := range map[string]time.Duration{"short": time.Hour, "long": 3 * time.Hour} {
			end := start.Add(life)
			if err := w.CreateInvitation(cloud.Invitation{ID: cloud.ID(name), OrganizationID: organization, Email: cloud.Email(name), CreatedAt: start, ExpiresAt: end}); err != nil {
				return err
			}
			if err := w.SaveOutcome(cloud.Outcome{Caller: "ada", Key: name, CreatedAt: end.Add(-cloud.OutcomeTTL)}); err != nil {
				return err
			}
			if err := w.CreateSigningKey(cloud.SigningKey{ID: name, CreatedAt: start, RetiredAt: start, ExpiresAt: end}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		at   time.Duration
		done bool
		left int
	}{{0, true, 2}, {time.Hour - time.Microsecond, false, 2}, {time.Hour, true, 1}, {2 * time.Hour, true, 1}, {3 * time.Hour, true, 0}} {
		now = start.Add(step.at)
		if done, err := c.KeepHouse(t.Context()); err != nil || done != step.done {
			t.Errorf("after %v: done: %v, %v; want %v", step.at, done, err, step.done)
		}
		if err := store.Read(t.Context(), func(r cloud.Reader) error {
			invitations, err := r.Invitations(organization, start, cloud.Page{})
			if err != nil {
				return err
			}
			keys, err := r.SigningKeys()
			if err != nil {
				return err
			}
			outcomes := 0
			for _, key := range []string{"short", "long"} {
				if _, err := r.Outcome("ada", key, start); err == nil {
					outcomes++
				}
			}
			if len(invitations) != step.left || outcomes != step.left || len(keys) != step.left {
				t.Errorf("after %v: %d invitations, %d outcomes and %d keys are left; want %d of each", step.at, len(invitations), outcomes, len(keys), step.left)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAuditIsForgotten has more entries than go in one transaction: those that
// are too old go, in the span that the operator chose, and no other.
func TestAuditIsForgotten(t *testing.T) {
	t.Parallel()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	begin := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
	const entries = 2500
	if err := store.Write(t.Context(), func(w cloud.Writer) error {
		for i := range entries {
			if err := w.AppendAudit(cloud.AuditEntry{ID: cloud.ID(fmt.Sprintf("%04d", i)), At: begin.Add(time.Duration(i) * time.Second), Action: "a"}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	left := func() (n int) {
		if err := store.Read(t.Context(), func(r cloud.Reader) error {
			all, err := r.Audit("", cloud.AuditFilter{}, cloud.Page{})
			n = len(all)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		ttl  time.Duration // 0 for what is usual
		age  time.Duration // of the first entry
		left int
	}{
		{0, cloud.AuditTTL, entries},
		{0, cloud.AuditTTL + 10*time.Second, entries - 10},
		{2 * cloud.AuditTTL, cloud.AuditTTL + time.Hour, entries - 10},
		{30 * 24 * time.Hour, 30*24*time.Hour + 2300*time.Second, entries - 2300},
	} {
		var options []control.Option
		if step.ttl != 0 {
			options = append(options, control.WithAuditTTL(step.ttl))
		}
		now := begin.Add(step.age)
		// Each begins where no house was kept yet.
		if err := store.Write(t.Context(), func(w cloud.Writer) error {
			_, err := w.ClaimJob(cloud.Job{Name: cloud.Housekeeping.Name, Every: -1000 * time.Hour}, time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		c := control.New(storetest.Twice(store), func() time.Time { return now }, nil, cloud.DefaultHealthPolicy, options...)
		if done, err := c.KeepHouse(t.Context()); err != nil || !done {
			t.Errorf("after %v: done: %v, %v", step.age, done, err)
		}
		if got := left(); got != step.left {
			t.Errorf("after %v, kept for %v: %d entries are left; want %d", step.age, step.ttl, got, step.left)
		}
	}
}

// TestRevocationsOutliveTheirTokens proves that a revocation is kept for as long
// as its token is believed, which is a little longer than it says.
func TestRevocationsOutliveTheirTokens(t *testing.T) {
	t.Parallel()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	begin := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
	now := begin
	c := control.New(storetest.Twice(store), func() time.Time { return now }, nil, cloud.DefaultHealthPolicy)
	if err := store.Write(t.Context(), func(w cloud.Writer) error {
		return w.RevokeToken(cloud.RevokedToken{UserID: "ada", TokenID: "t", ExpiresAt: begin})
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} { // at its end, and an hour later
		if done, err := c.KeepHouse(t.Context()); err != nil || !done {
			t.Fatalf("done: %v, %v", done, err)
		}
		if err := store.Read(t.Context(), func(r cloud.Reader) error {
			revoked, err := r.RevokedTokens("ada")
			if len(revoked) != want {
				t.Errorf("%v after its end, %d revocations are left; want %d", now.Sub(begin), len(revoked), want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(cloud.Housekeeping.Every)
	}
}
