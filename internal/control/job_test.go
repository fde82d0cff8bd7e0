package control_test

import (
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
		return func() (cloud.Store, error) { return sqlite.OpenPlane(t.Context(), file) }
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
	store, err := sqlite.OpenPlane(t.Context(), filepath.Join(t.TempDir(), "plane.db"))
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
