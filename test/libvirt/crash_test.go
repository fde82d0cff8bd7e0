package libvirt

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/client/infrastructure"
	"github.com/penstock-cloud/penstock/test/soak"
)

// chapter is a part of a machine's life in which the region is killed.
type chapter struct {
	name string
	do   order
	end  infrastructure.InstanceState
	span time.Duration // of how far a machine may be in it when the region is killed: about as long as it takes
}

// chapters follow each other. A machine that is stopped while it boots does not
// listen, and so there is time to be killed in.
var chapters = []chapter{
	{"create", nil, running, 700 * time.Millisecond},
	{"stop", stop, stopped, 4 * time.Second},
	{"start", start, running, 500 * time.Millisecond},
	{"delete", remove, gone, 600 * time.Millisecond},
}

// TestSoakKilledRegion kills the region at any point of its machines' lives, and
// finds that the next one goes on: each life has four chapters, and a kill -9 in
// each. What was acknowledged is there, once, and what is gone has left nothing.
func TestSoakKilledRegion(t *testing.T) {
	p := begin(t)
	p.register("laptop", newKey(t), http.StatusOK)
	here, elsewhere := p.newProject("here"), p.newProject("elsewhere")
	for life, random := range soak.Rounds(t, 5) {
		machines := make([]*machine, 3)
		for i := range machines {
			// Two share a bridge, and one has one of its own.
			machines[i] = &machine{penstock: p, project: []uuid.UUID{here, here, elsewhere}[i]}
		}
		for _, c := range chapters {
			p.killDuring(c, machines, life, random)
			for _, m := range machines {
				m.becomes(c.end)
			}
			p.agrees(here, elsewhere)
		}
	}
	p.deleteProject(here, http.StatusNoContent)
	p.deleteProject(elsewhere, http.StatusNoContent)
	p.planeShowsNothing()
	p.leftNothing()
}

// ask begins a chapter of a machine's life. An error says that there was no
// answer.
func (m *machine) ask(c chapter, name string) error {
	if c.do != nil {
		return c.do(m)
	}
	made, err := m.create(m.project, name)
	if err == nil {
		m.id = made.id
	}
	return err
}

// askAgain does it after no answer, which left open whether anything was done.
func (m *machine) askAgain(c chapter, name string) error {
	m.Helper()
	if c.do == nil {
		for _, i := range m.all(m.project) {
			if i.Name == name {
				m.id = i.ID
				return nil
			}
		}
	}
	return m.ask(c, name)
}

// killDuring begins a chapter for all machines, kills the region and starts it
// again. Each machine has come another way by then. Who had no answer asks
// again, as a client does that has none.
func (p *penstock) killDuring(c chapter, machines []*machine, life int, random *rand.Rand) {
	p.Helper()
	answered := make([]error, len(machines))
	name := func(i int) string { return fmt.Sprintf("life-%d-%d", life, i) }
	var asking sync.WaitGroup
	for i, m := range machines {
		// Short ways are the likelier ones: the first steps are the quickest.
		way := time.Duration(random.Float64() * random.Float64() * float64(c.span))
		asking.Go(func() {
			time.Sleep(c.span - way) // a kill at a moment of no meaning is what is wanted
			answered[i] = m.ask(c, name(i))
		})
	}
	time.Sleep(c.span)
	p.region.kill()
	p.Logf("%s: killed when the host had %s", c.name, p.summary())
	asking.Wait()
	p.startRegion()
	for i, m := range machines {
		if answered[i] != nil {
			must(p.T, m.askAgain(c, name(i)))
		}
	}
}
