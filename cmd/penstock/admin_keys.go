package main

import (
	"context"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

type keysRotateCommand struct{}

// Run makes a new signing key; running planes use it within seconds.
func (c *keysRotateCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		done, err := o.issuer.Rotate(ctx, func(tx cloud.Writer, r issuer.Rotation) error {
			return o.Audited("keys.rotate", r.Created)(tx)
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.out, "Tokens are now signed with key %s.\nThose given out before stay good until they expire.\n", done.Created)
		return err
	})
}
