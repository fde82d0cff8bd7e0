package federation_test

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

const loginURL = "https://login.example.com"

// A region learns whose account a subject is of those whom it may serve, and of
// all others the same: nothing.
func TestIdentities(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleEditor)
	s.write(func(w cloud.Writer) error {
		if err := w.CreateUser(cloud.User{ID: ben, Email: "ben@example.com", Kind: cloud.Person}); err != nil {
			return err
		}
		for user, subject := range map[cloud.ID]string{ada: "ada", ben: "ben"} {
			if err := w.CreateIdentity(cloud.Identity{Issuer: loginURL, Subject: subject, UserID: user, Email: "x@example.com"}); err != nil {
				return err
			}
		}
		return w.SetAccess(east, cloud.Access{Except: []cloud.ID{acme}})
	})
	id := string(ada)
	for name, c := range map[string]struct {
		region, issuer, subject string
		want                    wire.Identity
	}{
		"a member of what it may serve":     {west, loginURL, "ada", wire.Identity{User: &id}},
		"a member of what it may not":       {east, loginURL, "ada", wire.Identity{}},
		"a member of nothing":               {west, loginURL, "ben", wire.Identity{}},
		"nobody":                            {west, loginURL, "eve", wire.Identity{}},
		"in capitals":                       {west, loginURL, "ADA", wire.Identity{}},
		"another issuer's":                  {west, "https://evil.example.com", "ada", wire.Identity{}},
		"the same issuer with a slash more": {west, loginURL + "/", "ada", wire.Identity{}},
	} {
		got, err := s.plane.Identity(t.Context(), c.region, c.issuer, c.subject)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := gocmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, c := range map[string]struct{ issuer, subject string }{
		"by mail":      {cloud.MailIssuer, "ada@example.com"},
		"no issuer":    {"", "ada"},
		"no subject":   {loginURL, ""},
		"a long one":   {loginURL, strings.Repeat("a", 256)},
		"with a null":  {loginURL, "ada\x00"},
		"a long URL":   {loginURL + "/" + strings.Repeat("a", 256), "ada"},
		"in the clear": {"http://login.example.com", "ada"},
	} {
		if _, err := s.plane.Identity(t.Context(), west, c.issuer, c.subject); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
