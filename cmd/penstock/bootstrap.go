package main

import (
	"context"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// What `up` calls the things that it makes.
const (
	localRegion            = "local"
	adminEmail             = "admin@localhost"
	firstOrganization      = "demo"
	firstOrganizationShown = "Demo"
)

// bootstrapped is what a first start makes, and every later one finds.
type bootstrapped struct {
	organization cloud.Organization
	credential   cloud.Secret // of the local region
}

// bootstrap makes the first organization, its admin, the admin's token and the
// local region, as far as they are missing.
func (p *plane) bootstrap(ctx context.Context, dir dataDir, regionURL string) (bootstrapped, error) {
	operator := p.control.As(system)
	var made bootstrapped
	var err error
	if made.organization, err = operator.EnsureOrganization(ctx, firstOrganization, firstOrganizationShown); err != nil {
		return made, err
	}
	if err := p.renewAdminToken(ctx, dir); err != nil {
		return made, err
	}
	made.credential, err = ensureLocalRegion(ctx, operator, dir, regionURL)
	return made, err
}

func ensureLocalRegion(ctx context.Context, operator control.Operator, dir dataDir, url string) (cloud.Secret, error) {
	kept, err := readSecret(dir.regionCredential())
	if err != nil {
		return cloud.Secret{}, err
	}
	credential, err := operator.EnsureRegion(ctx, localRegion, url, cloud.NewSecret(kept))
	if err != nil || credential.Reveal() == kept {
		return credential, err
	}
	return credential, writeSecret(dir.regionCredential(), credential.Reveal())
}

// The admin's token: for how long it is good, and when it is renewed. The
// renewal leaves whoever read the file before half of the token's life.
const (
	adminTokenTTL   = 30 * 24 * time.Hour
	adminTokenCheck = time.Hour
)

// keepAdminToken renews the admin's token before it expires, until ctx ends.
func (p *plane) keepAdminToken(ctx context.Context, dir dataDir) error {
	tick := time.NewTicker(adminTokenCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := p.renewAdminToken(ctx, dir); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "could not renew the admin's token; trying again", "error", err)
		}
	}
}

// renewAdminToken leaves a token in the folder that is good for half of its
// life at least: the one that is there, or a new one.
func (p *plane) renewAdminToken(ctx context.Context, dir dataDir) error {
	operator := operator{p.control.As(system), p.issuer}
	admin, err := operator.EnsureFirstAdmin(ctx, adminEmail)
	if err != nil {
		return err
	}
	kept, err := readSecret(dir.adminToken())
	if err != nil {
		return err
	}
	if p.stillGood(ctx, kept, admin.ID) {
		return nil
	}
	token, err := operator.giveToken(ctx, issuer.Claims{UserID: admin.ID, TTL: adminTokenTTL})
	if err != nil {
		return fmt.Errorf("make the admin's token: %w", err)
	}
	return writeSecret(dir.adminToken(), token.Reveal())
}

// stillGood verifies the token as it will be half of its life from now.
func (p *plane) stillGood(ctx context.Context, token string, user cloud.ID) bool {
	later := func() time.Time { return time.Now().Add(adminTokenTTL / 2) }
	principal, err := auth.NewVerifier(p.issuer, later).Verify(ctx, token)
	return err == nil && principal.UserID == user
}
