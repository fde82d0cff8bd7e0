package region

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Observe records in one transaction what was seen of things that are not the
// region's own machines: all of a batch, durably, or, with an error, nothing.
// What equals the last observation is no change. CodeInvalid if the batch breaks
// a bound or a report is not valid; ErrFenced once the region is.
func (r *Region) Observe(ctx context.Context, batch engine.Batch) error {
	// The source spoke before the batch was written, however long that takes.
	at := r.now()
	if batch.Source != "" {
		if err := checkSource(batch.Source); err != nil {
			return err
		}
	}
	observed, err := encode(batch)
	if err != nil {
		return err
	}
	err = r.change(ctx, func(c *change) error {
		for _, o := range observed {
			if err := c.report(o); err != nil {
				return err
			}
		}
		for _, key := range batch.Gone {
			if err := c.bury(key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record a batch of %d observations: %w", batch.Len(), err)
	}
	if batch.Source != "" {
		r.note(batch.Source, at)
	}
	return nil
}

// encode writes the batch's reports in the form in which they are stored,
// digested and sent: compact JSON, the same for the same report.
func encode(batch engine.Batch) ([]cloud.Object, error) {
	if batch.Len() > engine.MaxBatch {
		return nil, cloud.Invalid("a batch speaks of at most %d things; got %d", engine.MaxBatch, batch.Len())
	}
	objects := make([]cloud.Object, 0, len(batch.Clusters)+len(batch.Instances))
	for _, c := range batch.Clusters {
		o, err := encodeReport(cloud.KindCluster, c.ID, c.ClusterReport, cloud.ParseClusterReport)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	for _, i := range batch.Instances {
		o, err := encodeReport(cloud.KindInstance, i.ID, i.InstanceReport, cloud.ParseInstanceReport)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func encodeReport[R any](kind cloud.ObjectKind, id cloud.ID, report R, parse func([]byte) (R, error)) (cloud.Object, error) {
	if parsed, err := cloud.ParseID(string(id)); err != nil || parsed != id {
		return cloud.Object{}, cloud.Invalid("the id of the %s %q is no UUID in lower case", kind, id)
	}
	body, err := json.Marshal(report)
	if err != nil {
		return cloud.Object{}, fmt.Errorf("encode %s %s: %w", kind, id, err)
	}
	if len(body) > cloud.MaxObjectBody {
		return cloud.Object{}, cloud.Invalid("the report of %s %s is over %d bytes", kind, id, cloud.MaxObjectBody)
	}
	if _, err := parse(body); err != nil {
		return cloud.Object{}, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	return cloud.Object{ObjectKey: cloud.ObjectKey{Kind: kind, ID: id}, Body: body}, nil
}
