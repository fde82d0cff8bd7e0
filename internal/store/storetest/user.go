package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testUsers(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)

	equal(t, "the user", read(t, s, func(r cloud.Reader) (cloud.User, error) { return r.User(ada.ID) }), ada)
	missing(t, s, "an unknown id", func(r cloud.Reader) (cloud.User, error) { return r.User(id(1)) })
	missing(t, s, "an unknown address", func(r cloud.Reader) (cloud.User, error) { return r.UserByEmail("nobody@example.com") })
	for _, spelling := range []cloud.Email{"Ada@example.com", "ada@EXAMPLE.com"} {
		got := read(t, s, func(r cloud.Reader) (cloud.User, error) { return r.UserByEmail(spelling) })
		equal(t, "the user with the address "+string(spelling), got, ada)
		refused(t, s, cloud.CodeConflict, string(spelling), func(w cloud.Writer) error {
			return w.CreateUser(cloud.User{ID: id(204), Email: spelling, Kind: cloud.Person, CreatedAt: now})
		})
	}
}

func testStanding(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	check := func(what string, want cloud.Standing) {
		t.Helper()
		got, err := s.Standing(t.Context(), want.User.ID)
		if err != nil {
			t.Fatalf("Standing: %v", err)
		}
		equal(t, "the standing "+what, got, want)
	}

	_, err := s.Standing(t.Context(), id(1))
	wantCode(t, err, cloud.CodeNotFound, "user")
	check("of one who belongs nowhere", cloud.Standing{User: ada})

	write(t, s, func(w cloud.Writer) error {
		return first(
			w.AddMember(cloud.Member{OrganizationID: beta.ID, User: ada, Role: cloud.RoleViewer, JoinedAt: now}),
			w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
			w.AddMember(cloud.Member{OrganizationID: beta.ID, User: ben, Role: cloud.RoleEditor, JoinedAt: now}),
		)
	})
	check("in two organizations", cloud.Standing{User: ada, Relations: []cloud.Relation{
		{OrganizationID: acme.ID, Role: cloud.RoleAdmin}, {OrganizationID: beta.ID, Role: cloud.RoleViewer},
	}})

	write(t, s, func(w cloud.Writer) error {
		return first(w.TouchFleet([]cloud.ID{beta.ID, acme.ID, id(1)}), w.TouchHealth())
	})
	write(t, s, func(w cloud.Writer) error { return w.TouchFleet([]cloud.ID{beta.ID, beta.ID}) })
	check("after the fleets moved", cloud.Standing{User: ada, HealthRevision: 1, Relations: []cloud.Relation{
		{OrganizationID: acme.ID, Role: cloud.RoleAdmin, FleetRevision: 1},
		{OrganizationID: beta.ID, Role: cloud.RoleViewer, FleetRevision: 2},
	}})

	write(t, s, func(w cloud.Writer) error {
		return first(w.RemoveMember(acme.ID, ada.ID), w.SetRole(beta.ID, ada.ID, cloud.RoleEditor))
	})
	check("after a removal and a promotion", cloud.Standing{User: ada, HealthRevision: 1, Relations: []cloud.Relation{
		{OrganizationID: beta.ID, Role: cloud.RoleEditor, FleetRevision: 2},
	}})
}

// Tokens that are made at the same time, of which there may be one.
func testUserLock(t *testing.T, open func() cloud.Store) {
	stores := []cloud.Store{open(), open()} // as of two processes
	setTheStage(t, stores[0])
	refused(t, stores[0], cloud.CodeNotFound, "user", func(w cloud.Writer) error { return w.LockUser(id(1)) })
	mine := func(r cloud.Reader) ([]cloud.PersonalToken, error) {
		return r.PersonalTokens(ada.ID, now, cloud.Page{})
	}
	for round := range 8 {
		var makers sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			token := cloud.PersonalToken{
				ID: id(600 + round*len(errs) + i), UserID: ada.ID, OrganizationID: acme.ID, Name: "x", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
			}
			makers.Go(func() {
				errs[i] = stores[i%len(stores)].Write(t.Context(), func(w cloud.Writer) error {
					if err := w.LockUser(ada.ID); err != nil {
						return err
					}
					had, err := mine(w)
					if err != nil {
						return err
					}
					if len(had) > 0 {
						return cloud.Conflict("there is one")
					}
					return w.CreatePersonalToken(token)
				})
			})
		}
		makers.Wait()
		made := read(t, stores[0], mine)
		if len(made) != 1 {
			t.Fatalf("there are %d tokens after %v; want 1", len(made), errs)
		}
		write(t, stores[0], func(w cloud.Writer) error { return w.DeletePersonalToken(ada.ID, made[0].ID) })
	}
}
