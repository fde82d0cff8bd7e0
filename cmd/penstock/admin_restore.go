package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

type restoreCommand struct {
	File string `arg:"" type:"path" help:"What 'penstock admin backup' wrote."`
}

// asideLayout names the database that was there after the time of the restore.
const asideLayout = ".before-20060102T150405.000Z"

// Run puts a copy of the backup where the plane's database is, or is to be. It
// holds that as a server does, so that there is none.
func (c *restoreCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	held, release, err := holdDatabase(dataDir(admin.DataDir), admin.Database, dataDir.planeDatabase)
	if err != nil {
		return err
	}
	defer release()
	file, ok := held.file()
	if !ok {
		return errors.New("--database: PostgreSQL is restored by its own tools, pg_restore or a base backup, and then by penstock admin restored BACKUP; see docs/operations.md")
	}
	file = realPath(file)
	aside := file + time.Now().UTC().Format(asideLayout)
	kept, err := sqlite.RestorePlane(ctx, c.File, file, aside, func(restored *sqlite.Plane) error {
		return newOperator(restored).NoteRestore(ctx, c.File)
	})
	if kept {
		fmt.Fprintf(std.err, "What was there is kept as %s.\nIt holds the keys that sign tokens; delete it when you are sure.\n", aside)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "Restored %s from %s.\nLinks and codes mailed before are worthless: send invitations again.\nStart the plane; its regions send what the backup lacks.\n", file, c.File)
	return err
}

type restoredCommand struct {
	Backup string `arg:"" help:"What the database was restored from, for the audit."`
}

// Run does in a database that other tools restored what restore does in its copy.
func (c *restoredCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		if err := o.NoteRestore(ctx, c.Backup); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.out, "Noted that the database comes from %s.\nLinks and codes mailed before are worthless: send invitations again.\n", c.Backup)
		return err
	})
}
