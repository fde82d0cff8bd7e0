// Package migrations holds the schemas of the plane's and of a region's
// database, as numbered steps that only ever go forward.
//
// It owns the SQL of the schemas and how it is applied, and nothing else: each
// store does so at its opening, while no other process does. A step that has been released is never edited, and leaves a
// database that the release before can still serve.
//
// A step is one statement to goose, from StatementBegin to StatementEnd, and so
// goes to the database at once, rather than being taken apart line by line: a
// new database is there in a fraction of the time.
package migrations
