package main

import (
	"context"
	"fmt"
)

type orgCreateCommand struct {
	Name        string `arg:"" help:"Unique and URL-safe: a-z, 0-9 and '-'."`
	DisplayName string `env:"-" placeholder:"TEXT" help:"The name that people see (default: the name)."`
}

// Run makes the organization and prints its id, alone, on standard output.
func (c *orgCreateCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		created, err := o.CreateOrganization(ctx, c.Name, c.DisplayName)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "Organization %s is made. This is its id:\n", created.Name)
		_, err = fmt.Fprintln(std.out, created.ID)
		return err
	})
}
