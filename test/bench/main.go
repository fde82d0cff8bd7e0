package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// settings is how a run is made.
type settings struct {
	rounds      int
	slice       time.Duration // how long each side of each row is loaded in a round
	connections int
	fleet       int // instances; a multiple of organizationSize
	largeFleet  int // the same, for the rows about growth
	starts      int
	short       bool
	json        bool
	run         *regexp.Regexp // which rows
	profiles    string         // the folder for them; "" for none
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == bareCommand {
		exit(serveBare(os.Stdin, os.Stdout))
	}
	s := parse()
	// Ending the context ends the processes that were started with it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, s)
	stop()
	exit(err)
}

func parse() settings {
	s := settings{rounds: 15, slice: 400 * time.Millisecond, fleet: 10_000, largeFleet: 1_000_000, starts: 5}
	flag.IntVar(&s.connections, "connections", 8, "how many connections ask at once")
	flag.BoolVar(&s.short, "short", false, "a quick look with a smaller fleet; holds nothing to the limits")
	flag.BoolVar(&s.json, "json", false, "print JSON instead of a table")
	flag.StringVar(&s.profiles, "profile", "", "also write a CPU profile of the plane under each row to this `folder`")
	rows := flag.String("run", "", "only rows whose name matches this `regexp`")
	flag.Parse()
	if s.short {
		s.rounds, s.slice, s.largeFleet, s.starts = 3, 100*time.Millisecond, 50_000, 1
	}
	var err error
	if s.run, err = regexp.Compile(*rows); err != nil || s.connections < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	return s
}

// errMissed says that the run is complete and not good enough; the report says
// the rest.
var errMissed = errors.New("a limit is missed")

func bench(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left there is the system's to clear away

	r, err := run(ctx, s, dir)
	if ctx.Err() != nil {
		return context.Cause(ctx) // what else failed, failed of that
	}
	if err != nil {
		return err
	}
	if s.json {
		err = r.writeJSON(os.Stdout)
	} else {
		err = r.writeTable(os.Stdout)
	}
	if err == nil && !s.short && r.missed() {
		err = errMissed
	}
	return err
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// progress tells a person what takes so long.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
