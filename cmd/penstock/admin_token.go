package main

import (
	"context"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

type tokenCreateCommand struct {
	Email string        `required:"" env:"-" placeholder:"ADDRESS" help:"Whose token; the user is made if needed."`
	Role  string        `required:"" env:"-" placeholder:"ROLE" help:"Their role: admin, editor or viewer. An existing member's role is never changed."`
	Org   string        `env:"-" placeholder:"NAME" help:"In which organization (default: the first one)."`
	TTL   time.Duration `name:"ttl" env:"-" default:"24h" placeholder:"SPAN" help:"How long it is good, 1m to 8760h (default: ${default})."`
}

// Run prints one JWT, alone, on standard output.
func (c *tokenCreateCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		claims := issuer.Claims{TTL: c.TTL}
		if err := claims.CheckTTL(); err != nil {
			return fmt.Errorf("--ttl: %w", err)
		}
		member, err := o.EnsureMember(ctx, c.Email, c.Role, c.Org)
		if err != nil {
			return err
		}
		claims.UserID = member.User.ID
		token, err := o.giveToken(ctx, claims)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(std.out, token.Reveal())
		return err
	})
}

// giveToken makes a token, of which the audit knows before anybody has it.
func (o operator) giveToken(ctx context.Context, claims issuer.Claims) (cloud.Secret, error) {
	token, expires, err := o.issuer.Mint(ctx, claims)
	if err != nil {
		return cloud.Secret{}, err
	}
	return token, o.NoteToken(ctx, claims.UserID, expires)
}
