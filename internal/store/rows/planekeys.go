package rows

import (
	"errors"

	"github.com/jackc/pgx/v5"
)

// PlaneKeys implements cloud.RegionReader.
func (r RegionReader) PlaneKeys() ([]byte, error) {
	document, err := r.q.GetPlaneKeys(r.ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return []byte(document), err
}

// SetPlaneKeys implements cloud.RegionWriter.
func (w RegionWriter) SetPlaneKeys(document []byte) error {
	return w.q.SetPlaneKeys(w.ctx, string(document))
}
