package control

import (
	"context"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// NewServiceAccount is the input of CreateServiceAccount, as the caller wrote it.
type NewServiceAccount struct{ Name, Role string }

// ServiceAccounts lists the service accounts of the caller's organization.
func (c *Control) ServiceAccounts(ctx context.Context, caller cloud.Caller, page cloud.Page) (Listing[cloud.ServiceAccount], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[cloud.ServiceAccount], error) {
		return list(page, func(p cloud.Page) ([]cloud.ServiceAccount, error) {
			return tx.ServiceAccounts(caller.Relation.OrganizationID, p)
		}, func(a cloud.ServiceAccount) string { return string(a.ID) })
	})
}

// ServiceAccount returns one of the caller's organization; CodeNotFound if it has
// none of that id.
func (c *Control) ServiceAccount(ctx context.Context, caller cloud.Caller, id string) (cloud.ServiceAccount, error) {
	return read(ctx, c, func(tx cloud.Reader) (cloud.ServiceAccount, error) {
		return serviceAccount(tx, caller, id)
	})
}

// CreateServiceAccount makes a program's account in the caller's organization.
// CodeInvalid for a wrong name or role, CodeConflict for a name that is taken, and
// if there are too many.
func (c *Control) CreateServiceAccount(ctx context.Context, caller cloud.Caller, key string, in NewServiceAccount) (cloud.ServiceAccount, error) {
	if err := cloud.CheckName("name", in.Name); err != nil {
		return cloud.ServiceAccount{}, err
	}
	role, err := cloud.ParseRole(in.Role)
	if err != nil {
		return cloud.ServiceAccount{}, err
	}
	return once(ctx, c, caller, cloud.ActionManageServices, key, in, func(tx cloud.Writer) (cloud.ServiceAccount, error) {
		account := cloud.ServiceAccount{
			ID: c.newID(), OrganizationID: caller.Relation.OrganizationID, Name: in.Name, Role: role,
			CreatedBy: caller.UserID, CreatedAt: c.now(),
		}
		had, err := tx.CountServiceAccounts(account.OrganizationID)
		if err := checkRoom(had, err, c.bounds.ServiceAccounts, tooManyServices); err != nil {
			return account, err
		}
		organization, err := tx.Organization(account.OrganizationID)
		if err != nil {
			return account, err
		}
		err = tx.CreateServiceAccount(account, cloud.ServiceEmail(account.Name, organization.Name))
		if cloud.CodeOf(err) == cloud.CodeConflict {
			return account, cloud.Conflict("this organization has a service account named %s already; GET /service-accounts lists them", account.Name)
		}
		if err != nil {
			return account, err
		}
		return account, c.auditService(tx, caller, account, change{action: "service_account.create", after: accountOf(account)})
	})
}

const tooManyServices = "this organization has %d service accounts, which is as many as there may be; delete those that are used no longer: GET /service-accounts lists them"

// UpdateServiceAccount gives a service account another role. CodeInvalid for no
// or a wrong role, CodeNotFound for no account of that id.
func (c *Control) UpdateServiceAccount(ctx context.Context, caller cloud.Caller, id, role string) (cloud.ServiceAccount, error) {
	next, err := cloud.ParseRole(role)
	if err != nil {
		return cloud.ServiceAccount{}, err
	}
	return changing(ctx, c, caller, cloud.ActionManageServices, func(tx cloud.Writer) (cloud.ServiceAccount, error) {
		before, err := serviceAccount(tx, caller, id)
		if err != nil || before.Role == next {
			return before, err
		}
		if err := tx.SetRole(before.OrganizationID, before.ID, next); err != nil {
			return before, err
		}
		after := before
		after.Role = next
		return after, c.auditService(tx, caller, after, change{
			action: "service_account.update", before: accountOf(before), after: accountOf(after),
		})
	})
}

// DeleteServiceAccount removes a service account with all that is its own; its
// tokens are nobody's from then on. CodeNotFound for no account of that id.
func (c *Control) DeleteServiceAccount(ctx context.Context, caller cloud.Caller, id string) error {
	return c.changeAs(ctx, caller, cloud.ActionManageServices, func(tx cloud.Writer) error {
		account, err := serviceAccount(tx, caller, id)
		if err != nil {
			return err
		}
		if err := tx.DeleteServiceAccount(account.OrganizationID, account.ID); err != nil {
			return err
		}
		return c.auditService(tx, caller, account, change{action: "service_account.delete", before: accountOf(account)})
	})
}

// serviceAccount finds one of the caller's organization.
func serviceAccount(tx cloud.Reader, caller cloud.Caller, text string) (cloud.ServiceAccount, error) {
	id, err := cloud.ParseID(text)
	if err != nil {
		return cloud.ServiceAccount{}, errNoServiceAccount
	}
	account, err := tx.ServiceAccount(caller.Relation.OrganizationID, id)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return account, errNoServiceAccount
	}
	return account, err
}

var errNoServiceAccount = cloud.NotFound("this organization has no service account of that id; GET /service-accounts lists them")

// auditService notes a change of a service account.
func (c *Control) auditService(tx cloud.Writer, caller cloud.Caller, a cloud.ServiceAccount, ch change) error {
	ch.target, ch.organization = string(a.ID), a.OrganizationID
	return c.auditCaller(tx, caller, ch)
}

func accountOf(a cloud.ServiceAccount) map[string]any {
	return map[string]any{"name": a.Name, "role": a.Role}
}

// ServiceSecrets lists the secrets of a service account, the oldest first.
// CodeNotFound for no account of that id.
func (c *Control) ServiceSecrets(ctx context.Context, caller cloud.Caller, account string) ([]cloud.ServiceSecret, error) {
	return read(ctx, c, func(tx cloud.Reader) ([]cloud.ServiceSecret, error) {
		a, err := serviceAccount(tx, caller, account)
		if err != nil {
			return nil, err
		}
		return tx.ServiceSecrets(a.ID)
	})
}

// CreateServiceSecret makes a secret of a service account, which is returned this
// once. CodeNotFound for no account of that id, CodeConflict if it has
// cloud.MaxServiceSecrets.
func (c *Control) CreateServiceSecret(ctx context.Context, caller cloud.Caller, account string) (cloud.ServiceSecret, cloud.Secret, error) {
	text := cloud.DrawSecret("pss_")
	made, err := changing(ctx, c, caller, cloud.ActionManageServices, func(tx cloud.Writer) (cloud.ServiceSecret, error) {
		a, err := serviceAccount(tx, caller, account)
		if err != nil {
			return cloud.ServiceSecret{}, err
		}
		secret := cloud.ServiceSecret{ID: c.newID(), ServiceAccountID: a.ID, Hash: text.Hash(), CreatedAt: c.now()}
		err = tx.CreateServiceSecret(secret)
		if cloud.CodeOf(err) == cloud.CodeConflict {
			return secret, cloud.Conflict("%s has %d secrets, which is as many as there may be; delete the one that is used no longer", a.Name, cloud.MaxServiceSecrets)
		}
		if err != nil {
			return secret, err
		}
		return secret, c.auditCaller(tx, caller, change{
			action: "service_account.secret.create", target: string(secret.ID), organization: a.OrganizationID, after: secretOf(secret),
		})
	})
	return made, text, err
}

// DeleteServiceSecret makes a secret worthless at once; tokens that it got end by
// themselves, within cloud.AccessTokenTTL. CodeNotFound for no account or secret
// of that id.
func (c *Control) DeleteServiceSecret(ctx context.Context, caller cloud.Caller, account, secret string) error {
	return c.changeAs(ctx, caller, cloud.ActionManageServices, func(tx cloud.Writer) error {
		a, err := serviceAccount(tx, caller, account)
		if err != nil {
			return err
		}
		secrets, err := tx.ServiceSecrets(a.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(secrets, func(s cloud.ServiceSecret) bool { return string(s.ID) == secret })
		if i < 0 {
			return cloud.NotFound("this service account has no secret of that id; GET /service-accounts/%s/secrets lists them", a.ID)
		}
		if err := tx.DeleteServiceSecret(a.ID, secrets[i].ID); err != nil {
			return err
		}
		return c.auditCaller(tx, caller, change{
			action: "service_account.secret.delete", target: secret, organization: a.OrganizationID, before: secretOf(secrets[i]),
		})
	})
}

func secretOf(s cloud.ServiceSecret) map[string]any {
	return map[string]any{"service_account": s.ServiceAccountID, "created_at": s.CreatedAt}
}
