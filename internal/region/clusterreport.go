package region

import (
	"context"
	"maps"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
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
	declared := d.reports()
	return r.change(ctx, func(c *change) error {
		before, err := clustersOf(c)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(before)) {
			if _, still := declared[id]; still {
				continue
			}
			if err := c.bury(cloud.ObjectKey{Kind: cloud.KindCluster, ID: id}); err != nil {
				return err
			}
		}
		for _, id := range slices.Sorted(maps.Keys(declared)) {
			report := declared[id]
			report.Down = before[id].Down
			if err := c.reportCluster(id, report); err != nil {
				return err
			}
		}
		return nil
	})
}

// clustersOf reads what is reported of clusters now.
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

func (c *change) reportCluster(id cloud.ID, report cloud.ClusterReport) error {
	o, err := encodeReport(cloud.KindCluster, id, report, cloud.ParseClusterReport)
	if err != nil {
		return err
	}
	return c.report(o)
}

// ClusterAnswered notes that the probe of a declared cluster found it up, or
// down. CodeNotFound for one that is not declared.
func (r *Region) ClusterAnswered(ctx context.Context, id cloud.ID, down bool) error {
	at := r.now()
	if err := r.noteCluster(ctx, id, down); err != nil {
		return err
	}
	r.note(probeOf(id), at)
	return nil
}

// noteCluster writes only what is not as it was: a probe that finds the same is
// no change.
func (r *Region) noteCluster(ctx context.Context, id cloud.ID, down bool) error {
	key := cloud.ObjectKey{Kind: cloud.KindCluster, ID: id}
	var report cloud.ClusterReport
	err := r.Read(ctx, func(tx cloud.RegionReader) error {
		o, err := tx.Object(key)
		if err != nil {
			return err
		}
		report, err = cloud.ParseClusterReport(o.Body)
		return err
	})
	if err != nil || report.Down == down {
		return err
	}
	report.Down = down
	return r.change(ctx, func(c *change) error { return c.reportCluster(id, report) })
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
