package main

import (
	"context"
	"fmt"
	"path/filepath"
)

type backupCommand struct {
	File string `arg:"" type:"path" help:"Where to; it must not exist yet."`
}

// Run copies the database. The copy holds the signing keys: it is as secret as
// the original.
func (c *backupCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		if err := o.Backup(ctx, c.File); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.out, "Backed up to %s.\nIt holds the keys that sign tokens: keep it as safe as the original.\n", filepath.Clean(c.File))
		return err
	})
}
