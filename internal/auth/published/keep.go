package published

import (
	"context"
	"encoding/json"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// keep writes down what the plane publishes. While that cannot be done the keys
// hold all the same.
func (s *Source) keep(ctx context.Context, d documents) {
	text, err := json.Marshal(d)
	if err == nil {
		err = s.store.Write(ctx, func(w cloud.RegionWriter) error { return w.SetPlaneKeys(text) })
	}
	if s.unwritten = err != nil; s.unwritten {
		s.log.WarnContext(ctx, "the plane's keys could not be written down; after a restart they are not known until the plane tells them again", "error", err)
	}
}

// recall returns the keys that were written down, nil if there are none of this
// plane.
func (s *Source) recall(ctx context.Context) (*auth.KeySet, error) {
	var text []byte
	err := s.store.Read(ctx, func(r cloud.RegionReader) (err error) {
		text, err = r.PlaneKeys()
		return err
	})
	if err != nil || text == nil {
		return nil, err
	}
	var d documents
	if err := json.Unmarshal(text, &d); err != nil {
		return s.forget(ctx, err)
	}
	if d.Plane != s.plane.base {
		return nil, nil //nolint:nilnil // another plane's keys are none
	}
	keys, err := d.keySet()
	if err != nil {
		return s.forget(ctx, err)
	}
	return keys, nil
}

// forget does without what was written down.
func (s *Source) forget(ctx context.Context, why error) (*auth.KeySet, error) {
	s.log.WarnContext(ctx, "what was written down of the plane's keys cannot be read; the plane is asked", "error", why)
	return nil, nil //nolint:nilnil // there are no keys then
}
