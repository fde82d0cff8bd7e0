package engine

import (
	"context"
	"iter"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// MaxBatch bounds how many things one Batch may speak of, so that each is one
// short transaction.
const MaxBatch = 1000

// MaxSourceName bounds the name of a source, in bytes.
const MaxSourceName = 253

// Inventory tells of what runs elsewhere, and takes no orders.
type Inventory interface {
	// Run begins with what the sink already knows, brings it up to date, and
	// goes on to tell what changes, until ctx ends: then it returns ctx.Err()
	// promptly. Any other error means that it cannot go on; the region calls
	// Run again after a pause, so Run keeps nothing from an earlier call.
	Run(ctx context.Context, sink Sink) error
}

// Sink is where an engine puts its observations. It is safe for concurrent
// use.
type Sink interface {
	// Known yields everything that the region knew last, by kind and id, and
	// ends after the first error. The engine may use the sink meanwhile.
	Known(ctx context.Context) iter.Seq2[cloud.Object, error]

	// Observe records a batch in one transaction: all of it, durably, or, with
	// an error, nothing. What equals the last observation is no change.
	// cloud.CodeInvalid if the batch breaks a bound or a report is not valid.
	Observe(ctx context.Context, batch Batch) error

	// Heard notes that a source lives, with nothing new to say. An engine that
	// has not heard a source must not claim it: silence is how the region
	// learns that a host is lost. cloud.CodeInvalid if the name is empty, too
	// long or not printable.
	Heard(source string) error
}

// Batch is what was observed at one moment: at most MaxBatch things in all,
// each of which names a source that has been heard, at the latest by this
// batch.
type Batch struct {
	Source    string            // who said so, which counts as heard; "" where the engine itself is the witness
	Instances []Instance        // as they are now, changed or not
	Clusters  []Cluster         // as they are now, changed or not
	Gone      []cloud.ObjectKey // what is no more; unknown keys are skipped
}

// Len returns how many things the batch speaks of.
func (b Batch) Len() int { return len(b.Instances) + len(b.Clusters) + len(b.Gone) }

// Instance is an instance as it was observed.
type Instance struct {
	ID cloud.ID
	cloud.InstanceReport
}

// Cluster is a cluster as it was observed.
type Cluster struct {
	ID cloud.ID
	cloud.ClusterReport
}
