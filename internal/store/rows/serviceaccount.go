package rows

import (
	"cmp"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var (
	errNoServiceAccount = cloud.NotFound("the organization has no service account of that id")
	errNoServiceSecret  = cloud.NotFound("the service account has no secret of that id")
)

func serviceAccount(row planedb.ServiceAccount, role string) cloud.ServiceAccount {
	return cloud.ServiceAccount{
		ID:             cloud.ID(row.UserID),
		OrganizationID: cloud.ID(row.OrganizationID),
		Name:           row.Name,
		Role:           cloud.Role(role),
		CreatedBy:      cloud.ID(row.CreatedBy),
		CreatedAt:      instant(row.CreatedAt),
	}
}

// ServiceAccount implements cloud.Reader.
func (r Reader) ServiceAccount(organization, id cloud.ID) (cloud.ServiceAccount, error) {
	row, err := r.q.GetServiceAccount(r.ctx, string(id))
	if err != nil {
		return cloud.ServiceAccount{}, absent(err, errNoServiceAccount)
	}
	a := serviceAccount(row.ServiceAccount, row.Role)
	if organization != "" && organization != a.OrganizationID {
		return cloud.ServiceAccount{}, errNoServiceAccount
	}
	return a, nil
}

// ServiceAccounts implements cloud.Reader.
func (r Reader) ServiceAccounts(organization cloud.ID, page cloud.Page) ([]cloud.ServiceAccount, error) {
	rows, err := r.q.ListServiceAccounts(r.ctx, planedb.ListServiceAccountsParams{
		OrganizationID: string(organization),
		AfterID:        page.After,
		MaxRows:        rowLimit(page.Limit),
	})
	return each(rows, err, func(row planedb.ListServiceAccountsRow) cloud.ServiceAccount {
		return serviceAccount(row.ServiceAccount, row.Role)
	})
}

// CreateServiceAccount implements cloud.Writer.
func (w Writer) CreateServiceAccount(a cloud.ServiceAccount, email cloud.Email) error {
	u := cloud.User{ID: a.ID, Email: email, Name: a.Name, Kind: cloud.Service, CreatedAt: a.CreatedAt}
	taken := cloud.Conflict("the organization has a service account named %q already", a.Name)
	n, err := w.createUser(u)
	if err := changed(n, err, taken); err != nil {
		return err
	}
	n, err = w.q.CreateServiceAccount(w.ctx, planedb.CreateServiceAccountParams{
		UserID:         string(a.ID),
		OrganizationID: string(a.OrganizationID),
		Name:           a.Name,
		CreatedBy:      string(a.CreatedBy),
		CreatedAt:      micros(a.CreatedAt),
	})
	if err == nil && n == 0 {
		_, err = w.q.DeleteUser(w.ctx, string(a.ID)) // the transaction may go on without it
	}
	if err := changed(n, err, taken); err != nil {
		return err
	}
	return w.AddMember(cloud.Member{OrganizationID: a.OrganizationID, User: u, Role: a.Role, JoinedAt: a.CreatedAt})
}

// DeleteServiceAccount implements cloud.Writer.
func (w Writer) DeleteServiceAccount(organization, id cloud.ID) error {
	if _, err := w.ServiceAccount(organization, id); err != nil {
		return err
	}
	if err := w.RemoveMember(organization, id); err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
		return err
	}
	if err := w.q.DeleteServiceSecrets(w.ctx, string(id)); err != nil {
		return err
	}
	n, err := w.q.DeleteServiceAccount(w.ctx, string(id))
	if err := changed(n, err, errNoServiceAccount); err != nil {
		return err
	}
	if err := w.q.DeleteSSHKeysOf(w.ctx, string(id)); err != nil {
		return err
	}
	if err := w.q.DeleteIdentitiesOf(w.ctx, string(id)); err != nil {
		return err
	}
	n, err = w.q.DeleteUser(w.ctx, string(id))
	return changed(n, err, errNoServiceAccount)
}

// ServiceSecrets implements cloud.Reader.
func (r Reader) ServiceSecrets(account cloud.ID) ([]cloud.ServiceSecret, error) {
	rows, err := r.q.ListServiceSecrets(r.ctx, string(account))
	secrets, err := each(rows, err, func(row planedb.ServiceSecret) cloud.ServiceSecret {
		return cloud.ServiceSecret{
			ID:               cloud.ID(row.ID),
			ServiceAccountID: cloud.ID(row.UserID),
			Hash:             cloud.SecretHash(row.Hash),
			CreatedAt:        instant(row.CreatedAt),
			LastUsedAt:       instant(row.LastUsedAt),
		}
	})
	slices.SortFunc(secrets, func(a, b cloud.ServiceSecret) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return secrets, err
}

// CreateServiceSecret implements cloud.Writer. Each secret takes a position, of
// which there are as many as an account may have secrets.
func (w Writer) CreateServiceSecret(s cloud.ServiceSecret) error {
	for position := range int64(cloud.MaxServiceSecrets) {
		n, err := w.q.CreateServiceSecret(w.ctx, planedb.CreateServiceSecretParams{
			ID:         string(s.ID),
			UserID:     string(s.ServiceAccountID),
			Position:   position + 1,
			Hash:       string(s.Hash),
			CreatedAt:  micros(s.CreatedAt),
			LastUsedAt: micros(s.LastUsedAt),
		})
		if err != nil || n > 0 {
			return err
		}
	}
	return cloud.Conflict("a service account has %d secrets at most; delete one of them first", cloud.MaxServiceSecrets)
}

// DeleteServiceSecret implements cloud.Writer.
func (w Writer) DeleteServiceSecret(account, id cloud.ID) error {
	n, err := w.q.DeleteServiceSecret(w.ctx, planedb.DeleteServiceSecretParams{ID: string(id), UserID: string(account)})
	return changed(n, err, errNoServiceSecret)
}

// UseServiceSecret implements cloud.Writer.
func (w Writer) UseServiceSecret(id cloud.ID, at time.Time) error {
	n, err := w.q.UseServiceSecret(w.ctx, planedb.UseServiceSecretParams{
		UsedAt:  micros(at),
		ID:      string(id),
		LongAgo: micros(at.Add(-cloud.SecretUseGrain)),
	})
	return settled(n, err, errNoServiceSecret, nil, func() (bool, error) { return w.q.ServiceSecretExists(w.ctx, string(id)) })
}

// CountServiceAccounts implements cloud.Reader.
func (r Reader) CountServiceAccounts(organization cloud.ID) (int64, error) {
	return r.q.CountServiceAccounts(r.ctx, string(organization))
}
