package rows

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

func user(row planedb.User) cloud.User {
	return cloud.User{
		ID:        cloud.ID(row.ID),
		Email:     cloud.Email(row.Email),
		Name:      row.Name,
		CreatedAt: instant(row.CreatedAt),
	}
}

// User implements cloud.Reader.
func (r Reader) User(id cloud.ID) (cloud.User, error) {
	row, err := r.q.GetUser(r.ctx, string(id))
	return user(row), missing(err, "there is no user of that id")
}

// UserByEmail implements cloud.Reader.
func (r Reader) UserByEmail(email cloud.Email) (cloud.User, error) {
	row, err := r.q.GetUserByEmail(r.ctx, email.Key())
	return user(row), missing(err, "there is no user with the address %q", string(email))
}

// CreateUser implements cloud.Writer.
func (w Writer) CreateUser(u cloud.User) error {
	n, err := w.q.CreateUser(w.ctx, planedb.CreateUserParams{
		ID:        string(u.ID),
		Email:     string(u.Email),
		EmailKey:  u.Email.Key(),
		Name:      u.Name,
		CreatedAt: micros(u.CreatedAt),
	})
	return changed(n, err, cloud.Conflict("there is a user with the address %q already", string(u.Email)))
}
