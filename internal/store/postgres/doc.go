// Package postgres keeps the plane's and a region's data in PostgreSQL, so that
// a plane can be any number of processes.
//
// It owns how servers are reached and reached again (a standby that was
// promoted is found by the next connection), how a database is identified,
// locked and brought up to date, which rows are locked before a decision, and
// the translation of PostgreSQL's errors. Transactions run at READ COMMITTED:
// whoever decides by what it read locks that first, and rows of several
// organizations are locked in the order of their ids. The queries and their
// translation are package rows's, and what must hold is in
// internal/store/storetest. It decides nothing about who may do what.
package postgres
