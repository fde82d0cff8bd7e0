package stories

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// Nothing waits for a time; these bound how long an event may take to come, on
// a machine that is busy with other tests.
const (
	patience = 45 * time.Second
	interval = 20 * time.Millisecond
)

// process is a penstock that was started.
type process struct {
	name     string
	cmd      *exec.Cmd
	out, err string        // the files of its output
	ended    chan struct{} // closed after its end
}

// launch starts the binary with output to NAME.out and NAME.err, which are
// appended to: after a restart they tell the whole story.
func launch(dir, name string, env, args []string) (*process, error) {
	p := &process{
		name: name, ended: make(chan struct{}),
		out: filepath.Join(dir, name+".out"), err: filepath.Join(dir, name+".err"),
	}
	p.cmd = exec.Command(binary(), args...)
	p.cmd.Dir, p.cmd.Env = dir, env
	// Whatever happens to the tests, no server outlives them.
	p.cmd.SysProcAttr = outliveNobody()
	var files [2]*os.File
	for i, name := range []string{p.out, p.err} {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		files[i] = f
	}
	p.cmd.Stdout, p.cmd.Stderr = files[0], files[1]
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // the state says it all
		close(p.ended)
	}()
	return p, nil
}

// serve launches a server and waits until it says that it serves.
func serve(dir, name string, env, args []string) (*process, error) {
	out := filepath.Join(dir, name+".out")
	before, err := os.ReadFile(out)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	p, err := launch(dir, name, env, args)
	if err != nil {
		return nil, err
	}
	err = wait(func() error {
		select {
		case <-p.ended:
			return final{fmt.Errorf("%s ended before it served: %v\n%s", name, p.cmd.ProcessState, p.log())}
		default:
		}
		greeting, err := os.ReadFile(p.out)
		if err == nil && (len(greeting) == len(before) || !bytes.HasSuffix(greeting, []byte("\n"))) {
			err = fmt.Errorf("%s does not say that it serves\n%s", name, p.log())
		}
		return err
	})
	if err != nil {
		p.kill()
	}
	return p, err
}

// interrupt is Ctrl-C.
func (p *process) interrupt() error { return p.cmd.Process.Signal(os.Interrupt) }

// kill is kill -9; it returns when the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may be gone already
	<-p.ended
}

// end waits until the process ends, and returns what it told the shell.
func (p *process) end() (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(patience):
		return 0, fmt.Errorf("%s still runs\n%s", p.name, p.log())
	}
}

func (p *process) log() []byte {
	text, err := os.ReadFile(p.err)
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// final is an error that waiting does not mend.
type final struct{ error }

// wait calls attempt until it succeeds, for as long as patience lasts.
func wait(attempt func() error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	enough := time.After(patience)
	for {
		err := attempt()
		var over final
		if err == nil || errors.As(err, &over) {
			return err
		}
		select {
		case <-enough:
			return fmt.Errorf("waited for %v: %w", patience, err)
		case <-tick.C:
		}
	}
}

// secret matches all that must not be logged: tokens, credentials of regions,
// and private keys.
var secret = regexp.MustCompile(`eyJ[\w-]{10,}|ps[rs]_[\w-]{10,}|PRIVATE KEY`)

// stderrs is what the processes of a story wrote to standard error.
type stderrs struct {
	mu   sync.Mutex
	dir  string
	text bytes.Buffer
}

// Write takes in what a command wrote that ended.
func (s *stderrs) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// leak returns an error if there is a secret in it.
func (s *stderrs) leak() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts := map[string][]byte{"a command": s.text.Bytes()}
	logs, err := filepath.Glob(filepath.Join(s.dir, "*.err"))
	if err != nil {
		return err
	}
	for _, name := range logs {
		if texts[name], err = os.ReadFile(name); err != nil {
			return err
		}
	}
	for name, text := range texts {
		if at := secret.FindIndex(text); at != nil {
			line := text[bytes.LastIndexByte(text[:at[0]], '\n')+1:]
			line, _, _ = bytes.Cut(line, []byte("\n"))
			return fmt.Errorf("%s left a secret on standard error: %s", name, line)
		}
	}
	return nil
}
