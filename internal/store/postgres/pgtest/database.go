package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// sharedServer is started by the first test that needs it, and ends with the
// process.
var sharedServer = sync.OnceValues(func() (*Server, error) {
	i, err := theInstallation()
	if err != nil {
		return nil, err
	}
	return i.newServer(context.Background())
})

// Database makes an empty database, gone at the end of the test, on a server
// that the tests of one package share, and gives the URL of the role that owns
// it: a plain one, unless PENSTOCK_TEST_POSTGRES names another.
func Database(t testing.TB) string {
	t.Helper()
	if given := os.Getenv("PENSTOCK_TEST_POSTGRES"); given != "" {
		u, err := url.Parse(given)
		if err != nil {
			t.Fatalf("PENSTOCK_TEST_POSTGRES: %v", err)
		}
		u.Path = "/" + temporaryDatabase(t, given, "DEFAULT")
		return u.String()
	}
	require(t)
	s, err := sharedServer()
	if err != nil {
		t.Fatal(err)
	}
	return databaseURL(role, s.password, s.address(), temporaryDatabase(t, s.SuperuserURL(), role))
}

// Database makes an empty database, gone with the server, and gives the URL of
// the plain role that owns it.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return databaseURL(role, s.password, s.address(), createDatabase(t, s.SuperuserURL(), role))
}

// temporaryDatabase is createDatabase until the end of the test.
func temporaryDatabase(t testing.TB, server, owner string) (name string) {
	t.Helper()
	name = createDatabase(t, server, owner)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := execute(ctx, server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	return name
}

func createDatabase(t testing.TB, server, owner string) (name string) {
	t.Helper()
	name = "test_" + strings.ToLower(rand.Text())
	if err := execute(t.Context(), server, "CREATE DATABASE "+name+" OWNER "+owner+" TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	return name
}

// createRole makes the plain role. It does not wait for a standby, which a
// primary that has just been made cannot have yet.
func (s *Server) createRole(ctx context.Context) error {
	return execute(ctx, s.SuperuserURL()+"&synchronous_commit=local",
		"CREATE ROLE "+role+" LOGIN PASSWORD '"+s.password+"'")
}

func execute(ctx context.Context, server, statement string) error {
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, statement)
	return errors.Join(err, c.Close(ctx))
}
