package rows

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

func keptGrant(row regiondb.Grant) (cloud.KeptGrant, error) {
	g := cloud.KeptGrant{
		GrantKey: cloud.GrantKey{Subject: cloud.ID(row.Subject), Organization: cloud.ID(row.OrganizationID)},
		Grant:    cloud.Grant{Role: cloud.Role(row.Role)},
		AskedAt:  instant(row.AskedAt),
	}
	if err := json.Unmarshal([]byte(row.SshKeys), &g.SSHKeys); err != nil {
		return g, fmt.Errorf("keys of %s: %w", row.Subject, err)
	}
	if err := json.Unmarshal([]byte(row.RevokedTokens), &g.RevokedTokens); err != nil {
		return g, fmt.Errorf("revoked tokens of %s: %w", row.Subject, err)
	}
	if err := json.Unmarshal([]byte(row.Organizations), &g.Organizations); err != nil {
		return g, fmt.Errorf("organizations of %s: %w", row.Subject, err)
	}
	return g, nil
}

// Grants implements cloud.RegionReader.
func (r RegionReader) Grants(since time.Time) ([]cloud.KeptGrant, error) {
	rows, err := r.q.ListGrants(r.ctx, micros(since))
	return try(rows, err, keptGrant)
}

// GrantRevision implements cloud.RegionReader.
func (r RegionReader) GrantRevision() (uint64, error) {
	row, err := r.q.GetDaemon(r.ctx)
	return uint64(row.GrantRevision), err
}

// PutGrant implements cloud.RegionWriter.
func (w RegionWriter) PutGrant(g cloud.KeptGrant) error {
	keys, err := json.Marshal(g.SSHKeys)
	if err != nil {
		return err
	}
	revoked, err := json.Marshal(g.RevokedTokens)
	if err != nil {
		return err
	}
	organizations, err := json.Marshal(g.Organizations)
	if err != nil {
		return err
	}
	return w.q.PutGrant(w.ctx, regiondb.PutGrantParams{
		Subject:        string(g.Subject),
		OrganizationID: string(g.Organization),
		Role:           string(g.Role),
		SshKeys:        string(keys),
		RevokedTokens:  string(revoked),
		Organizations:  string(organizations),
		AskedAt:        micros(g.AskedAt),
	})
}

// DeleteGrant implements cloud.RegionWriter.
func (w RegionWriter) DeleteGrant(key cloud.GrantKey) error {
	return w.q.DeleteGrant(w.ctx, regiondb.DeleteGrantParams{Subject: string(key.Subject), OrganizationID: string(key.Organization)})
}

// DeleteGrantsBefore implements cloud.RegionWriter.
func (w RegionWriter) DeleteGrantsBefore(since time.Time) error {
	return w.q.DeleteGrantsBefore(w.ctx, micros(since))
}

// SetGrantRevision implements cloud.RegionWriter.
func (w RegionWriter) SetGrantRevision(revision uint64) error {
	if err := fits(revision); err != nil {
		return err
	}
	return w.q.SetGrantRevision(w.ctx, int64(revision))
}
