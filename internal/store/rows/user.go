package rows

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoUser = cloud.NotFound("there is no user of that id")

func user(row planedb.User) cloud.User {
	return cloud.User{
		ID:          cloud.ID(row.ID),
		Email:       cloud.Email(row.Email),
		Name:        row.Name,
		Kind:        cloud.UserKind(row.Kind),
		CreatedAt:   instant(row.CreatedAt),
		SuspendedAt: instant(row.SuspendedAt),
	}
}

// User implements cloud.Reader.
func (r Reader) User(id cloud.ID) (cloud.User, error) {
	row, err := r.q.GetUser(r.ctx, string(id))
	return user(row), absent(err, errNoUser)
}

// UserByEmail implements cloud.Reader.
func (r Reader) UserByEmail(email cloud.Email) (cloud.User, error) {
	row, err := r.q.GetUserByEmail(r.ctx, email.Key())
	return user(row), missing(err, "there is no user with the address %q", string(email))
}

// LockUser implements cloud.Writer.
func (w Writer) LockUser(id cloud.ID) error {
	n, err := w.q.LockUser(w.ctx, string(id))
	return changed(n, err, errNoUser)
}

// CreateUser implements cloud.Writer.
func (w Writer) CreateUser(u cloud.User) error {
	n, err := w.createUser(u)
	return changed(n, err, errSameAddress(u.Email))
}

func errSameAddress(email cloud.Email) error {
	return cloud.Conflict("there is a user with the address %q already", string(email))
}

func (w Writer) createUser(u cloud.User) (int64, error) {
	if u.Kind != cloud.Person && u.Kind != cloud.Service {
		return 0, cloud.Invalid("a user must be a person or a service; got %q", string(u.Kind))
	}
	return w.q.CreateUser(w.ctx, planedb.CreateUserParams{
		ID:        string(u.ID),
		Email:     string(u.Email),
		EmailKey:  u.Email.Key(),
		Name:      u.Name,
		Kind:      string(u.Kind),
		CreatedAt: micros(u.CreatedAt),
	})
}

// UpdateUser implements cloud.Writer.
func (w Writer) UpdateUser(id cloud.ID, name string, email cloud.Email) error {
	other, err := w.q.GetUserByEmail(w.ctx, email.Key())
	switch {
	case err == nil && other.ID != string(id):
		return errSameAddress(email)
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return err
	}
	n, err := w.q.UpdateUser(w.ctx, planedb.UpdateUserParams{
		Name:     name,
		Email:    string(email),
		EmailKey: email.Key(),
		ID:       string(id),
	})
	if cloud.CodeOf(err) == cloud.CodeConflict { // just now
		return errSameAddress(email)
	}
	return changed(n, err, errNoUser)
}

// SuspendUser implements cloud.Writer.
func (w Writer) SuspendUser(id cloud.ID, at time.Time) error {
	n, err := w.q.SuspendUser(w.ctx, planedb.SuspendUserParams{SuspendedAt: micros(at), ID: string(id)})
	if err := changed(n, err, errNoUser); err != nil {
		return err
	}
	return w.TouchGrants(cloud.GrantKey{Subject: id})
}
