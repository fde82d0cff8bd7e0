package federation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
)

// replicas are two processes' stores of one new database on PostgreSQL.
func replicas(t *testing.T, connections int) (database string, stores []cloud.Store) {
	t.Helper()
	u, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	database = u.String()
	query := u.Query()
	query.Set("pool_max_conns", fmt.Sprint(connections))
	u.RawQuery = query.Encode()
	for range 2 {
		s, err := postgres.OpenPlane(t.Context(), u.String(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores = append(stores, s)
	}
	return database, stores
}

// gated is a store whose transactions stop before they write the link.
type gated struct {
	cloud.Store
	reached chan struct{}
	open    chan struct{}
}

func (s gated) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	return s.Store.Write(ctx, func(w cloud.Writer) error { return fn(gatedWriter{w, ctx, s}) })
}

type gatedWriter struct {
	cloud.Writer
	ctx   context.Context
	store gated
}

func (w gatedWriter) PutLink(l cloud.Link) error {
	close(w.store.reached)
	select {
	case <-w.store.open:
		return w.Writer.PutLink(l)
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// TestOneMessageReachesBothReplicas has a repeated message arrive at one process
// while the other is about to commit it. It is applied once. Fails without
// LockLink: the fleet's revision moves twice.
func TestOneMessageReachesBothReplicas(t *testing.T) {
	t.Parallel()
	database, stores := replicas(t, 4)
	s := newStandOn(t, stores...)
	r := newSite(s, west)
	r.hello()
	r.run(1, acme, cloud.InstanceRunning)
	r.sync()
	r.run(1, acme, cloud.InstanceStopped)
	r.run(2, acme, cloud.InstanceRunning)
	m := r.delta(r.applied)
	activity, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer activity.Close(context.WithoutCancel(t.Context()))

	gate := gated{stores[0], make(chan struct{}), make(chan struct{})}
	type result struct {
		answer wire.SyncAnswer
		err    error
	}
	send := func(p *federation.Plane) <-chan result {
		done := make(chan result, 1)
		go func() {
			answer, err := p.Sync(t.Context(), r.peer(), m)
			done <- result{answer, err}
		}()
		return done
	}
	before := s.revisions()
	first := send(s.newPlane(gate))
	<-gate.reached
	second := send(s.newPlane(stores[1]))
	for waiting := 0; waiting == 0; {
		if err := activity.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	close(gate.open)
	a, b := <-first, <-second
	if err := errors.Join(a.err, b.err); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(a.answer, b.answer); diff != "" {
		t.Errorf("the answers differ (-first +second):\n%s", diff)
	}
	before["acme"]++
	if diff := gocmp.Diff(before, s.revisions()); diff != "" {
		t.Errorf("the revisions (-want +got):\n%s", diff)
	}
	s.same(r)
}

// TestTwoRegionsClaimOneIDAtOnce through two processes: one of them has it, and
// the other one's is held aside; nothing fails. Fails without the retry of
// objects_shown, by a conflict.
func TestTwoRegionsClaimOneIDAtOnce(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 4)
	s := newStandOn(t, stores...)
	regions := []*site{newSite(s, west), newSite(s, east)}
	for _, r := range regions {
		r.hello()
	}
	for n := range 20 {
		var claims sync.WaitGroup
		for i, r := range regions {
			r.run(2*n, acme, cloud.InstanceRunning)
			r.run(2*n+1, acme, cloud.InstanceRunning)
			m := r.delta(r.applied)
			claims.Go(func() {
				answer, err := s.planes[i].Sync(t.Context(), r.peer(), m)
				if err != nil {
					t.Errorf("%s: %v", r.name, err)
				}
				r.nonce, r.applied = answer.Nonce, answer.AppliedSeq
			})
		}
		claims.Wait()
	}
	for _, r := range regions {
		s.same(r)
	}
	var shown []cloud.ID
	for _, in := range s.instances(acme) {
		shown = append(shown, in.ID)
	}
	if len(shown) != 40 || len(slices.Compact(shown)) != 40 {
		t.Errorf("%d instances are shown; want each of the 40 once", len(shown))
	}
}

// TestManyRegionsReportTheSameOrganizations while their members change. Nothing
// fails, no transaction is given up for a deadlock, and each report counts.
// Fails without ORDER BY … FOR UPDATE in TouchFleets.
func TestManyRegionsReportTheSameOrganizations(t *testing.T) {
	t.Parallel()
	const regionCount, organizationCount, rounds = 16, 50, 4
	database, stores := replicas(t, 12)
	s := newStandOn(t, stores...)
	const user cloud.ID = "0195c0de-0000-7000-8000-0000000000aa"
	var organizations []cloud.ID
	s.write(func(w cloud.Writer) error {
		errs := []error{w.CreateUser(cloud.User{ID: user, Email: "ada@example.com", Kind: cloud.Person})}
		for n := range organizationCount {
			id := cloud.ID(fmt.Sprintf("0195c0de-0000-7000-8000-%012d", n))
			organizations = append(organizations, id)
			errs = append(errs, w.CreateOrganization(cloud.Organization{ID: id, Name: fmt.Sprint("o", n)}))
			errs = append(errs, w.AddMember(cloud.Member{OrganizationID: id, User: cloud.User{ID: user}, Role: cloud.RoleAdmin}))
		}
		for n := range regionCount {
			errs = append(errs, w.CreateRegion(cloud.Region{Name: fmt.Sprint("region-", n)}))
		}
		return errors.Join(errs...)
	})
	var all sync.WaitGroup
	for n := range regionCount {
		r := newSite(s, fmt.Sprint("region-", n))
		r.hello()
		all.Go(func() {
			for round := range rounds {
				for i, organization := range organizations {
					r.run(1000*n+i, organization, cloud.InstanceStates[round])
				}
				answer, err := s.newPlane(stores[(n+round)%2]).Sync(t.Context(), r.peer(), r.delta(r.applied))
				if err != nil || answer.AppliedSeq != r.seq {
					t.Errorf("%s: got %+v, %v", r.name, answer, err)
				}
				r.nonce, r.applied = answer.Nonce, answer.AppliedSeq
			}
		})
	}
	for n := range 4 {
		all.Go(func() {
			for i := range 2 * organizationCount {
				organization := organizations[(i*(2*n+1))%organizationCount]
				if err := stores[i%2].Write(t.Context(), func(w cloud.Writer) error {
					return errors.Join(w.LockOrganization(organization), w.SetRole(organization, user, cloud.RoleAdmin))
				}); err != nil {
					t.Errorf("a member changes: %v", err)
				}
			}
		})
	}
	all.Wait()
	standing, err := stores[0].Standing(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	for _, relation := range standing.Relations {
		if relation.FleetRevision != regionCount*rounds {
			t.Errorf("the fleet of %s has the revision %d; want %d", relation.OrganizationID, relation.FleetRevision, regionCount*rounds)
		}
	}
	if n := deadlocks(t, database, stores); n != 0 {
		t.Errorf("there were %d deadlocks", n)
	}
}

// deadlocks is how many there were in a database, of which nobody knows before
// whoever met them is gone.
func deadlocks(t *testing.T, database string, stores []cloud.Store) (count int) {
	t.Helper()
	for _, s := range stores {
		s.Close()
	}
	c, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	for others := 1; others > 0; {
		if err := c.QueryRow(t.Context(), "SELECT deadlocks, numbackends - 1 FROM pg_stat_database WHERE datname = current_database()").Scan(&count, &others); err != nil {
			t.Fatal(err)
		}
	}
	return count
}
