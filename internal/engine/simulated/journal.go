package simulated

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// journalVersion is that of the file's form.
const journalVersion = 1

// slack is how many records a journal may always have that say nothing any
// more.
const slack = 1024

// record is a line of the journal: what a thing is from then on.
type record struct {
	Version        int       `json:"version,omitempty"` // in the first line, and nothing else
	Machine        *Machine  `json:"machine,omitempty"` // without disk, seed, network and definition it is gone
	Filesystem     *fileKept `json:"filesystem,omitempty"`
	FilesystemGone cloud.ID  `json:"filesystemGone,omitempty"`
}

// fileKept is what is kept of a filesystem.
type fileKept struct {
	ID        cloud.ID    `json:"id"`
	ProjectID cloud.ID    `json:"projectID"`
	Size      cloud.Bytes `json:"size"`
}

func keptFilesystem(f cloud.Filesystem) *fileKept {
	return &fileKept{ID: f.ID, ProjectID: f.ProjectID, Size: f.Size}
}

func (f fileKept) filesystem() cloud.Filesystem {
	return cloud.Filesystem{ID: f.ID, ProjectID: f.ProjectID, Size: f.Size}
}

// journal keeps a World in a file: one line for every change, and all of it
// written anew once most lines say nothing any more. It survives the process
// at any point; when the machine loses power, the last changes may be lost.
type journal struct {
	path   string
	lock   *flock.Flock
	file   *os.File // nil until it was written
	lines  int
	broken error // why it cannot be gone on with
}

// openJournal takes hold of the file, which may not be there yet.
func openJournal(path string) (*journal, error) {
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("the file of the simulated hosts: %w", err)
	}
	if !held {
		return nil, cloud.Conflict("another process runs the simulated hosts in %s; stop it, or name another file", path)
	}
	return &journal{path: path, lock: lock}, nil
}

// read hands over every record. A last line that was not written whole never
// happened.
func (j *journal) read(take func(record)) error {
	file, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := parseRecord(line, n == 1)
		if err != nil {
			return fmt.Errorf("%s, line %d: %w; move the file away to begin with empty hosts", j.path, n, err)
		}
		take(r)
	}
}

func parseRecord(line []byte, first bool) (r record, err error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return record{}, err
	}
	switch {
	case first && r.Version != journalVersion:
		return record{}, fmt.Errorf("the file is of version %d, and this program reads %d", r.Version, journalVersion)
	case r.Machine != nil && (r.Machine.ID == "" || r.Machine.Host == ""):
		return record{}, errors.New("a machine without an id or a host")
	}
	return r, nil
}

// overgrown reports whether most lines say nothing any more, where so many
// would say all.
func (j *journal) overgrown(live int) bool { return j.lines > 2*live+slack }

// rewrite replaces the file, in one step, by one that says the same.
func (j *journal) rewrite(records iter.Seq[record]) error {
	if j.broken != nil {
		return j.broken
	}
	file, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	lines, err := writeAll(file, records)
	if err == nil {
		err = os.Rename(file.Name(), j.path)
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	if j.file != nil {
		_ = j.file.Close() // nobody reads it any more
	}
	j.file, j.lines = file, lines
	return nil
}

func writeAll(file *os.File, records iter.Seq[record]) (lines int, err error) {
	buffer := bufio.NewWriter(file)
	encoder := json.NewEncoder(buffer)
	if err := encoder.Encode(record{Version: journalVersion}); err != nil {
		return 0, err
	}
	for r := range records {
		if err := encoder.Encode(r); err != nil {
			return 0, err
		}
		lines++
	}
	return lines, errors.Join(buffer.Flush(), file.Sync())
}

// append adds one line. When that fails the end of the file is unknown, and so
// every append after it fails too.
func (j *journal) append(r record) error {
	if j.broken != nil {
		return j.broken
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		j.broken = fmt.Errorf("the file of the simulated hosts cannot be written any more; make room and start again: %w", err)
		return j.broken
	}
	j.lines++
	return nil
}

func (j *journal) close() (err error) {
	j.broken = errors.New("the simulated hosts are closed")
	if j.file != nil {
		err = j.file.Close()
	}
	return errors.Join(err, j.lock.Close())
}
