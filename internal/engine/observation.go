package engine

import "github.com/penstock-cloud/penstock/internal/cloud"

// MaxBatch bounds how many things one Batch may speak of, so that each is one
// short transaction.
const MaxBatch = 1000

// MaxSourceName bounds the name of a source, in bytes.
const MaxSourceName = 253

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
