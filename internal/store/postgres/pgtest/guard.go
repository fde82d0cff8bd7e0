package pgtest

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"syscall"
)

// guardScript waits until nobody holds its standard input open any more, ends
// the server whose data lie in the folder given, and removes the folder, which
// takes more than one attempt where something still writes to it. That a process
// works in the data folder is how it is known to be the server: the id alone may
// be another's by now.
const guardScript = `
cat >/dev/null
data=$1/data
if read -r server <"$data/postmaster.pid" && [ "/proc/$server/cwd" -ef "$data" ]; then
	kill -s QUIT "$server"
	kill -s CONT "$server"
	while [ "/proc/$server/cwd" -ef "$data" ]; do sleep 0.05; done
fi
attempts=0
until rm -rf "$1" || [ $((attempts += 1)) = 100 ]; do sleep 0.05; done
`

// guard is a process that outlives this one to clear a server away, however
// this one ends: killed with -9, or finished, of which a package of test support
// hears nothing either.
type guard struct {
	command *exec.Cmd
	held    io.Closer
}

// newGuard sets a guard on a server's folder. Like the servers it is out of reach
// of the terminal's Ctrl-C.
func newGuard(ctx context.Context, folder string) (*guard, error) {
	c := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", guardScript, "sh", folder)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	held, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return &guard{c, held}, nil
}

// release lets the guard do its work, and waits for it.
func (g *guard) release() error {
	return errors.Join(g.held.Close(), g.command.Wait())
}
