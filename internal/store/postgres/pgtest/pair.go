package pgtest

import (
	"context"
	"errors"
	"testing"
)

// standbyName is what the primary knows the standby by, and its slot.
const standbyName = "standby"

// Pair is a primary and a standby that confirms every commit before it is
// acknowledged: what a client was told has happened is on both.
type Pair struct {
	Primary, Standby *Server
	database         string
}

// NewPair starts a pair that is gone at the end of the test.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	ctx := t.Context()
	i := require(t)
	// On its command line, where the copy that the standby is made of does not
	// have it: promoted, that waits for nobody.
	primary, err := i.newServer(ctx, "synchronous_standby_names=FIRST 1 ("+standbyName+")")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { primary.close(t) })
	standby, err := primary.newStandby(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { standby.close(t) })
	// Acknowledged once the standby follows.
	database := createDatabase(t, primary.SuperuserURL(), role)
	return &Pair{Primary: primary, Standby: standby, database: database}
}

// URL is of a database on both, for a client that wants the one that takes
// writes. It belongs to a plain role.
func (p *Pair) URL() string {
	return databaseURL(role, p.Primary.password, p.Primary.address()+","+p.Standby.address(), p.database) +
		"&target_session_attrs=read-write"
}

// PrimaryURL is of the same database on what was the primary at first.
func (p *Pair) PrimaryURL() string {
	return databaseURL(role, p.Primary.password, p.Primary.address(), p.database)
}

// StandbyURL is of the same database on what was the standby at first.
func (p *Pair) StandbyURL() string {
	return databaseURL(role, p.Standby.password, p.Standby.address(), p.database)
}

// KillPrimary ends the primary as a machine ends that loses its power.
func (p *Pair) KillPrimary(t testing.TB) {
	t.Helper()
	p.Primary.Kill(t)
}

// Promote makes the standby a primary, which has no standby of its own, and
// returns when it takes writes.
func (p *Pair) Promote(t testing.TB) {
	t.Helper()
	if err := execute(t.Context(), p.Standby.SuperuserURL(), "SELECT pg_promote()"); err != nil {
		t.Fatal(err)
	}
}

// newStandby makes a server of a copy of this one that follows it.
func (s *Server) newStandby(ctx context.Context) (*Server, error) {
	standby, err := s.installation.prepare(ctx, s.password, nil)
	if err != nil {
		return nil, err
	}
	source := s.SuperuserURL() + "&application_name=" + standbyName
	err = s.installation.run(ctx, standby.folder, "pg_basebackup", "--pgdata="+standby.data(), "--dbname="+source,
		"--write-recovery-conf", "--create-slot", "--slot="+standbyName, "--checkpoint=fast", "--no-sync", "--no-manifest")
	if err == nil {
		err = standby.startSomewhere(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, standby.guard.release())
	}
	return standby, nil
}
