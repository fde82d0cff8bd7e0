package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func organizationByName(name string) func(cloud.Reader) (cloud.Organization, error) {
	return func(r cloud.Reader) (cloud.Organization, error) { return r.OrganizationByName(name) }
}

func testTransactionFails(t *testing.T, open func() cloud.Store) {
	s := open()
	boom := errors.New("boom")
	err := s.Write(t.Context(), func(w cloud.Writer) error {
		if err := first(w.CreateOrganization(acme), w.CreateUser(ada), w.MarkAlive(now)); err != nil {
			return err
		}
		if _, err := w.Organization(acme.ID); err != nil {
			t.Errorf("a transaction does not see its own writes: %v", err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("Write returned %v; want the closure's error", err)
	}
	if err := s.Read(t.Context(), func(cloud.Reader) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Read returned %v; want the closure's error", err)
	}
	missing(t, s, "an organization of a failed transaction", organizationByName("acme"))
	missing(t, s, "a user of a failed transaction", func(r cloud.Reader) (cloud.User, error) { return r.User(ada.ID) })
	equal(t, "the mark of a failed transaction", read(t, s, cloud.Reader.Plane).AliveAt, time.Time{})
}

func testTransactionPanics(t *testing.T, open func() cloud.Store) {
	s := open()
	for name, run := range map[string]func(){
		"Write": func() {
			_ = s.Write(t.Context(), func(w cloud.Writer) error {
				if err := w.CreateOrganization(acme); err != nil {
					t.Error(err)
				}
				panic("boom")
			})
		},
		"Read": func() { _ = s.Read(t.Context(), func(cloud.Reader) error { panic("boom") }) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("recovered %v; want the closure's panic", got)
				}
			}()
			run()
		})
	}
	missing(t, s, "an organization of a transaction that panicked", organizationByName("acme"))
	write(t, s, func(w cloud.Writer) error { return w.CreateOrganization(acme) })
}

// A transaction in which something conflicted, or was not found, can go on and
// keep what came of it.
func testTransactionGoesOn(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	key := cloud.SSHKey{UserID: ada.ID, Name: "laptop", Fingerprint: "SHA256:one", CreatedAt: now}
	outcome := cloud.Outcome{Caller: ada.ID, Key: "k", Request: "hash", CreatedAt: now}
	member := cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}
	invitation := invite(401, acme.ID, "dora@example.com", now)
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.CreateSSHKey(key), w.SaveOutcome(outcome), w.AddMember(member), w.CreateInvitation(invitation),
			w.CreateSigningKey(cloud.SigningKey{ID: "k", CreatedAt: now}),
		)
	})
	invitation.ID = id(402)
	write(t, s, func(w cloud.Writer) error {
		_, noUser := w.User(id(1))
		for what, err := range map[string]error{
			"an organization": w.CreateOrganization(acme),
			"a user":          w.CreateUser(ada),
			"a member":        w.AddMember(member),
			"an invitation":   w.CreateInvitation(invitation),
			"a key":           w.CreateSSHKey(key),
			"a region":        w.CreateRegion(west),
			"a signing key":   w.CreateSigningKey(cloud.SigningKey{ID: "k", CreatedAt: now}),
			"an outcome":      w.SaveOutcome(outcome),
		} {
			if cloud.CodeOf(err) != cloud.CodeConflict {
				t.Errorf("a second %s: got the error %v; want %s", what, err, cloud.CodeConflict)
			}
		}
		wantCode(t, noUser, cloud.CodeNotFound, "user")
		return w.SaveOutcome(cloud.Outcome{Caller: ada.ID, Key: "refused", Refusal: "taken", CreatedAt: now})
	})
	got := read(t, s, func(r cloud.Reader) (cloud.Outcome, error) { return r.Outcome(ada.ID, "refused", now) })
	equal(t, "the refusal that was kept", got.Refusal, "taken")
}

// Transactions that read before they write wait for each other, within a
// process and between two.
func testTransactionsMeet(t *testing.T, open func() cloud.Store) {
	stores := []cloud.Store{open(), open()}
	setTheStage(t, stores[0])
	const each = 20
	errs := make(chan error, len(stores)*each)
	var writes sync.WaitGroup
	for n := range len(stores) * each {
		writes.Go(func() {
			errs <- stores[n%len(stores)].Write(t.Context(), func(w cloud.Writer) error {
				if _, err := w.CountAdmins(acme.ID); err != nil {
					return err
				}
				u := cloud.User{ID: id(900 + n), Email: cloud.Email(id(900 + n)), Kind: cloud.Person, CreatedAt: now}
				return first(w.CreateUser(u), w.AddMember(cloud.Member{
					OrganizationID: acme.ID, User: u, Role: cloud.RoleAdmin, JoinedAt: now,
				}))
			})
		})
	}
	writes.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Errorf("Write: %v (%v)", err, errors.Unwrap(err))
		}
	}
	admins := read(t, stores[0], func(r cloud.Reader) (int64, error) { return r.CountAdmins(acme.ID) })
	equal(t, "the number of admins", admins, int64(len(stores)*each))
}

// What a reader has begun to read does not change under its eyes.
func testTransactionConsistent(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	err := s.Read(t.Context(), func(r cloud.Reader) error {
		before, err := r.Members(acme.ID, cloud.Page{})
		if err != nil {
			return err
		}
		write(t, s, func(w cloud.Writer) error {
			return first(
				w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
				w.MarkAlive(now),
			)
		})
		after, err := r.Members(acme.ID, cloud.Page{})
		if err != nil {
			return err
		}
		plane, err := r.Plane()
		if err != nil {
			return err
		}
		equal(t, "the members in the middle of a read", after, before)
		equal(t, "the mark in the middle of a read", plane.AliveAt, time.Time{})
		return nil
	})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	equal(t, "the mark afterwards", read(t, s, cloud.Reader.Plane).AliveAt, now)
}

func testTransactionCanceled(t *testing.T, open func() cloud.Store) {
	s := open()
	ctx, cancel := context.WithCancel(t.Context())
	canceled := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s returned %v; want %v", what, err, context.Canceled)
		}
	}
	canceled("a write canceled at its end", s.Write(ctx, func(w cloud.Writer) error {
		err := w.CreateOrganization(acme)
		cancel()
		return err
	}))
	missing(t, s, "an organization of a canceled write", organizationByName("acme"))
	canceled("a write that comes too late", s.Write(ctx, func(w cloud.Writer) error { return w.CreateOrganization(acme) }))
	canceled("a read that comes too late", s.Read(ctx, func(cloud.Reader) error { return nil }))

	ctx, cancel = context.WithCancel(t.Context())
	canceled("a write canceled in its middle", s.Write(ctx, func(w cloud.Writer) error {
		cancel()
		for {
			if err := w.LockOrganization(id(1)); cloud.CodeOf(err) != cloud.CodeNotFound {
				return err
			}
		}
	}))
	write(t, s, func(w cloud.Writer) error { return w.CreateOrganization(acme) })
}

// Times are kept in UTC and to the microsecond.
func testTimes(t *testing.T, open func() cloud.Store) {
	s := open()
	zone := time.FixedZone("somewhere", 5*3600)
	for name, c := range map[string]struct{ put, want time.Time }{
		"zone":        {now.In(zone), now},
		"nanoseconds": {now.Add(999 * time.Nanosecond), now},
		"none":        {time.Time{}, time.Time{}},
		"long-ago":    {time.Date(1969, 7, 20, 20, 17, 40, 1000, time.UTC), time.Date(1969, 7, 20, 20, 17, 40, 1000, time.UTC)},
		"far-ahead":   {time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
	} {
		o := cloud.Organization{ID: cloud.ID(name), Name: name, CreatedAt: c.put}
		write(t, s, func(w cloud.Writer) error { return w.CreateOrganization(o) })
		got := read(t, s, organizationByName(name)).CreatedAt
		equal(t, name, got, c.want)
		equal(t, name+"'s zone", got.Location().String(), "UTC")
	}
}

func testDurability(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	o, shown := instance(t, 1, acme.ID, alpha)
	write(t, s, put(id(601), "", o))
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	s = open()
	equal(t, "the organization", read(t, s, organizationByName("acme")), acme)
	equal(t, "the instance", read(t, s, func(r cloud.Reader) (cloud.Instance, error) { return r.Instance(acme.ID, o.ID) }), shown)
	write(t, s, cloud.Writer.TouchHealth)
}

func testClosed(t *testing.T, open func() cloud.Store) {
	s := open()
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	_, standing := s.Standing(t.Context(), ada.ID)
	outcomes := map[string]error{
		"Ping":     s.Ping(t.Context()),
		"Standing": standing,
		"Read":     s.Read(t.Context(), func(cloud.Reader) error { return nil }),
		"Write":    s.Write(t.Context(), func(cloud.Writer) error { return nil }),
	}
	if !s.Shared() {
		outcomes["Backup"] = s.Backup(t.Context(), filepath.Join(t.TempDir(), "backup"))
	}
	for what, err := range outcomes {
		if cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("%s after Close: got the error %v; want %s", what, err, cloud.CodeUnavailable)
		}
	}
}

func testBackup(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	file := filepath.Join(t.TempDir(), "backup")
	if s.Shared() {
		wantCode(t, s.Backup(t.Context(), file), cloud.CodeInvalid, "its own tools")
		return
	}
	if err := s.Backup(t.Context(), file); err != nil {
		t.Fatalf("Backup: %v", err)
	}
	before, err := os.ReadFile(file)
	if err != nil || len(before) == 0 {
		t.Fatalf("the backup has %d bytes (%v)", len(before), err)
	}
	wantCode(t, s.Backup(t.Context(), file), cloud.CodeConflict, file)
	after, err := os.ReadFile(file)
	if err != nil || string(before) != string(after) {
		t.Errorf("the backup was touched by another one (%v)", err)
	}
}

// Whoever sets a time and does not get an answer in it may try again later.
func testTransactionTooLate(t *testing.T, open func() cloud.Store) {
	s := open()
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	wantCode(t, s.Write(ctx, func(w cloud.Writer) error { return w.CreateOrganization(acme) }), cloud.CodeUnavailable, "")
	wantCode(t, s.Read(ctx, func(cloud.Reader) error { return nil }), cloud.CodeUnavailable, "")
}
