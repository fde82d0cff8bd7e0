// Command penstock is the control plane of a GPU cloud: the global plane, its
// regions, and the operator's tools, in one binary. `penstock up` runs all of
// it on one machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/region"
)

// What the command returns to the shell.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitFenced  = 3 // started again, it would only fence the other daemon in turn
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// What a library logs of requests may repeat what is in them; what there is to
	// say of those, our own log says.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(run(ctx, os.Args[1:], os.Environ(), streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are the standard ones of a command.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// commands is the command line: one field and one file for each.
type commands struct {
	Up    upCommand `cmd:"" help:"Run everything on this machine: plane, and a region with simulated machines."`
	Serve struct {
		Plane  servePlaneCommand  `cmd:"" help:"Run the global plane: the Management API."`
		Region serveRegionCommand `cmd:"" help:"Run a region that reports to a plane."`
	} `cmd:"" help:"Run one part as a process of its own."`
	Admin   adminCommand   `cmd:"" help:"For the operator, on the plane's database, also beside a running server."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

const description = `The open, self-hosted control plane of a GPU cloud.

Most flags can also be set by the variable named beside them; the flag goes before.`

// exit carries kong's wish to end the program (after --help) out of its parser.
type exit int

func run(ctx context.Context, args, environ []string, std streams) (code int) {
	defer func() {
		if r := recover(); r != nil {
			status, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(status)
		}
	}()
	var cmd commands
	parser, err := kong.New(&cmd,
		kong.Name("penstock"), kong.Description(description), kong.Help(printHelp),
		kong.Writers(std.out, std.err), kong.Exit(func(status int) { panic(exit(status)) }),
		kong.DefaultEnvars("PENSTOCK"), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: helpWidth}),
		kong.Vars(defaults()),
	)
	if err != nil {
		return fail(std, exitFailure, err)
	}
	if err := checkEnvironment(parser.Model, environ); err != nil {
		return fail(std, exitUsage, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		return fail(std, exitUsage, err)
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	err = chosen.Run(std)
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return exitOK
	case errors.Is(err, federation.ErrFenced), errors.Is(err, region.ErrFenced):
		return fail(std, exitFenced, err)
	default:
		return fail(std, exitFailure, err)
	}
}

// helpWidth is that of the narrowest terminal.
const helpWidth = 80

// printHelp is the parser's own, with the usage broken into lines.
func printHelp(options kong.HelpOptions, parsed *kong.Context) error {
	usage := parsed.Model.Name + parsed.Model.Summary()
	if command := parsed.Selected(); command != nil {
		usage = parsed.Model.Name + " " + command.Summary()
	}
	line := "Usage:"
	for word := range strings.FieldsSeq(usage) {
		if len(line)+1+len(word) > helpWidth {
			fmt.Fprintln(parsed.Stdout, line)
			line = "   "
		}
		line += " " + word
	}
	fmt.Fprintln(parsed.Stdout, line)
	options.NoAppSummary = true
	return kong.DefaultHelpPrinter(options, parsed)
}

func fail(std streams, code int, err error) int {
	fmt.Fprintf(std.err, "penstock: %v\n", cloud.Explain(err))
	return code
}

// checkEnvironment refuses PENSTOCK_* variables that no flag has: a misspelt
// one would be ignored, and its writer deceived.
func checkEnvironment(app *kong.Application, environ []string) error {
	known := map[string]bool{}
	var visit func(*kong.Node)
	visit = func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, env := range f.Envs {
				known[env] = true
			}
		}
		for _, child := range n.Children {
			visit(child)
		}
	}
	visit(app.Node)
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PENSTOCK_") && !strings.HasPrefix(name, "PENSTOCK_TEST_") && !known[name] {
			return fmt.Errorf("the variable %s is no setting of penstock; see `penstock COMMAND --help` for those there are", name)
		}
	}
	return nil
}
