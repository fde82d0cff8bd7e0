package rows

import (
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

func sshKey(row planedb.SshKey) cloud.SSHKey {
	return cloud.SSHKey{
		UserID:      cloud.ID(row.UserID),
		Name:        row.Name,
		Line:        row.Line,
		Fingerprint: row.Fingerprint,
		CreatedAt:   instant(row.CreatedAt),
	}
}

// SSHKey implements cloud.Reader.
func (r Reader) SSHKey(user cloud.ID, name string) (cloud.SSHKey, error) {
	row, err := r.q.GetSSHKey(r.ctx, planedb.GetSSHKeyParams{UserID: string(user), Name: name})
	return sshKey(row), missing(err, "you have no SSH key named %q", name)
}

// SSHKeys implements cloud.Reader.
func (r Reader) SSHKeys(user cloud.ID, page cloud.Page) ([]cloud.SSHKey, error) {
	rows, err := r.q.ListSSHKeys(r.ctx, planedb.ListSSHKeysParams{
		UserID:    string(user),
		AfterName: page.After,
		MaxRows:   rowLimit(page.Limit),
	})
	return each(rows, err, sshKey)
}

// CreateSSHKey implements cloud.Writer.
func (w Writer) CreateSSHKey(k cloud.SSHKey) error {
	n, err := w.q.CreateSSHKey(w.ctx, planedb.CreateSSHKeyParams{
		UserID:      string(k.UserID),
		Name:        k.Name,
		Line:        k.Line,
		Fingerprint: k.Fingerprint,
		CreatedAt:   micros(k.CreatedAt),
	})
	if err != nil {
		return err
	}
	if n > 0 {
		return w.TouchGrants(cloud.GrantKey{Subject: k.UserID})
	}
	same, err := w.q.GetSSHKeyByFingerprint(w.ctx, planedb.GetSSHKeyByFingerprintParams{
		UserID:      string(k.UserID),
		Fingerprint: k.Fingerprint,
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && same.Name == k.Name:
		return cloud.Conflict("you have an SSH key named %q already", k.Name)
	case err != nil:
		return err
	default:
		return cloud.Conflict("you have this SSH key already, under the name %q", same.Name)
	}
}

// DeleteSSHKey implements cloud.Writer.
func (w Writer) DeleteSSHKey(user cloud.ID, name string) error {
	n, err := w.q.DeleteSSHKey(w.ctx, planedb.DeleteSSHKeyParams{UserID: string(user), Name: name})
	if err := changed(n, err, cloud.NotFound("you have no SSH key named %q", name)); err != nil {
		return err
	}
	return w.TouchGrants(cloud.GrantKey{Subject: user})
}

// CountSSHKeys implements cloud.Reader.
func (r Reader) CountSSHKeys(user cloud.ID) (int64, error) {
	return r.q.CountSSHKeys(r.ctx, string(user))
}
