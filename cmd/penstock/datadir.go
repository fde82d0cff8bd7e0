package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"
)

// dataDir is the folder that holds everything of one installation.
type dataDir string

func (d dataDir) planeDatabase() string    { return filepath.Join(string(d), "plane.db") }
func (d dataDir) regionDatabase() string   { return filepath.Join(string(d), "region.db") }
func (d dataDir) adminToken() string       { return filepath.Join(string(d), "admin-token") }
func (d dataDir) regionCredential() string { return filepath.Join(string(d), "region-credential") }

// check refuses an empty name, as of a variable that is set to nothing: files
// would land wherever the process was started.
func (d dataDir) check() error {
	if d == "" {
		return errors.New("--data-dir: no folder is named; name one, or unset PENSTOCK_DATA_DIR")
	}
	return nil
}

// defaultDataDir follows the XDG Base Directory Specification.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "penstock")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "penstock-data"
	}
	return filepath.Join(home, ".local", "share", "penstock")
}

// writeSecret replaces a file in one step, readable by its owner alone.
func writeSecret(file, text string) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already if all went well
	_, err = temporary.WriteString(text + "\n")
	if err == nil {
		err = temporary.Sync()
	}
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}

// readSecret reads what writeSecret wrote; "" if there is no such file.
func readSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// holdFolder holds a folder and databases in it.
func holdFolder(dir dataDir, databases ...string) (release func(), err error) {
	if err := dir.check(); err != nil {
		return nil, err
	}
	return hold(dir, databases...)
}

// hold keeps other servers away from the folder, which it makes, and from the
// databases, until release is called. The operating system lets go of them when
// the process dies. A folder "" is none.
//
// A database is held by itself as well, since a server of another folder may be
// told to use it.
func hold(dir dataDir, databases ...string) (release func(), err error) {
	var held []func()
	release = func() {
		for _, unlock := range slices.Backward(held) {
			unlock()
		}
	}
	flag := "--database"
	if dir != "" {
		flag = "--data-dir"
		if err := os.MkdirAll(string(dir), 0o700); err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		unlock, err := lockFile(filepath.Join(string(dir), "lock"), flag, string(dir))
		if err != nil {
			return nil, err
		}
		held = append(held, unlock)
	}
	for _, file := range databases {
		file = realPath(file)
		unlock, err := lockFile(file+".serving", flag, file) // beside the store's own .lock
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, unlock)
	}
	return release, nil
}

// realPath follows symbolic links, so that a database has one lock by whatever
// name it is known. What does not exist yet has the name that it will get.
func realPath(file string) string {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(file)); err == nil {
		return filepath.Join(dir, filepath.Base(file))
	}
	return file
}

func lockFile(name, flag, what string) (release func(), err error) {
	l := flock.New(name, flock.SetPermissions(0o600))
	held, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if !held {
		return nil, fmt.Errorf("%s: another penstock holds %s; stop it, or choose another place", flag, what)
	}
	return func() { _ = l.Unlock() }, nil
}
