package libvirt

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/penstock-cloud/penstock/client/infrastructure"
	"github.com/penstock-cloud/penstock/client/management"
)

// What this file waits for, by shorter names.
const (
	running = infrastructure.InstanceStateRunning
	stopped = infrastructure.InstanceStateStopped
	failed  = infrastructure.InstanceStateError
)

// TestTenant is a tenant's whole story: from a key at the plane to machines that
// they log in to, that other tenants do not reach, and of which nothing is left
// when they are deleted.
func TestTenant(t *testing.T) {
	p := begin(t)
	key, stranger := newKey(t), newKey(t)
	p.register("laptop", key, http.StatusOK)
	p.register("laptop", key, http.StatusConflict)

	here, elsewhere := p.newProject("here"), p.newProject("elsewhere")
	web, beside, other := p.launch(here, "web"), p.launch(here, "beside"), p.launch(elsewhere, "other")
	for _, m := range []*machine{web, beside, other} {
		m.becomes(running)
		m.logsIn(key, "true")
		m.planeShows(management.InstanceStateRunning, management.InstanceHealthHealthy)
	}
	p.agrees(here, elsewhere)
	if out := web.logsIn(key, "hostname; cat /seed/user-data; echo kept | dd of=/dev/vda conv=fsync 2>/dev/null"); out != "web\n"+userData {
		t.Errorf("inside: %q", out)
	}
	if _, err := web.inside(stranger, "true"); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Errorf("with a key that nobody registered: %v", err)
	}
	checkReach(t, key, web, beside, other)

	web.killQEMU()
	eventually(t, promised, func() error {
		got, err := web.state()
		if err == nil && got == running {
			err = fmt.Errorf("it is still said to be running")
		}
		return err
	})
	web.becomes(failed)
	web.planeShows(management.InstanceStateError, management.InstanceHealthAttention)
	for range 2 { // what was done is not done again
		must(t, start(web))
	}
	web.becomes(running)
	if out := web.logsIn(key, "head -n 1 /dev/vda"); out != "kept\n" {
		t.Errorf("the disk forgot: %q", out)
	}
	for range 2 {
		must(t, stop(web))
	}
	web.becomes(stopped)
	web.planeShows(management.InstanceStateStopped, management.InstanceHealthHealthy)
	p.agrees(here, elsewhere)
	must(t, start(web))
	web.becomes(running)
	if out := web.logsIn(key, "head -n 1 /dev/vda"); out != "kept\n" {
		t.Errorf("the disk forgot: %q", out)
	}

	if text := p.deleteProject(here, http.StatusConflict); !strings.Contains(text, "2 instances") {
		t.Errorf("a project with two instances is refused without counting them: %s", text)
	}
	for _, m := range []*machine{web, beside, other} {
		must(t, remove(m))
	}
	for _, m := range []*machine{web, beside, other} {
		m.becomes(gone)
	}
	p.deleteProject(here, http.StatusNoContent)
	p.deleteProject(elsewhere, http.StatusNoContent)
	p.planeShowsNothing()
	p.leftNothing()
	must(t, p.region.interrupt())
}

// checkReach has one machine look for a neighbour, which it has to reach, and
// for another project's, which it must not.
func checkReach(t *testing.T, key ssh.Signer, from, neighbour, other *machine) {
	t.Helper()
	if pings, speaks := from.reaches(key, neighbour); !pings || !speaks {
		t.Errorf("a machine reaches its neighbour by ping: %t, by TCP: %t", pings, speaks)
	}
	for _, pair := range [][2]*machine{{from, other}, {other, from}} {
		if pings, speaks := pair[0].reaches(key, pair[1]); pings || speaks {
			t.Errorf("a machine reaches another project's by ping: %t, by TCP: %t", pings, speaks)
		}
	}
}

// planeShowsNothing waits until the plane has heard that all instances are gone.
func (p *penstock) planeShowsNothing() {
	p.Helper()
	eventually(p.T, promised, func() error {
		got, err := p.management.ListInstancesWithResponse(p.Context(), nil)
		if err := wants("GET /instances of the plane", http.StatusOK, got.HTTPResponse, got.Body, err); err != nil {
			return err
		}
		if len(*got.JSON200) > 0 {
			return fmt.Errorf("the plane still shows %s", got.Body)
		}
		return nil
	})
}
