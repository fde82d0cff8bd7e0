package main

import (
	"context"
	"fmt"
)

type identityLinkCommand struct {
	Email   string `arg:"" help:"Whose account it is to open: a person's address, or a service account's."`
	Issuer  string `required:"" env:"-" placeholder:"URL" help:"The issuer, exactly as its tokens name it (iss)."`
	Subject string `required:"" env:"-" placeholder:"SUB" help:"What the issuer calls whoever that is (sub, or the claim that is configured)."`
}

// Run links an issuer's subject to an account.
func (c *identityLinkCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		linked, err := o.LinkIdentity(ctx, c.Email, c.Issuer, c.Subject)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "What %s calls %q opens the account of %s.\n", linked.Issuer, linked.Subject, linked.Email)
		return nil
	})
}

type identityUnlinkCommand struct {
	Issuer  string `required:"" env:"-" placeholder:"URL" help:"The issuer, as it was linked."`
	Subject string `required:"" env:"-" placeholder:"SUB" help:"The subject, as it was linked."`
}

// Run takes a link away.
func (c *identityUnlinkCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		gone, err := o.UnlinkIdentity(ctx, c.Issuer, c.Subject)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "It no longer opens the account %s, whose owner is signed out everywhere.\n", gone.UserID)
		return nil
	})
}

type identityListCommand struct {
	Email string `arg:"" help:"Whose account it is."`
}

// Run lists what opens an account, on standard output: a line each, of issuer and
// subject.
func (c *identityListCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		identities, err := o.Identities(ctx, c.Email)
		for _, i := range identities {
			fmt.Fprintf(std.out, "%s\t%s\n", i.Issuer, i.Subject)
		}
		return err
	})
}
