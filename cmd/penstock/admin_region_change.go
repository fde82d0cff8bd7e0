package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

type regionAcceptCommand struct {
	Name string `arg:"" help:"The region."`
}

// Run removes what the region holds as missing.
func (c *regionAcceptCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		removed, err := o.AcceptMissing(ctx, c.Name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.out, "Removed %d objects that region %s no longer reports.\n", removed, c.Name)
		return err
	})
}

type regionRotateCommand struct {
	Name string `arg:"" help:"The region."`
}

// Run makes a second credential and prints it, alone, on standard output.
func (c *regionRotateCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		credential, err := o.RotateCredential(ctx, c.Name)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "This is a new credential of region %s; it is not shown again. When the region\n"+
			"runs with it, revoke the old one: penstock admin region revoke %s --credential ID\n", c.Name, c.Name)
		_, err = fmt.Fprintln(std.out, credential.Reveal())
		return err
	})
}

type regionRevokeCommand struct {
	Name       string `arg:"" help:"The region."`
	Credential string `env:"-" placeholder:"ID" help:"Which one, as region show names it (default: all that the region has)."`
}

// Run revokes one credential of a region, or all.
func (c *regionRevokeCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		revoked, err := o.RevokeCredentials(ctx, c.Name, cloud.ID(c.Credential))
		if err != nil {
			return err
		}
		for _, credential := range revoked {
			fmt.Fprintf(std.out, "Revoked credential %s of region %s.\n", credential.ID, c.Name)
		}
		return nil
	})
}

// whoFlags name one organization, or all.
type whoFlags struct {
	Org string `env:"-" placeholder:"NAME" xor:"who" help:"The organization."`
	All bool   `env:"-" xor:"who" help:"All organizations, with no exceptions left."`
}

type regionAllowCommand struct {
	Name string `arg:"" help:"The region."`
	whoFlags
}

// Run lets an organization, or all, use a region.
func (c *regionAllowCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.admit(ctx, std, c.Name, c.whoFlags, true)
}

type regionDenyCommand struct {
	Name string `arg:"" help:"The region."`
	whoFlags
}

// Run lets an organization, or all, no longer use a region.
func (c *regionDenyCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.admit(ctx, std, c.Name, c.whoFlags, false)
}

func (a *adminCommand) admit(ctx context.Context, std streams, region string, who whoFlags, admitted bool) error {
	if who.Org == "" && !who.All {
		return errors.New("say who: --org NAME, or --all")
	}
	return a.operate(ctx, std, func(o operator) error {
		var err error
		if who.All {
			err = o.AdmitAll(ctx, region, admitted)
		} else {
			err = o.AdmitOrganization(ctx, region, who.Org, admitted)
		}
		if err != nil {
			return err
		}
		detail, err := o.Region(ctx, region)
		if err != nil {
			return err
		}
		var except []string
		for _, organization := range detail.Except {
			except = append(except, organization.Name)
		}
		_, err = fmt.Fprintf(std.out, "Region %s is open to: %s.\n", region, describeAccess(!detail.Closed, except))
		return err
	})
}
