package main

import (
	"context"
	"fmt"
)

type orgSuspendCommand struct {
	Name string `arg:"" help:"The organization."`
}

// Run suspends the organization; what it runs goes on to run.
func (c *orgSuspendCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		if err := o.SuspendOrganization(ctx, c.Name, true); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.out, "Organization %s is suspended: it may read, and change nothing; in regions within a minute.\n", c.Name)
		return err
	})
}

type orgResumeCommand struct {
	Name string `arg:"" help:"The organization."`
}

// Run ends the suspension.
func (c *orgResumeCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		if err := o.SuspendOrganization(ctx, c.Name, false); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.out, "Organization %s is not suspended.\n", c.Name)
		return err
	})
}

type userSuspendCommand struct {
	Email string `arg:"" help:"The address of the user, or of a service account."`
}

// Run suspends the user; their tokens stay good for reading.
func (c *userSuspendCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		if err := o.SuspendUser(ctx, c.Email, true); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.out, "%s is suspended, and may read, and change nothing; in regions within a minute.\n", c.Email)
		return err
	})
}

type userResumeCommand struct {
	Email string `arg:"" help:"The address of the user, or of a service account."`
}

// Run ends the suspension.
func (c *userResumeCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		if err := o.SuspendUser(ctx, c.Email, false); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.out, "%s is not suspended.\n", c.Email)
		return err
	})
}
