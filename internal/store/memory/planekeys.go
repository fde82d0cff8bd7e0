package memory

import "slices"

func (t regionTransaction) PlaneKeys() ([]byte, error) { return slices.Clone(t.planeKeys), nil }

func (t regionTransaction) SetPlaneKeys(document []byte) error {
	t.planeKeys = slices.Clone(document)
	return nil
}
