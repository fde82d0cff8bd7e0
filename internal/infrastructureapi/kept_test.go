package infrastructureapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/store/memory"
)

// regionWorld is a region's port before a real region, whose daemon does nothing
// by itself.
type regionWorld struct {
	t     *testing.T
	store *countingStore
	api   http.Handler
}

// countingStore counts the transactions that read.
type countingStore struct {
	cloud.RegionStore
	reads atomic.Int64
}

func (s *countingStore) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	s.reads.Add(1)
	return s.RegionStore.Read(ctx, fn)
}

// relations implements region.Authority by what the cast may do.
type relations struct{}

func (relations) Grant(_ context.Context, subject, organization cloud.ID) (region.Grant, error) {
	for _, r := range roles[subject] {
		if r.OrganizationID == organization {
			return region.Grant{Grant: cloud.Grant{Role: r.Role}, Current: true}, nil
		}
	}
	return region.Grant{Current: true}, nil
}

func (relations) Organizations(_ context.Context, subject cloud.ID) (ids []cloud.ID, current bool, err error) {
	for _, r := range roles[subject] {
		ids = append(ids, r.OrganizationID)
	}
	return ids, true, nil
}

func newRegionWorld(t *testing.T, alone bool) *regionWorld {
	t.Helper()
	w := &regionWorld{t: t, store: &countingStore{RegionStore: memory.NewRegion(nobody)}}
	log := slog.New(slog.DiscardHandler)
	var made atomic.Int64
	its := region.New(region.Config{
		Store: w.store, Log: log, Now: time.Now, After: time.After, Alone: alone,
		NewID: func() cloud.ID { return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", made.Add(1))) },
	})
	hosts, err := simulated.Open(simulated.Config{
		Hosts: []cloud.Host{{Name: "host-1", CPU: 2, Memory: 4 << 30}}, Images: []string{"ubuntu22.04"}, Now: time.Now, After: time.After,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := simulated.New(hosts, nil)
	reconciler, err := region.NewReconciler(region.ReconcilerConfig{
		Region: its, Engine: e, Addresses: netip.MustParsePrefix("10.64.0.0/24"), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.api, err = infrastructureapi.NewServer(infrastructureapi.Config{
		Region: region.NewTenants(region.TenantsConfig{
			Region: its, Reconciler: reconciler, Authority: relations{}, Engine: e, Types: types(), Log: log,
		}),
		Verifier: tokens{}, Log: log, ClientAddress: func(*http.Request) string { return "192.0.2.1" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// ask sends a request as somebody, about a project, and reads the answer, which
// has to have the status.
func (w *regionWorld) ask(who, project, method, path, body string, status int, into any) {
	w.t.Helper()
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if project != "" {
		r.Header.Set("X-PROJECT-ID", project)
	}
	a := httptest.NewRecorder()
	w.api.ServeHTTP(a, r)
	if a.Code != status {
		w.t.Errorf("%s %s as %s: got %d %s; want %d", method, path, who, a.Code, a.Body, status)
		return
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(a.Body.Bytes(), into); err != nil {
		w.t.Errorf("%s %s: %v", method, path, err)
	}
}

func (w *regionWorld) project(name string) string {
	w.t.Helper()
	var p struct{ ID string }
	w.ask(editor, "", "POST", "/projects", `{"name":"`+name+`"}`, http.StatusCreated, &p)
	return p.ID
}

func (w *regionWorld) launch(project string) string {
	w.t.Helper()
	var i struct{ ID string }
	w.ask(editor, project, "POST", "/instances", `{"name":"trainer","type":"cpu.2x"}`, http.StatusCreated, &i)
	return i.ID
}

// list is the states of a project's instances.
func (w *regionWorld) list(who, project string) map[string]string {
	w.t.Helper()
	var list []struct{ ID, State string }
	w.ask(who, project, "GET", "/instances", "", http.StatusOK, &list)
	states := make(map[string]string, len(list))
	for _, i := range list {
		states[i.ID] = i.State
	}
	return states
}

// TestListsShowWhatWasAcknowledged changes a project from several sides while
// others list it: a list shows everything that was answered before it was asked
// for, and nothing that an earlier list showed is undone by a later one.
func TestListsShowWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	w := newRegionWorld(t, true)
	project := w.project("research")
	var done atomic.Bool
	var writers, readers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 30 {
				id := w.launch(project)
				if got := w.list(viewer, project)[id]; got != "creating" {
					t.Errorf("after it was made a list shows it as %q", got)
				}
				w.ask(editor, project, "POST", "/instances/"+id+"/actions/stop", "", http.StatusAccepted, nil)
				if got := w.list(viewer, project)[id]; got != "stopping" {
					t.Errorf("after it was stopped a list shows it as %q", got)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			before := map[string]string{}
			for !done.Load() {
				now := w.list(viewer, project)
				for id, state := range before {
					if now[id] == "" || state == "stopping" && now[id] != state {
						t.Errorf("a list shows as %q what one before it showed as %q", now[id], state)
					}
				}
				before = now
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

// TestUnchangedListsAreKept counts what is read: nothing, until the project
// changes, and for nobody who may not have it.
func TestUnchangedListsAreKept(t *testing.T) {
	t.Parallel()
	w := newRegionWorld(t, true)
	project, other := w.project("research"), w.project("other")
	id := w.launch(project)
	reads := func(do func()) int64 {
		before := w.store.reads.Load()
		do()
		return w.store.reads.Load() - before
	}
	list := func() { w.list(viewer, project) }
	list()
	if n := reads(list); n != 0 {
		t.Errorf("an unchanged list cost %d transactions", n)
	}
	w.launch(other)
	if n := reads(list); n != 0 {
		t.Errorf("after a change to another project a list cost %d transactions", n)
	}
	w.ask(stranger, project, "GET", "/instances", "", http.StatusNotFound, nil)
	w.ask(viewer, nobody, "GET", "/instances", "", http.StatusNotFound, nil)
	w.ask(editor, project, "POST", "/instances/"+id+"/actions/stop", "", http.StatusAccepted, nil)
	if n := reads(list); n == 0 {
		t.Error("a changed list was not read")
	}
}

// TestNothingIsKeptBesideOthers is about a database that another daemon may
// write to.
func TestNothingIsKeptBesideOthers(t *testing.T) {
	t.Parallel()
	w := newRegionWorld(t, false)
	project := w.project("research")
	w.launch(project)
	for range 2 {
		before := w.store.reads.Load()
		w.list(viewer, project)
		if w.store.reads.Load() == before {
			t.Error("a list was not read")
		}
	}
}

// TestDeletedProjectIsGone proves that nothing that is kept outlives a project.
func TestDeletedProjectIsGone(t *testing.T) {
	t.Parallel()
	w := newRegionWorld(t, true)
	project := w.project("research")
	for range 2 {
		w.list(viewer, project)
	}
	w.ask(editor, "", "DELETE", "/projects/"+project, "", http.StatusNoContent, nil)
	w.ask(viewer, project, "GET", "/instances", "", http.StatusNotFound, nil)
}
