// Package storetest holds what every store must do: one suite for the plane's
// store and one for a region's, which each implementation runs against itself.
//
// It owns the meaning of the contracts cloud.Store and cloud.RegionStore where
// types cannot express it: orders, pages, what is missing, what conflicts with
// what, and what a transaction is. What only one database can do (its files,
// its error codes) is tested beside that one.
package storetest
