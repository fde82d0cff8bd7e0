package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/cluster"
)

const (
	one = cloud.ID("0198a1b2-0000-7000-8000-000000000001")
	two = cloud.ID("0198a1b2-0000-7000-8000-000000000002")
)

// answering asks nobody, and answers one after the other; the last for ever.
type answering struct{ verdicts []cluster.Verdict }

func (a *answering) Ask(context.Context) (cluster.Verdict, error) {
	verdict := a.verdicts[0]
	if len(a.verdicts) > 1 {
		a.verdicts = a.verdicts[1:]
	}
	if verdict == cluster.Up {
		return verdict, nil
	}
	return verdict, errors.New("it is not up")
}

// hanging never answers by itself.
type hanging struct{}

func (hanging) Ask(ctx context.Context) (cluster.Verdict, error) {
	<-ctx.Done()
	return cluster.Silent, ctx.Err()
}

// told is what the region was told, and when.
type told struct {
	mu    sync.Mutex
	began time.Time
	notes []note
}

type note struct {
	ID   cloud.ID
	Down bool
	At   time.Duration
}

func (s *told) ClusterAnswered(_ context.Context, id cloud.ID, down bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, note{id, down, time.Since(s.began)})
	if len(s.notes) == 1 {
		return errors.New("the database is away")
	}
	return nil
}

// What answers is told of each time, what is silent never: the plane sees how
// old its last word is. A cluster that hangs holds up no other.
func TestProberTellsWhatItFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &told{began: time.Now()}
		p := cluster.NewProber(cluster.Config{
			Targets: []cluster.Target{
				{ID: one, Ask: &answering{[]cluster.Verdict{cluster.Up, cluster.Up, cluster.Silent, cluster.Down}}},
				{ID: two, Ask: hanging{}},
			},
			Sink: sink, Log: slog.New(slog.DiscardHandler), After: time.After,
		})
		ctx, cancel := context.WithTimeout(t.Context(), 80*time.Second)
		defer cancel()
		if err := p.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want it to run until it is told to end", err)
		}
		want := []note{{one, false, 0}, {one, false, 25 * time.Second}, {one, true, 75 * time.Second}}
		if d := cmp.Diff(want, sink.notes); d != "" {
			t.Errorf("told (-want +got):\n%s", d)
		}
	})
}

func TestProberWithNothingToProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		p := cluster.NewProber(cluster.Config{Log: slog.New(slog.DiscardHandler), After: time.After})
		if err := p.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want it to run until it is told to end", err)
		}
	})
}
