package stories

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
	"github.com/penstock-cloud/penstock/test/soak"
)

// TestSoakFailover has the primary lose its power while clients use two planes,
// and the standby promoted somewhat later. What was acknowledged is there, once;
// every answer was right or 503; and both planes serve again, without a restart.
func TestSoakFailover(t *testing.T) {
	t.Parallel()
	var back recoveries
	for n, random := range soak.Rounds(t, 1) {
		t.Run(fmt.Sprint("round-", n), func(t *testing.T) {
			pair := pgtest.NewPair(t)
			p := startPlanes(t, pair.URL())
			end := p.clients.begin(t)
			p.awaitWrites(t, 20+random.IntN(60))
			moment(random, 10*time.Millisecond) // somewhere in the next writes
			pair.KillPrimary(t)
			p.awaitReady(t, http.StatusServiceUnavailable)
			moment(random, 500*time.Millisecond)
			back.add(p.promote(t, pair, requiredRecovery)...)
			end()
			p.verify(t)
		})
	}
	back.log(t)
}

// TestSoakSilentPrimary is TestSoakFailover with a primary that answers no more,
// and does not say so: nobody waits for it longer than the stores' patience.
func TestSoakSilentPrimary(t *testing.T) {
	t.Parallel()
	if !soak.Told() {
		t.Skip("skipped: takes the stores' patience, twice; `make soak` runs it, and TestSilentServer shows the same of a store")
	}
	var back recoveries
	for n, random := range soak.Rounds(t, 1) {
		t.Run(fmt.Sprint("round-", n), func(t *testing.T) {
			pair := pgtest.NewPair(t)
			p := startPlanes(t, pair.URL())
			end := p.clients.begin(t)
			p.awaitWrites(t, 20+random.IntN(60))
			moment(random, 10*time.Millisecond)
			pair.Primary.Freeze(t)
			p.awaitReady(t, http.StatusServiceUnavailable)
			back.add(p.promote(t, pair, enoughRecovery)...)
			end()
			p.verify(t)
		})
	}
	back.log(t)
}

// TestSoakReplicaCrash kills one of two planes at any moment, a few times: the
// other one goes on serving, what either has acknowledged is there, and the one
// that was killed comes back.
func TestSoakReplicaCrash(t *testing.T) {
	t.Parallel()
	kills := 0
	for n, random := range soak.Rounds(t, 1) {
		t.Run(fmt.Sprint("round-", n), func(t *testing.T) {
			p := startPlanes(t, pgtest.Database(t))
			end := p.clients.begin(t)
			for range 1 + random.IntN(5) {
				p.awaitWrites(t, 1+random.IntN(40))
				moment(random, 10*time.Millisecond)
				p.crash(t, random.IntN(len(p.processes)))
				kills++
			}
			end()
			p.verify(t)
		})
	}
	t.Logf("killed %d times", kills)
}

// planes is a plane of two processes over one PostgreSQL database, a region that
// reports to whichever a balancer chooses, and clients.
type planes struct {
	installation

	database  string
	processes []*process
	listens   []string
	balancer  *httptest.Server
	clients   *clients
}

// doubt matches what a list says of instances of which nobody knows for certain.
var doubt = regexp.MustCompile(`"health": ?"(stale|offline)"`)

// startPlanes returns when the region's fleet is known.
func startPlanes(t *testing.T, database string) *planes {
	t.Helper()
	p := &planes{installation: installation{dir: t.TempDir()}, database: database}
	p.env = append(unlimited(t, p.dir), "HOME="+p.dir, "PENSTOCK_DATABASE="+database)
	for range 2 {
		port, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		p.listens = append(p.listens, fmt.Sprint("127.0.0.1:", port))
	}
	p.balancer = httptest.NewServer(p.balance())
	t.Cleanup(p.balancer.Close)
	var apis []string
	for n, listen := range p.listens {
		p.processes = append(p.processes, p.startPlane(t, n))
		apis = append(apis, "http://"+listen+"/api/v1alpha1")
	}
	organization := strings.TrimSpace(p.admin(t, "org", "create", "acme"))
	credential := filepath.Join(p.dir, "west-1.credential")
	if err := os.WriteFile(credential, []byte(p.admin(t, "region", "create", "west-1", "--url", "http://127.0.0.1:8081")), 0o600); err != nil {
		t.Fatal(err)
	}
	p.clients = newClients(strings.TrimSpace(p.admin(t, "token", "create", "--email", "ada@example.com", "--role", "admin")), apis)
	region, err := serve(p.dir, "region", []string{"HOME=" + p.dir}, []string{
		"serve", "region", "--name", "west-1", "--plane", p.balancer.URL, "--credential-file", credential,
		"--organization", organization, "--fleet", fmt.Sprint(fleet), "--listen", "127.0.0.1:0", "--ops-listen", "",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(region.kill)
	p.awaitFleet(t)
	return p
}

// startPlane starts a process where it was before.
func (p *planes) startPlane(t *testing.T, n int) *process {
	t.Helper()
	plane, err := serve(p.dir, fmt.Sprint("plane-", n), p.env, []string{
		"serve", "plane", "--listen", p.listens[n], "--public-url", p.balancer.URL, "--ops-listen", "",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.kill)
	return plane
}

// balance has each request go to another plane than the one before.
func (p *planes) balance() http.Handler {
	var turn atomic.Int64
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: p.listens[turn.Add(1)%int64(len(p.listens))]})
		},
		ErrorLog: log.New(io.Discard, "", 0), // a plane may be down
	}
}

// awaitWrites waits until each plane has acknowledged so many more writes.
func (p *planes) awaitWrites(t *testing.T, writes int) {
	t.Helper()
	for _, r := range p.clients.replicas {
		p.awaitWritesOf(t, r, writes)
	}
}

func (p *planes) awaitWritesOf(t *testing.T, r *replica, writes int) {
	t.Helper()
	before := r.acknowledged()
	err := wait(func() error {
		if n := r.acknowledged() - before; n < writes && !t.Failed() {
			return fmt.Errorf("%s has acknowledged %d writes; want %d", r.api, n, writes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// awaitReady waits until all planes tell a balancer this.
func (p *planes) awaitReady(t *testing.T, status int) {
	t.Helper()
	for _, listen := range p.listens {
		q := question{method: http.MethodGet, url: "http://" + listen + "/readyz", status: status, count: -1}
		if err := wait(func() error { _, err := q.ask(); return err }); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitFleet waits until all planes list the whole fleet, in good health.
func (p *planes) awaitFleet(t *testing.T) {
	t.Helper()
	for _, r := range p.clients.replicas {
		err := wait(func() error {
			got, err := p.clients.again(r, "/instances", representation{})
			if err == nil {
				err = believed(got.body)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// requiredRecovery is how soon after the promotion the plane has to be back.
// enoughRecovery is what a machine may make of it that is busy with other tests,
// and where each new connection tries a silent primary first.
const (
	requiredRecovery = 5 * time.Second
	enoughRecovery   = 30 * time.Second
)

// promote makes the standby a primary, and waits until everything goes on: each
// plane acknowledges writes and is ready, and the region's reports are taken. It
// returns how long after it was begun each plane acknowledged a write, of which
// `make soak` insists on the limit.
func (p *planes) promote(t *testing.T, pair *pgtest.Pair, limit time.Duration) (took []time.Duration) {
	t.Helper()
	began := time.Now()
	pair.Promote(t)
	end := p.clients.begin(t) // more of them: the others may still wait for the old primary
	defer end()
	p.awaitWrites(t, 1)
	if !soak.Told() {
		limit = enoughRecovery
	}
	for _, r := range p.clients.replicas {
		first, ok := r.firstAfter(began)
		if after := first.Sub(began); !ok || after > limit {
			t.Errorf("%s acknowledged a write %v after the promotion; the requirement is %v, and the bound here %v",
				r.api, after, requiredRecovery, limit)
		} else {
			took = append(took, after)
		}
	}
	p.awaitReady(t, http.StatusOK)
	store := p.store(t)
	promoted := p.syncedAt(t, store)
	err := wait(func() error {
		if !p.syncedAt(t, store).After(promoted) {
			return fmt.Errorf("the region has not reported since %v", promoted)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	p.awaitFleet(t)
	return took
}

// store opens the database as a plane does.
func (p *planes) store(t *testing.T) cloud.Store {
	t.Helper()
	store, err := postgres.OpenPlane(t.Context(), p.database, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// syncedAt is when the region's last report was taken.
func (p *planes) syncedAt(t *testing.T, store cloud.Store) (at time.Time) {
	t.Helper()
	err := store.Read(t.Context(), func(tx cloud.Reader) error {
		link, err := tx.Link("west-1")
		at = link.SyncedAt
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// crash kills one plane, and starts it again once another one has gone on.
func (p *planes) crash(t *testing.T, n int) {
	t.Helper()
	killed, other := p.clients.replicas[n], p.clients.replicas[(n+1)%len(p.clients.replicas)]
	killed.turn()
	p.processes[n].kill()
	p.awaitWritesOf(t, other, 20)
	p.processes[n] = p.startPlane(t, n)
	killed.turn()
	p.awaitWritesOf(t, killed, 1)
}

// verify is the clients', after which no process has said what is secret.
func (p *planes) verify(t *testing.T) {
	t.Helper()
	p.clients.verify(t, p.store(t))
	if err := (&stderrs{dir: p.dir}).leak(); err != nil {
		t.Error(err)
	}
	t.Logf("%d writes were acknowledged, and %d answers 503; the slowest answer took %v",
		len(p.clients.acknowledged), p.clients.unavailable, p.clients.slowest.Round(time.Millisecond))
}

// recoveries is how long after promotions planes acknowledged a write again.
type recoveries []time.Duration

func (r *recoveries) add(more ...time.Duration) { *r = append(*r, more...) }

func (r recoveries) log(t *testing.T) {
	t.Helper()
	if len(r) == 0 {
		return
	}
	slices.Sort(r)
	t.Logf("from the promotion to a plane's first acknowledged write, %d times: median %v, at most %v",
		len(r), r[len(r)/2].Round(time.Millisecond), r[len(r)-1].Round(time.Millisecond))
}
