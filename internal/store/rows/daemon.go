package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

// Daemon implements cloud.RegionReader.
func (r RegionReader) Daemon() (cloud.Daemon, error) {
	row, err := r.q.GetDaemon(r.ctx)
	return cloud.Daemon{Holder: cloud.ID(row.Holder), FencedAt: instant(row.FencedAt)}, err
}

// BeginDaemon implements cloud.RegionWriter.
func (w RegionWriter) BeginDaemon(holder cloud.ID) error {
	return w.q.BeginDaemon(w.ctx, string(holder))
}

// FenceDaemon implements cloud.RegionWriter.
func (w RegionWriter) FenceDaemon(holder cloud.ID, at time.Time) error {
	return w.q.FenceDaemon(w.ctx, regiondb.FenceDaemonParams{FencedAt: micros(at), Holder: string(holder)})
}
