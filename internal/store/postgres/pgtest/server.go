package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// superuser is the role that a server begins with, and role the plain one that
// owns the databases of tests.
const (
	superuser = "postgres"
	role      = "penstock"
)

// settings are of a server that may forget everything when the machine stops,
// though not when the server does: whole pages stay in its log, since a process
// that is killed may have written half of one.
var settings = []string{
	"listen_addresses=127.0.0.1",
	"unix_socket_directories=",
	"max_connections=200",
	"shared_buffers=32MB",
	"max_wal_size=256MB",
	"dynamic_shared_memory_type=mmap", // in the data folder, which is removed, however the server ends
	"fsync=off",
	"jit=off",
	"log_min_messages=log", // not the errors, which are the client's
	"log_checkpoints=off",
}

// Server is a PostgreSQL server of a test's own.
type Server struct {
	installation *installation
	folder       string
	settings     []string
	password     string // of both roles
	port         int
	guard        *guard
	process      *process // nil while stopped
}

// NewServer starts a server that is gone at the end of the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s, err := require(t).newServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close(t) })
	return s
}

// Stop ends the server at once, and with it every connection, as an immediate
// shutdown does: its next start recovers what was committed.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.process.stop(); err != nil {
		t.Fatal(err)
	}
	s.process = nil
}

// Kill ends all of the server's processes where they stand, as a machine does
// that loses its power.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.kill(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Freeze holds all of the server's processes where they are until Thaw or the
// end of the test: what is sent to it arrives, and nothing ever answers.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	if err := s.process.freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Thaw(t) })
}

// Thaw lets a server go on that is frozen, if it is.
func (s *Server) Thaw(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.thaw(); err != nil {
		t.Error(err)
	}
}

// Start starts a server that was stopped or killed, at the address it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Restart is Stop and Start.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.Start(t)
}

// SuperuserURL is for what a test does to the server behind the program's back.
func (s *Server) SuperuserURL() string {
	return databaseURL(superuser, s.password, s.address(), "postgres")
}

func (s *Server) address() string {
	return "127.0.0.1:" + strconv.Itoa(s.port)
}

// databaseURL does without TLS, which the servers here do not speak.
func databaseURL(user, password, host, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Host: host, Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// newServer makes a server with the roles that tests use and starts it.
func (i *installation) newServer(ctx context.Context, extra ...string) (*Server, error) {
	s, err := i.prepare(ctx, rand.Text(), extra)
	if err != nil {
		return nil, err
	}
	err = s.initialize(ctx)
	if err == nil {
		err = s.startSomewhere(ctx)
	}
	if err == nil {
		err = s.createRole(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.guard.release())
	}
	return s, nil
}

// prepare makes a server's folder and sets a guard on it.
func (i *installation) prepare(ctx context.Context, password string, extra []string) (*Server, error) {
	folder, err := i.tempFolder()
	if err != nil {
		return nil, err
	}
	g, err := newGuard(ctx, folder)
	if err != nil {
		return nil, errors.Join(err, os.Remove(folder))
	}
	return &Server{installation: i, folder: folder, settings: extra, password: password, guard: g}, nil
}

func (s *Server) data() string {
	return filepath.Join(s.folder, "data")
}

// initialize makes a cluster. It sorts text as most operators' do, by language
// and not by bytes. Small segments of its log make it quick to make and to copy.
func (s *Server) initialize(ctx context.Context) error {
	password := filepath.Join(s.folder, "password")
	if err := s.installation.writeFile(password, s.password); err != nil {
		return err
	}
	return s.installation.run(ctx, s.folder, "initdb", "--pgdata="+s.data(), "--no-sync", "--no-instructions",
		"--wal-segsize=1", "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US",
		"--auth=scram-sha-256", "--username="+superuser, "--pwfile="+password)
}

// startSomewhere starts the server at a port that is free, which only binding
// it tells for certain.
func (s *Server) startSomewhere(ctx context.Context) error {
	const attempts = 20
	var err error
	for range attempts {
		if s.port, err = anyPort(); err != nil {
			return err
		}
		if err = s.start(ctx); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// anyPort is below the ports that the system gives to whoever asks for any: what
// a stopped server leaves is there when it comes back.
func anyPort() (int, error) {
	const lowest, highest = 20000, 32000
	n, err := rand.Int(rand.Reader, big.NewInt(highest-lowest))
	if err != nil {
		return 0, err
	}
	return lowest + int(n.Int64()), nil
}

func (s *Server) start(ctx context.Context) error {
	arguments := []string{"-D", s.data(), "-c", "port=" + strconv.Itoa(s.port)}
	for _, setting := range slices.Concat(settings, s.settings) {
		arguments = append(arguments, "-c", setting)
	}
	p, err := s.installation.launch(ctx, s.data(), arguments)
	if err != nil {
		return err
	}
	s.process = p
	return nil
}

// kill leaves nothing of the server in the machine's memory, as a power failure
// would not: a segment of shared memory is not the processes' own.
func (s *Server) kill(ctx context.Context) error {
	if err := s.process.kill(); err != nil {
		return err
	}
	s.process = nil
	pidFile := filepath.Join(s.data(), "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	const lineOfSegment = 6 // its key and its id
	lines := strings.Split(string(content), "\n")
	if len(lines) <= lineOfSegment {
		return fmt.Errorf("%s has no segment of shared memory: %s", pidFile, content)
	}
	segment := strings.Fields(lines[lineOfSegment])
	if err := s.installation.run(ctx, s.folder, "/usr/bin/ipcrm", "-m", segment[1]); err != nil {
		return err
	}
	return os.Remove(pidFile)
}

func (s *Server) close(t testing.TB) {
	if err := s.guard.release(); err != nil {
		t.Errorf("clearing away PostgreSQL: %v", err)
	}
}
