package pgtest

import (
	"bytes"
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
	"sync"
	"syscall"
	"testing"
)

// superuser is the role that a server begins with, and role the plain one that
// owns the databases of tests.
const (
	superuser = "postgres"
	role      = "penstock"
)

// settings are of a server that may forget everything when the machine stops,
// though not when the server does.
var settings = []string{
	"listen_addresses=127.0.0.1",
	"unix_socket_directories=",
	"max_connections=200",
	"shared_buffers=32MB",
	"max_wal_size=512MB",
	"dynamic_shared_memory_type=mmap", // in the data folder, which is removed, however the server ends
	"fsync=off",
	"full_page_writes=off",
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
	s, err := require(t).newServer(context.Background())
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
	if err := s.kill(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Start starts a server that was stopped or killed, at the address it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
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
	s, err := i.prepare(rand.Text(), extra)
	if err != nil {
		return nil, err
	}
	err = s.initialize(ctx)
	if err == nil {
		err = s.startSomewhere()
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
func (i *installation) prepare(password string, extra []string) (*Server, error) {
	folder, err := i.tempFolder()
	if err != nil {
		return nil, err
	}
	g, err := i.guard(folder)
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
		"--auth=scram-sha-256",
		"--username="+superuser, "--pwfile="+password)
}

// startSomewhere starts the server at a port that is free, which only binding
// it tells for certain.
func (s *Server) startSomewhere() error {
	const attempts = 20
	var err error
	for range attempts {
		if s.port, err = anyPort(); err != nil {
			return err
		}
		if err = s.start(); !errors.Is(err, errPortTaken) {
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

func (s *Server) start() error {
	arguments := []string{"-D", s.data(), "-c", "port=" + strconv.Itoa(s.port)}
	for _, setting := range slices.Concat(settings, s.settings) {
		arguments = append(arguments, "-c", setting)
	}
	p, err := s.installation.launch(s.folder, arguments)
	if err != nil {
		return err
	}
	s.process = p
	return nil
}

// kill leaves nothing of the server in the machine's memory, as a power failure
// would not: a segment of shared memory is not the processes' own.
func (s *Server) kill(ctx context.Context) error {
	if err := s.process.kill(s.data()); err != nil {
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

// process is a running server.
type process struct {
	pid    int
	log    serverLog
	ended  chan struct{}
	signal func(os.Signal) error
}

var errPortTaken = errors.New("the port is taken")

// launch starts a server and waits until it takes connections.
func (i *installation) launch(folder string, arguments []string) (*process, error) {
	p := &process{log: serverLog{ready: make(chan struct{})}, ended: make(chan struct{})}
	c := i.command(context.Background(), folder, filepath.Join(i.folder, "postgres"), arguments...)
	c.Stderr = &p.log
	if err := c.Start(); err != nil {
		return nil, err
	}
	p.pid, p.signal = c.Process.Pid, c.Process.Signal
	go func() {
		defer close(p.ended)
		_ = c.Wait() // how a server ended is in its log
	}()
	select {
	case <-p.log.ready:
		return p, nil
	case <-p.ended:
		log := p.log.String()
		if strings.Contains(log, "Address already in use") {
			return nil, errPortTaken
		}
		return nil, fmt.Errorf("PostgreSQL does not start: %s", log)
	}
}

func (p *process) stop() error {
	if err := p.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// kill holds the process that has started all others before it kills them, so
// that it neither starts more nor tells them and their clients anything.
func (p *process) kill(data string) error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	if err := killWithin(data, p.pid); err != nil {
		return err
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	// Until it was held it may have started one more.
	if err := killWithin(data, p.pid); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// killWithin kills every process that works in a data folder, all but one.
func killWithin(data string, except int) error {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return err
	}
	for _, link := range links {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil || pid == except {
			continue
		}
		if folder, err := os.Readlink(link); err != nil || folder != data {
			continue // another's, or gone
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// serverLog keeps a server's log until it is ready, and some of what follows.
type serverLog struct {
	mutex sync.Mutex
	text  []byte
	once  sync.Once
	ready chan struct{} // closed
}

func (l *serverLog) Write(p []byte) (int, error) {
	const enough = 64 << 10
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.text = append(l.text, p...)
	if bytes.Contains(l.text, []byte("database system is ready to accept ")) {
		l.once.Do(func() { close(l.ready) })
	}
	if surplus := len(l.text) - enough; surplus > 0 {
		l.text = l.text[surplus:]
	}
	return len(p), nil
}

func (l *serverLog) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return string(l.text)
}
