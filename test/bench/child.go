package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is a process that ends when its context does, or when it is stopped:
// asked first, and killed if it does not listen.
type child struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	cancel context.CancelFunc
}

// killAfter is how long a process may take to end.
const killAfter = 5 * time.Second

func newChild(ctx context.Context, name string, args ...string) *child {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, name, args...) // this program, or the one that it built
	cmd.Env = ownEnvironment()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	return &child{cmd: cmd, cancel: cancel}
}

// ownEnvironment is this process's, without settings of the program that is
// measured.
func ownEnvironment() []string {
	var kept []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "PENSTOCK_") {
			kept = append(kept, entry)
		}
	}
	return kept
}

func (c *child) start() error {
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.stdout = bufio.NewReader(out)
	return c.cmd.Start()
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the process and waits until it is gone.
func (c *child) stop() {
	c.cancel()
	_ = c.cmd.Wait() // it says that we ended it
}
