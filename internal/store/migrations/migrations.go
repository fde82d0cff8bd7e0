package migrations

import (
	"embed"
	"io/fs"
)

//go:embed plane/*.sql region/*.sql
var files embed.FS

// Plane returns the steps of the global plane's schema.
func Plane() fs.FS { return sub("plane") }

// Region returns the steps of a region's schema.
func Region() fs.FS { return sub("region") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the names are ours and valid
	}
	return f
}
