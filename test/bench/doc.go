// Command bench measures how fast the APIs are, as ratios that hold on
// any machine: the program as it runs in production, against a bare net/http
// handler in a process of its own that writes the same bytes, and against
// itself over a fleet a hundred times smaller. It fails where a ratio is below
// the limit that the project has set.
//
// It owns the load, the fleets, the processes that it starts, and the report.
// It does not own why something is slow: -profile asks the plane for that.
// docs/performance.md says how to read what it prints.
package main
