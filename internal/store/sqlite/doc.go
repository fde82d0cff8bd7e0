// Package sqlite keeps the plane's and a region's data in SQLite: one file each,
// for a plane or a region that runs as one process.
//
// It owns how the files are opened, checked, brought up to date and shared
// (one connection writes, several read; another process, such as an operator's
// command, may write at the same time), and the translation between rows and
// the domain. The SQL is in internal/store/queries, the schema in
// internal/store/migrations, and what must hold in internal/store/storetest.
// It decides nothing about who may do what.
package sqlite
