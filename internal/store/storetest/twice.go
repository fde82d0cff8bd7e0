package storetest

import (
	"context"
	"errors"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Twice is a store that runs every closure twice, and of which only the second
// run counts, as with one whose transaction the database asks to run again. A
// use case that passes on it has no effects beyond its transaction.
func Twice(s cloud.Store) cloud.Store { return twice{s} }

type twice struct{ cloud.Store }

func (s twice) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	if err := s.Store.Read(ctx, fn); cloud.CodeOf(err) == cloud.CodeUnavailable {
		return err
	}
	return s.Store.Read(ctx, fn)
}

func (s twice) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	lost := errors.New("lost on the way")
	err := s.Store.Write(ctx, func(w cloud.Writer) error {
		if err := fn(w); err != nil {
			return err
		}
		return lost
	})
	if err == nil {
		return errors.New("the store has committed what returned an error")
	}
	return s.Store.Write(ctx, fn)
}
