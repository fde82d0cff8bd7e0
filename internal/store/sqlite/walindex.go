package sqlite

import (
	"os"
	"slices"
	"sync"
)

// walIndex is the index of a write-ahead log: a file that all connections to a
// database share, in all processes. Every commit changes its header, and by
// that SQLite itself finds out, when a transaction begins, whether the pages
// that it has in memory still hold (https://sqlite.org/walformat.html, 2.1).
type walIndex struct {
	path string
	info os.FileInfo
	file *os.File
}

// walState is the index's header. Where two are equal nothing was committed in
// between: it holds a counter, the length of the log, a checksum over the log,
// and a salt that is new each time the log begins anew.
type walState [48]byte

// walInitialized is the place of the byte that tells a header from zeros.
const walInitialized = 12

// state reads the header; ok is false if there is none.
func (x *walIndex) state() (s walState, ok bool) {
	n, err := x.file.ReadAt(s[:], 0)
	return s, n == len(s) && err == nil && s[walInitialized] != 0
}

// walIndexes are those in use in this process. Closing any descriptor of a file
// drops all locks that the process has on it, SQLite's among them (fcntl, POSIX
// 1003.1). So each file has one, whoever uses it, which stays open until the
// file is gone: SQLite removes it with the last connection.
var walIndexes struct {
	sync.Mutex
	open []*walIndex
}

// openWALIndex opens the index that a connection has made.
func openWALIndex(path string) (*walIndex, error) {
	walIndexes.Lock()
	defer walIndexes.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	for _, x := range walIndexes.open {
		if os.SameFile(x.info, info) {
			return x, nil
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	x := &walIndex{path: path, info: info, file: file}
	walIndexes.open = append(walIndexes.open, x)
	return x, nil
}

// closeIfGone closes the index if its file is gone. It is called by each user,
// after it has closed its connections.
func (x *walIndex) closeIfGone() {
	walIndexes.Lock()
	defer walIndexes.Unlock()
	if same, _ := isFile(x.path, x.info); same {
		return
	}
	_ = x.file.Close() // it was only read
	walIndexes.open = slices.DeleteFunc(walIndexes.open, func(o *walIndex) bool { return o == x })
}
