package pgtest

import (
	"context"
	"io"
	"os/exec"
)

// guardScript waits until nobody holds its standard input open any more, ends
// the server whose data lie in the folder given, and removes the folder. That a
// process works in the data folder is how it is known to be the server: the id
// alone may be another's by now.
const guardScript = `
cat >/dev/null
data=$1/data
if read -r server <"$data/postmaster.pid" && [ "/proc/$server/cwd" -ef "$data" ]; then
	kill -s QUIT "$server"
	while [ "/proc/$server/cwd" -ef "$data" ]; do sleep 0.05; done
fi
until rm -rf "$1"; do sleep 0.05; done
`

// guard is a process that outlives this one to clear a server away, however
// this one ends: killed with -9, or finished, of which a package of test support
// hears nothing either.
type guard struct {
	command *exec.Cmd
	held    io.Closer
}

func (i *installation) guard(folder string) (*guard, error) {
	c := i.command(context.Background(), "/", "/bin/sh", "-c", guardScript, "sh", folder)
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
	g.held.Close()
	return g.command.Wait()
}
