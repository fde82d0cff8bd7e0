package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// process is a running server: the process that was started, and all those that
// it has started to serve. What they have in common is that they work in the
// data folder; each is a group of its own.
type process struct {
	data   string
	log    serverLog
	ended  chan struct{} // closed
	signal func(os.Signal) error
}

var errPortTaken = errors.New("the port is taken")

// launch starts a server and waits until it takes connections.
func (i *installation) launch(ctx context.Context, data string, arguments []string) (*process, error) {
	p := &process{data: data, log: serverLog{ready: make(chan struct{})}, ended: make(chan struct{})}
	c := i.command(context.WithoutCancel(ctx), filepath.Dir(data), "postgres", arguments...)
	c.Stderr = &p.log
	if err := c.Start(); err != nil {
		return nil, err
	}
	p.signal = c.Process.Signal
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

// stop is PostgreSQL's immediate shutdown.
func (p *process) stop() error {
	if err := p.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// kill holds all processes before it kills any, so that none tells another, or
// a client, that something is amiss.
func (p *process) kill() error {
	if err := p.freeze(); err != nil {
		return err
	}
	if err := p.signalAll(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// freeze goes over the processes twice: the one that starts the others may have
// started one more while it was not held yet.
func (p *process) freeze() error {
	if err := p.signalAll(syscall.SIGSTOP); err != nil {
		return err
	}
	return p.signalAll(syscall.SIGSTOP)
}

func (p *process) thaw() error {
	return p.signalAll(syscall.SIGCONT)
}

func (p *process) signalAll(signal syscall.Signal) error {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return err
	}
	for _, link := range links {
		if folder, err := os.Readlink(link); err != nil || folder != p.data {
			continue // another's, or gone
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
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
