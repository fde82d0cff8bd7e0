package region_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
	"github.com/penstock-cloud/penstock/internal/region"
)

// The daemon is killed so often in all, in so many stories.
const (
	crashes      = 500
	crashStories = 10
)

// The daemon may die between any two of its steps: of its hosts, and of its
// database. Whoever comes after it finishes what was begun: nothing is lost,
// doubled or left behind, and what was acknowledged holds.
func TestDaemonDiesBetweenAnyTwoSteps(t *testing.T) {
	t.Parallel()
	for story := range crashStories {
		t.Run(fmt.Sprint(story), func(t *testing.T) {
			t.Parallel()
			on(t, 2, func(t *testing.T, s *site) {
				l := &mortality{rand: rand.New(rand.NewPCG(uint64(story), 5)), store: s.store, wanted: map[cloud.ID]cloud.Goal{}}
				l.left.Store(never)
				s.store, s.between = l, func(cloud.ID, simulated.Step) error { return l.step() }
				s.stop()
				s.begin()
				c := s.project("research")
				for range crashes / crashStories {
					l.left.Store(1 + l.rand.Int64N(40))
					for !l.dead.Load() {
						l.order(t, s, c)
						time.Sleep(time.Duration(l.rand.Int64N(int64(3 * time.Second))))
					}
					s.stop()
					l.left.Store(never)
					l.dead.Store(false)
					s.begin()
					s.settle()
					l.check(t, s, c)
					s.clean()
				}
			})
		})
	}
}

// never is more steps than there are.
const never = 1 << 40

var errDied = errors.New("the daemon was killed")

// mortality kills a daemon after a number of steps: it reaches neither its hosts
// nor its database any more. It also remembers what was acknowledged.
type mortality struct {
	rand   *rand.Rand
	store  cloud.RegionStore
	left   atomic.Int64 // steps
	dead   atomic.Bool
	wanted map[cloud.ID]cloud.Goal // of each instance that is known; "" where the last order got no answer
}

func (l *mortality) step() error {
	if l.left.Add(-1) <= 0 {
		l.dead.Store(true)
	}
	if l.dead.Load() {
		return errDied
	}
	return nil
}

func (l *mortality) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	if l.dead.Load() {
		return errDied
	}
	return l.store.Read(ctx, fn)
}

// Write may lose the transaction, or only the news that it is committed.
func (l *mortality) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	if err := l.step(); err != nil {
		return err
	}
	if err := l.store.Write(ctx, fn); err != nil {
		return err
	}
	return l.step()
}

func (l *mortality) Ping(ctx context.Context) error { return l.store.Ping(ctx) }
func (l *mortality) Close() error                   { return l.store.Close() }

// order asks for something, as a tenant does.
func (l *mortality) order(t *testing.T, s *site, c region.Caller) {
	if len(l.wanted) < 3 || len(l.wanted) < 9 && l.rand.IntN(3) == 0 {
		typ := types[l.rand.IntN(len(types))]
		m, err := s.CreateInstance(t.Context(), c, region.NewInstance{
			Name: "x", Type: typ.Name, Image: "image://tiny", Preemptible: l.rand.IntN(4) == 0,
		})
		if err == nil {
			l.wanted[m.ID] = cloud.GoalRunning
		}
		return
	}
	id := l.any()
	orders := map[cloud.Goal]func(context.Context, region.Caller, cloud.ID) error{
		cloud.GoalRunning: s.StartInstance, cloud.GoalStopped: s.StopInstance, cloud.GoalDeleted: s.DeleteInstance,
	}
	goal := []cloud.Goal{cloud.GoalRunning, cloud.GoalStopped, cloud.GoalDeleted}[l.rand.IntN(3)]
	switch err := orders[goal](t.Context(), c, id); {
	case err == nil:
		l.wanted[id] = goal
	case cloud.CodeOf(err) == cloud.CodeConflict: // it changes nothing
	case cloud.CodeOf(err) == cloud.CodeNotFound && l.wanted[id] != cloud.GoalRunning && l.wanted[id] != cloud.GoalStopped:
		delete(l.wanted, id)
	case errors.Is(err, errDied):
		l.wanted[id] = ""
	default:
		t.Errorf("%s of %s, which is to be %q: %v", goal, id, l.wanted[id], err)
	}
}

// any draws an instance; the order of a map would not be repeated.
func (l *mortality) any() cloud.ID {
	var ids []cloud.ID
	for id := range l.wanted {
		ids = append(ids, id)
	}
	least := ids[0]
	skip := l.rand.IntN(len(ids))
	for after := cloud.ID(""); skip >= 0; skip-- {
		least = "z"
		for _, id := range ids {
			if id > after && id < least {
				least = id
			}
		}
		after = least
	}
	return least
}

// check compares what is there with what was acknowledged. What was asked for
// without an answer may be there too.
func (l *mortality) check(t *testing.T, s *site, c region.Caller) {
	machines, err := s.Instances(t.Context(), c)
	s.must(err)
	there := map[cloud.ID]bool{}
	for _, m := range machines {
		there[m.ID] = true
		goal, known := l.wanted[m.ID]
		if !known || goal == "" {
			l.wanted[m.ID] = m.Goal
			goal = m.Goal
		}
		ok := m.State == cloud.InstanceStopped && (goal == cloud.GoalStopped || m.Preemptible) ||
			(m.State == cloud.InstanceRunning || m.State == cloud.InstanceOutOfStock) && goal == cloud.GoalRunning
		if !ok {
			t.Errorf("instance %s is %s (%s), and is to be %s: %+v", m.ID, m.State, m.Reason, goal, m)
		}
	}
	for id, goal := range l.wanted {
		if there[id] {
			continue
		}
		if goal == cloud.GoalRunning || goal == cloud.GoalStopped {
			t.Errorf("instance %s is lost", id)
		}
		delete(l.wanted, id)
	}
}
