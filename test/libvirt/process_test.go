package libvirt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Nothing waits for a time; these bound how long something may take to come.
const (
	promised = 5 * time.Second  // for what is seen of a machine
	patience = 90 * time.Second // for what emulated machines do on a busy host
	interval = 50 * time.Millisecond
)

// eventually tries until it succeeds, or until limit is over.
func eventually(t *testing.T, limit time.Duration, attempt func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := attempt()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", limit, err)
		}
		time.Sleep(interval)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// program is the path of penstock, built once for all tests.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv("PENSTOCK_TEST_LIBVIRT_FOLDER"), "penstock")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/penstock-cloud/penstock/cmd/penstock")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

// command is penstock with arguments, and nothing of the caller's settings.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
	must(t, err)
	c := exec.Command(path, args...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	return c
}

// run runs it to its end, and returns what it printed.
func run(t *testing.T, args ...string) string {
	t.Helper()
	c := command(t, args...)
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		t.Fatalf("penstock %s: %v: %s", strings.Join(args, " "), err, &complaint)
	}
	return strings.TrimSpace(string(out))
}

// server is a penstock that serves.
type server struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed after its end
}

// serve starts it, and goes on when it says that it serves. It logs to a file
// that is appended to, so that it tells the whole story after a restart.
func serve(t *testing.T, log string, args ...string) *server {
	t.Helper()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(t, err)
	defer file.Close()
	said := &greeting{heard: make(chan struct{})}
	s := &server{cmd: command(t, args...), ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = said, file
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, s.cmd.Start())
	go func() {
		_ = s.cmd.Wait() // the state says it all
		close(s.ended)
	}()
	t.Cleanup(s.kill)
	select {
	case <-said.heard:
	case <-s.ended:
		t.Fatalf("penstock %s: %v", strings.Join(args, " "), s.cmd.ProcessState)
	case <-time.After(patience):
		t.Fatalf("penstock %s does not say that it serves", strings.Join(args, " "))
	}
	return s
}

// kill is kill -9; it returns when the process is gone.
func (s *server) kill() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL) // it may be gone already
	<-s.ended
}

// interrupt is Ctrl-C, after which a server ends in good order.
func (s *server) interrupt() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	select {
	case <-s.ended:
	case <-time.After(patience):
		return errors.New("it does not end")
	}
	if !s.cmd.ProcessState.Success() {
		return fmt.Errorf("it ended with %v", s.cmd.ProcessState)
	}
	return nil
}

// greeting hears the first line that is written to it.
type greeting struct {
	once  sync.Once
	heard chan struct{}
}

// Write implements io.Writer.
func (g *greeting) Write(p []byte) (int, error) {
	if bytes.ContainsRune(p, '\n') {
		g.once.Do(func() { close(g.heard) })
	}
	return len(p), nil
}
