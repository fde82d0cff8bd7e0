package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// The tests of several processes run this test binary again, with the path of
// the database and a name for the process in its environment.
const pathVariable, nameVariable = "PENSTOCK_TEST_DATABASE", "PENSTOCK_TEST_NAME"

func TestMain(m *testing.M) {
	if path := os.Getenv(pathVariable); path != "" {
		if err := writeFrom(context.Background(), path, os.Getenv(nameVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writesEach is how many writes a process does that is not killed.
const writesEach = 20

// writeFrom opens the database, makes organizations, and prints each name when
// it is acknowledged; at the end it touches the health. A process without a
// name goes on until it is killed.
func writeFrom(ctx context.Context, path, name string) error {
	p, err := sqlite.OpenPlane(ctx, path)
	if err != nil {
		return err
	}
	for n := 0; n < writesEach || name == ""; n++ {
		organization := fmt.Sprintf("%s-%d", name, n)
		if err := create(ctx, p, organization); err != nil {
			return err
		}
		fmt.Println(organization)
	}
	if err := p.Write(ctx, cloud.Writer.TouchHealth); err != nil {
		return err
	}
	return p.Close()
}

func process(t *testing.T, path, name string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), pathVariable+"="+path, nameVariable+"="+name)
	c.Stderr = os.Stderr
	return c
}

// Several processes that open a new database at once, and write to it, get on
// with each other.
func TestProcessesAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plane.db")
	names := []string{"a", "b", "c", "d"}
	errs := make([]error, len(names))
	var processes sync.WaitGroup
	for i, name := range names {
		c := process(t, path, name)
		processes.Go(func() { errs[i] = c.Run() })
	}
	processes.Wait()
	p := open(t, path)
	for i, name := range names {
		if errs[i] != nil {
			t.Errorf("process %s: %v", name, errs[i])
		}
		for n := range writesEach {
			if err := exists(t.Context(), p, fmt.Sprintf("%s-%d", name, n)); err != nil {
				t.Errorf("write %d of process %s: %v", n, name, err)
			}
		}
	}
}

// What was acknowledged outlives a process that is killed.
func TestProcessKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plane.db")
	c := process(t, path, "")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == writesEach {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err == nil || len(acknowledged) < writesEach {
		t.Fatalf("the process ended by itself after %d writes", len(acknowledged))
	}
	p := open(t, path)
	for _, name := range acknowledged {
		if err := exists(t.Context(), p, name); err != nil {
			t.Errorf("%s was acknowledged: %v", name, err)
		}
	}
	if err := create(t.Context(), p, "afterwards"); err != nil {
		t.Errorf("a write afterwards: %v", err)
	}
}
