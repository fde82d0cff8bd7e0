package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
)

const (
	acme, bolt cloud.ID = "organization-a", "organization-b"
	ada, ben   cloud.ID = "user-a", "user-b"
)

var now = time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)

// inhabited is a database with two organizations, two admins of both, and two
// regions. bolt was there first, and so are its rows.
func inhabited(t *testing.T) (database string, a, b *postgres.Plane) {
	t.Helper()
	database = pgtest.Database(t)
	a, b = open(t, modest(t, database)), open(t, modest(t, database))
	write(t, a, func(w cloud.Writer) error {
		for _, user := range []cloud.ID{ada, ben} {
			if err := w.CreateUser(cloud.User{ID: user, Email: cloud.Email(user), Kind: cloud.Person}); err != nil {
				return err
			}
		}
		for _, organization := range []cloud.ID{bolt, acme} {
			if err := w.CreateOrganization(cloud.Organization{ID: organization, Name: string(organization)}); err != nil {
				return err
			}
			for _, user := range []cloud.ID{ada, ben} {
				if err := w.AddMember(cloud.Member{OrganizationID: organization, User: cloud.User{ID: user}, Role: cloud.RoleAdmin}); err != nil {
					return err
				}
			}
		}
		for _, region := range []string{"west-1", "east-1"} {
			if err := w.CreateRegion(cloud.Region{Name: region}); err != nil {
				return err
			}
		}
		return nil
	})
	return database, a, b
}

func object(region string, n int) cloud.StoredObject {
	return cloud.StoredObject{
		Object: cloud.Object{ObjectKey: cloud.ObjectKey{Kind: cloud.KindInstance, ID: cloud.ID(fmt.Sprint("instance-", n))}, Rev: 1, Body: []byte("{}")},
		Region: region, OrganizationID: acme, State: "running",
	}
}

// TestTheSecondSeesTheFirst has two processes decide by the same rows at once.
// The second one waits until the first has committed, and decides by what that
// left. Each story fails without the guard that it is named after.
func TestTheSecondSeesTheFirst(t *testing.T) {
	t.Parallel()
	outcome := cloud.Outcome{Caller: ada, Key: "key", Request: "request", CreatedAt: now}
	key := cloud.SigningKey{ID: "first", PEM: cloud.NewSecret("pem"), CreatedAt: now}
	for name, c := range map[string]struct {
		first  func(cloud.Writer) error
		second func(cloud.Writer) (any, error)
		want   any
	}{
		"LockLink": {
			func(w cloud.Writer) error {
				link, err := w.Link("west-1")
				link.Epoch++
				return errors.Join(err, w.PutLink(link))
			},
			func(w cloud.Writer) (any, error) {
				link, err := w.Link("west-1")
				return link.Epoch, err
			}, uint64(1),
		},
		"LockName of an outcome": {
			func(w cloud.Writer) error {
				if _, err := w.Outcome(ada, "key", now); cloud.CodeOf(err) != cloud.CodeNotFound {
					return fmt.Errorf("got %w", err)
				}
				return w.SaveOutcome(outcome)
			},
			func(w cloud.Writer) (any, error) {
				o, err := w.Outcome(ada, "key", now)
				return o.Request, err
			}, "request",
		},
		"LockName of the signing keys": {
			func(w cloud.Writer) error {
				keys, err := w.SigningKeys()
				if err != nil || len(keys) > 0 {
					return fmt.Errorf("got %d keys, %w", len(keys), err)
				}
				return w.CreateSigningKey(key)
			},
			func(w cloud.Writer) (any, error) {
				keys, err := w.SigningKeys()
				return len(keys), err
			}, 1,
		},
		"LockOrganization": {
			func(w cloud.Writer) error {
				return errors.Join(w.LockOrganization(acme), w.SetRole(acme, ada, cloud.RoleViewer))
			},
			func(w cloud.Writer) (any, error) {
				if err := w.LockOrganization(acme); err != nil {
					return nil, err
				}
				return w.CountAdmins(acme)
			}, int64(1),
		},
		"the condition of ClaimJob": {
			func(w cloud.Writer) error {
				_, err := w.ClaimJob(cloud.Housekeeping, now)
				return err
			},
			func(w cloud.Writer) (any, error) { return w.ClaimJob(cloud.Housekeeping, now) },
			false,
		},
		"the unique names of SSH keys": {
			func(w cloud.Writer) error {
				return w.CreateSSHKey(cloud.SSHKey{UserID: ada, Name: "laptop", Fingerprint: "1"})
			},
			func(w cloud.Writer) (any, error) {
				return cloud.CodeOf(w.CreateSSHKey(cloud.SSHKey{UserID: ada, Name: "laptop", Fingerprint: "2"})), nil
			}, cloud.CodeConflict,
		},
		"the unique addresses of invitations": {
			func(w cloud.Writer) error {
				return w.CreateInvitation(cloud.Invitation{ID: "1", OrganizationID: acme, Email: "dora@example.com", CreatedAt: now, ExpiresAt: now.Add(time.Hour)})
			},
			func(w cloud.Writer) (any, error) {
				return cloud.CodeOf(w.CreateInvitation(cloud.Invitation{ID: "2", OrganizationID: acme, Email: "Dora@example.com", CreatedAt: now, ExpiresAt: now.Add(time.Hour)})), nil
			}, cloud.CodeConflict,
		},
		"the retry of objects_shown": {
			func(w cloud.Writer) error { return w.PutObjects("i", "", []cloud.StoredObject{object("east-1", 1)}) },
			func(w cloud.Writer) (any, error) {
				o := object("west-1", 1)
				owners, err := w.Owners([]cloud.ObjectKey{o.ObjectKey})
				if err != nil {
					return nil, err
				}
				if owners[o.ObjectKey] != "" {
					o.Held = cloud.HeldForeignID
				}
				return owners[o.ObjectKey], w.PutObjects("i", "", []cloud.StoredObject{o})
			}, "east-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, a, b := inhabited(t)
			commit := held(t, a, c.first)
			var got any
			ended := waiting(t, connect(t, database), func() error {
				return b.Write(t.Context(), func(w cloud.Writer) (err error) {
					got, err = c.second(w)
					return err
				})
			})
			commit()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("the second saw %v; want %v", got, c.want)
			}
		})
	}
}

// TestOneStreamOfChanges has two processes change a region at once. Fails
// without the lock that Write begins with: both would give out one seq.
func TestOneStreamOfChanges(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	var regions [2]*postgres.Region
	for i := range regions {
		r, err := openRegion(t, modest(t, database))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		regions[i] = r
	}
	next := func(w cloud.RegionWriter) (uint64, error) {
		identity, err := w.Identity()
		if err != nil {
			return 0, err
		}
		identity.Seq++
		return identity.Seq, w.SetIdentity(identity)
	}
	began, ends, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- regions[0].Write(t.Context(), func(w cloud.RegionWriter) error {
			_, err := next(w)
			close(began)
			select {
			case <-ends:
			case <-t.Context().Done(): // the test has failed
			}
			return err
		})
	}()
	<-began
	var got uint64
	second := waiting(t, connect(t, database), func() error {
		return regions[1].Write(t.Context(), func(w cloud.RegionWriter) (err error) {
			got, err = next(w)
			return err
		})
	})
	close(ends)
	if err := errors.Join(<-ended, <-second); err != nil {
		t.Fatal(err)
	}
	if got != 2 {
		t.Errorf("the second change has the seq %d; want 2", got)
	}
}

// TestFleetsAreHeldInOrder touches two fleets of which another transaction holds
// the first: whoever waits for it does not hold the second already. Fails
// without ORDER BY … FOR UPDATE in TouchFleets, since bolt's row was made first.
func TestFleetsAreHeldInOrder(t *testing.T) {
	t.Parallel()
	database, a, _ := inhabited(t)
	other := connect(t, database)
	tx, err := other.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM fleets WHERE organization_id = $1 FOR UPDATE", acme); err != nil {
		t.Fatal(err)
	}
	third := connect(t, database)
	ended := waiting(t, third, func() error {
		return a.Write(t.Context(), func(w cloud.Writer) error { return w.TouchFleet([]cloud.ID{bolt, acme}) })
	})
	execute(t, third, "SELECT 1 FROM fleets WHERE organization_id = '"+string(bolt)+"' FOR UPDATE NOWAIT")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestNoRevisionIsLost touches a fleet while another transaction does. Fails if
// the new revision is worked out from what was read before.
func TestNoRevisionIsLost(t *testing.T) {
	t.Parallel()
	database, a, b := inhabited(t)
	touch := func(w cloud.Writer) error { return w.TouchFleet([]cloud.ID{bolt, acme}) }
	commit := held(t, a, touch)
	ended := waiting(t, connect(t, database), func() error { return b.Write(t.Context(), touch) })
	commit()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	standing, err := a.Standing(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range standing.Relations {
		if r.FleetRevision != 2 {
			t.Errorf("the fleet of %s has the revision %d; want 2", r.OrganizationID, r.FleetRevision)
		}
	}
}

// TestMembersDoNotWaitForReports changes the members of an organization while a
// region's report holds its fleet, and the other way around. Fails if the
// fleet's revision is in the organization's row.
func TestMembersDoNotWaitForReports(t *testing.T) {
	t.Parallel()
	_, a, b := inhabited(t)
	report := func(w cloud.Writer) error {
		link, err := w.Link("west-1")
		if err != nil {
			return err
		}
		return errors.Join(w.PutObjects("i", "", []cloud.StoredObject{object("west-1", 1)}), w.PutLink(link), w.TouchFleet([]cloud.ID{acme}), w.TouchHealth())
	}
	members := func(w cloud.Writer) error {
		return errors.Join(w.LockOrganization(acme), w.SetRole(acme, ben, cloud.RoleEditor),
			w.AppendAudit(cloud.AuditEntry{ID: "1", OrganizationID: acme}))
	}
	b.SetPatience(5 * time.Second)
	commit := held(t, a, report)
	if err := b.Write(t.Context(), func(w cloud.Writer) error { return errors.Join(members(w), errUndone) }); !errors.Is(err, errUndone) {
		t.Errorf("members change while a region reports: %v", err)
	}
	commit()
	commit = held(t, a, members)
	if err := b.Write(t.Context(), report); err != nil {
		t.Errorf("a region reports while members change: %v", err)
	}
	commit()
}

var errUndone = errors.New("undone")

// TestDeadlocksAreRunAgain has two transactions hold each what the other one
// wants. Fails, with 503, without the retry.
func TestDeadlocksAreRunAgain(t *testing.T) {
	t.Parallel()
	_, a, b := inhabited(t)
	var runs atomic.Int32
	holds := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	try := func(s cloud.Store, n int, organizations ...cloud.ID) error {
		first := true
		return s.Write(t.Context(), func(w cloud.Writer) error {
			runs.Add(1)
			if err := w.LockOrganization(organizations[0]); err != nil {
				return err
			}
			if first {
				first = false
				close(holds[n])
				<-holds[1-n]
			}
			return w.LockOrganization(organizations[1])
		})
	}
	other := make(chan error, 1)
	go func() { other <- try(a, 0, acme, bolt) }()
	if err := errors.Join(try(b, 1, bolt, acme), <-other); err != nil {
		t.Error(err)
	}
	if n := runs.Load(); n < 3 {
		t.Errorf("there were %d runs; want another one, as one is given up", n)
	}
}

// TestTryingAgainHasAnEnd has a transaction always fail as one that others get
// in the way of.
func TestTryingAgainHasAnEnd(t *testing.T) {
	t.Parallel()
	p := open(t, modest(t, pgtest.Database(t)))
	runs := 0
	err := p.Write(t.Context(), func(w cloud.Writer) error {
		runs++
		if err := w.MarkAlive(now); err != nil {
			return err
		}
		return raise(t.Context(), p, "40001")
	})
	if cloud.CodeOf(err) != cloud.CodeUnavailable || runs != postgres.Attempts {
		t.Errorf("got %v after %d runs; want %s after %d", err, runs, cloud.CodeUnavailable, postgres.Attempts)
	}
	if err := p.Read(t.Context(), func(r cloud.Reader) error {
		plane, err := r.Plane()
		if !plane.AliveAt.IsZero() {
			t.Error("something of what was given up is there")
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// raise has the server fail with a SQLSTATE.
func raise(ctx context.Context, p *postgres.Plane, code string) error {
	return p.Execute(ctx, "DO $$ BEGIN RAISE EXCEPTION 'as the test wants' USING ERRCODE = '"+code+"'; END $$")
}

// TestReadsAreRunAgain gives up a read for a deadlock with another's change of
// the tables. Fails, with 503, if only writes are run again.
func TestReadsAreRunAgain(t *testing.T) {
	t.Parallel()
	database, a, _ := inhabited(t)
	other, watcher := connect(t, database), connect(t, database)
	for {
		execute(t, other, "BEGIN", "LOCK TABLE regions IN ACCESS EXCLUSIVE MODE")
		runs := 0
		ended := waiting(t, watcher, func() error {
			return a.Read(t.Context(), func(r cloud.Reader) error {
				runs++
				if _, err := r.Links(); err != nil {
					return err
				}
				_, err := r.Region("west-1")
				return err
			})
		})
		// The one who has waited longer is given up, if that is not too long.
		_, given := other.Exec(t.Context(), "LOCK TABLE links IN ACCESS EXCLUSIVE MODE")
		execute(t, other, "ROLLBACK")
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if given != nil {
			continue // the other one was
		}
		if runs != 2 {
			t.Errorf("there were %d runs; want 2", runs)
		}
		return
	}
}
