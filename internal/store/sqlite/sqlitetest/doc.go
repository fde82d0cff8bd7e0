// Package sqlitetest gives tests SQLite databases whose schema is there already:
// each process of tests applies the migrations once, and copies from then on,
// which takes a tenth of the time.
//
// It owns how that is done. What is in a schema and what a database has from the
// start stay with the store, which is opened as ever and puts in the latter, so
// that no two databases share their keys or their identity. How a store makes a
// database of an empty file is for the store's own tests.
package sqlitetest
