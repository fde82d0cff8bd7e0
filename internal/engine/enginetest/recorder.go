package enginetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Recorder is a Sink in memory that holds an engine to the contract. What
// breaks it is refused, and kept as a violation.
type Recorder struct {
	mu         sync.Mutex
	objects    map[cloud.ObjectKey][]byte
	heard      map[string]int
	violations []error
	log        []string
	watch      func(cloud.ObjectKey, []byte)
	fail       error
}

var _ engine.Sink = (*Recorder)(nil)

// NewRecorder returns one that knows nothing.
func NewRecorder() *Recorder {
	return &Recorder{objects: make(map[cloud.ObjectKey][]byte), heard: make(map[string]int)}
}

// Restart returns a Recorder that knows what this one has, and has heard
// nobody: the sink of a daemon that was started again.
func (r *Recorder) Restart() *Recorder {
	next := NewRecorder()
	next.objects = r.Objects()
	return next
}

// Watch has fn called with every change: a body, or nil for what is gone.
func (r *Recorder) Watch(fn func(key cloud.ObjectKey, body []byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch = fn
}

// Fail has every Observe from now on refused with err; nil ends that.
func (r *Recorder) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// Known implements engine.Sink.
func (r *Recorder) Known(context.Context) iter.Seq2[cloud.Object, error] {
	objects := r.Objects()
	keys := slices.SortedFunc(maps.Keys(objects), func(a, b cloud.ObjectKey) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return func(yield func(cloud.Object, error) bool) {
		for _, key := range keys {
			if !yield(cloud.Object{ObjectKey: key, Body: objects[key]}, nil) {
				return
			}
		}
	}
}

// Heard implements engine.Sink.
func (r *Recorder) Heard(source string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if source == "" || len(source) > engine.MaxSourceName {
		return r.violation("the source %q has no proper name", source)
	}
	r.heard[source]++
	return nil
}

// Observe implements engine.Sink.
func (r *Recorder) Observe(ctx context.Context, batch engine.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	if batch.Source != "" {
		r.heard[batch.Source]++
	}
	reports, err := r.check(batch)
	if err != nil {
		return err
	}
	for _, o := range reports {
		if !bytes.Equal(r.objects[o.ObjectKey], o.Body) {
			r.change(o.ObjectKey, o.Body)
		}
	}
	for _, key := range batch.Gone {
		if _, known := r.objects[key]; known {
			r.change(key, nil)
		}
	}
	return nil
}

func (r *Recorder) check(batch engine.Batch) ([]cloud.Object, error) {
	if batch.Len() > engine.MaxBatch {
		return nil, r.violation("a batch speaks of %d things", batch.Len())
	}
	var reports []cloud.Object
	add := func(kind cloud.ObjectKind, id cloud.ID, source string, report any, parse func([]byte) error) error {
		body, err := json.Marshal(report)
		if err == nil {
			err = parse(body)
		}
		if parsed, idErr := cloud.ParseID(string(id)); idErr != nil || parsed != id {
			err = errors.Join(err, fmt.Errorf("the id %q is no UUID in lower case", id))
		}
		if err != nil {
			return r.violation("the report of %s %s is not valid: %w", kind, id, err)
		}
		if r.heard[source] == 0 {
			return r.violation("%s, which vouches for %s %s, was never heard", source, kind, id)
		}
		reports = append(reports, cloud.Object{ObjectKey: cloud.ObjectKey{Kind: kind, ID: id}, Body: body})
		return nil
	}
	for _, i := range batch.Instances {
		err := add(cloud.KindInstance, i.ID, i.Source, i.InstanceReport, func(b []byte) error {
			_, err := cloud.ParseInstanceReport(b)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, c := range batch.Clusters {
		err := add(cloud.KindCluster, c.ID, c.Source, c.ClusterReport, func(b []byte) error {
			_, err := cloud.ParseClusterReport(b)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return reports, nil
}

func (r *Recorder) change(key cloud.ObjectKey, body []byte) {
	if body == nil {
		delete(r.objects, key)
	} else {
		r.objects[key] = body
	}
	r.log = append(r.log, fmt.Sprintf("%s %s %s", key.Kind, key.ID, body))
	if r.watch != nil {
		r.watch(key, body)
	}
}

func (r *Recorder) violation(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	r.violations = append(r.violations, err)
	return cloud.Invalid("%s", err)
}

// Objects returns what the engine said last, by key.
func (r *Recorder) Objects() map[cloud.ObjectKey][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.objects)
}

// Instances returns the instances among them.
func (r *Recorder) Instances() map[cloud.ID]cloud.InstanceReport {
	instances := make(map[cloud.ID]cloud.InstanceReport)
	for key, body := range r.Objects() {
		if key.Kind != cloud.KindInstance {
			continue
		}
		// It was checked when it was recorded.
		instances[key.ID], _ = cloud.ParseInstanceReport(body)
	}
	return instances
}

// Clusters returns the clusters among them.
func (r *Recorder) Clusters() map[cloud.ID]cloud.ClusterReport {
	clusters := make(map[cloud.ID]cloud.ClusterReport)
	for key, body := range r.Objects() {
		if key.Kind != cloud.KindCluster {
			continue
		}
		clusters[key.ID], _ = cloud.ParseClusterReport(body)
	}
	return clusters
}

// Log returns every change so far, in order, each as a line.
func (r *Recorder) Log() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

// TimesHeard returns how often each source was heard.
func (r *Recorder) TimesHeard() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.heard)
}

// Violations returns what broke the contract.
func (r *Recorder) Violations() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.violations)
}
