package region

import (
	"context"
	"maps"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// ShowClusters reports to the plane what is declared, and then has it probed
// until ctx ends, and returns ctx.Err(), or until the region is fenced, and
// returns ErrFenced. Nobody but the probes vouches for a declared cluster.
func (r *Region) ShowClusters(ctx context.Context, d *DeclaredClusters, probe func(context.Context) error) error {
	return r.whileHeld(ctx, func(ctx context.Context) error {
		err := r.insist(ctx, r.complainOfClusters, func(ctx context.Context) error { return r.declare(ctx, d) })
		if err != nil {
			return err
		}
		return probe(ctx)
	})
}

func (r *Region) complainOfClusters(ctx context.Context, err error) {
	r.log.ErrorContext(ctx, "the declared clusters could not be reported; trying again", "error", err, "pause", enginePause)
}

// declare reports what is declared, as it was found last, and buries what was
// and is no more.
func (r *Region) declare(ctx context.Context, d *DeclaredClusters) error {
	before, err := r.reportedClusters(ctx)
	if err != nil {
		return err
	}
	declared := d.reports()
	var gone []cloud.ObjectKey
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if _, still := declared[id]; !still {
			gone = append(gone, cloud.ObjectKey{Kind: cloud.KindCluster, ID: id})
		}
	}
	for chunk := range slices.Chunk(gone, engine.MaxBatch) {
		if err := r.Observe(ctx, engine.Batch{Gone: chunk}); err != nil {
			return err
		}
	}
	var clusters []engine.Cluster
	for _, id := range slices.Sorted(maps.Keys(declared)) {
		report := declared[id]
		report.Down = before[id].Down
		clusters = append(clusters, engine.Cluster{ID: id, ClusterReport: report})
	}
	for chunk := range slices.Chunk(clusters, engine.MaxBatch) {
		if err := r.Observe(ctx, engine.Batch{Clusters: chunk}); err != nil {
			return err
		}
	}
	return nil
}

// reportedClusters reads what is reported of clusters now.
func (r *Region) reportedClusters(ctx context.Context) (reports map[cloud.ID]cloud.ClusterReport, err error) {
	err = r.Read(ctx, func(tx cloud.RegionReader) (err error) {
		reports, err = clustersOf(tx)
		return err
	})
	return reports, err
}

func clustersOf(tx cloud.RegionReader) (map[cloud.ID]cloud.ClusterReport, error) {
	reports := map[cloud.ID]cloud.ClusterReport{}
	after := cloud.ObjectKey{Kind: cloud.KindCluster}
	for {
		page, err := tx.Objects(after, machinesPage)
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			if o.Kind != cloud.KindCluster {
				return reports, nil
			}
			report, err := cloud.ParseClusterReport(o.Body)
			if err != nil {
				return nil, err
			}
			reports[o.ID] = report
		}
		if len(page) < machinesPage {
			return reports, nil
		}
		after = page[len(page)-1].ObjectKey
	}
}

// ClusterAnswered notes that the probe of a declared cluster found it up, or
// down. CodeNotFound for one that is not declared.
func (r *Region) ClusterAnswered(ctx context.Context, id cloud.ID, down bool) error {
	var report cloud.ClusterReport
	err := r.Read(ctx, func(tx cloud.RegionReader) error {
		o, err := tx.Object(cloud.ObjectKey{Kind: cloud.KindCluster, ID: id})
		if err != nil {
			return err
		}
		report, err = cloud.ParseClusterReport(o.Body)
		return err
	})
	if err != nil {
		return err
	}
	report.Down = down
	return r.Observe(ctx, engine.Batch{Source: report.Source, Clusters: []engine.Cluster{{ID: id, ClusterReport: report}}})
}

// probeOf names the source that vouches for a declared cluster.
func probeOf(id cloud.ID) string { return "probe/" + string(id) }

// reports says what the plane is told of each declared cluster.
func (d *DeclaredClusters) reports() map[cloud.ID]cloud.ClusterReport {
	reports := map[cloud.ID]cloud.ClusterReport{}
	if d == nil {
		return reports
	}
	for _, k := range d.kubernetes {
		reports[k.ID] = declaredReport(cloud.ClusterKubernetes, k.ID, k.OrganizationID, k.ProjectID, k.Name)
	}
	for _, s := range d.slurm {
		reports[s.ID] = declaredReport(cloud.ClusterSlurm, s.ID, s.OrganizationID, s.ProjectID, s.Name)
	}
	return reports
}

func declaredReport(kind cloud.ClusterType, id, organization, project cloud.ID, name string) cloud.ClusterReport {
	return cloud.ClusterReport{OrganizationID: organization, ProjectID: project, Name: name, Type: kind, Source: probeOf(id)}
}
