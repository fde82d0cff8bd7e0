package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

type regionCreateCommand struct {
	Name string   `arg:"" help:"Unique and URL-safe: a-z, 0-9 and '-'."`
	URL  string   `required:"" name:"url" env:"-" placeholder:"URL" help:"Where clients reach the region's Infrastructure API."`
	Org  []string `env:"-" sep:"none" placeholder:"NAME" help:"Who may use it, and nobody else; may be given again (default: all organizations)."`
}

// Run makes the region and prints its credential, alone, on standard output.
func (c *regionCreateCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		credential, err := o.CreateRegion(ctx, c.Name, c.URL, c.Org...)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "Region %s is made. This is its credential; it is not shown again:\n", c.Name)
		_, err = fmt.Fprintln(std.out, credential.Reveal())
		return err
	})
}

// outputFlag chooses between text for people and JSON for programs.
type outputFlag struct {
	Output string `short:"o" env:"-" enum:"text,json" default:"text" placeholder:"FORM" help:"text or json (default: ${default})."`
}

func (f outputFlag) json() bool { return f.Output == "json" }

func printJSON(out io.Writer, value any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

type regionListCommand struct{ outputFlag }

// Run prints a line for each region, as the database knows it.
func (c *regionListCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		statuses, err := o.RegionStatuses(ctx)
		if err != nil {
			return err
		}
		views := make([]regionView, len(statuses))
		for i, s := range statuses {
			views[i] = viewRegion(s, time.Now())
		}
		if c.json() {
			return printJSON(std.out, views)
		}
		return printRegions(std.out, views)
	})
}

func printRegions(out io.Writer, views []regionView) error {
	if len(views) == 0 {
		_, err := fmt.Fprintln(out, "no regions yet; make one with: penstock admin region create NAME --url URL")
		return err
	}
	held := ""
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REGION\tLINK\tSYNCED\tLAG\tINSTANCES\tCLUSTERS\tHELD\tSOURCES\tSKEW")
	for _, v := range views {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", v.Name, v.Link, v.synced(), v.Lag,
			v.Objects[cloud.KindInstance], v.Objects[cloud.KindCluster], v.heldInAll(), v.sources(), v.skew())
		if v.heldInAll() > 0 {
			held = "\nWhat is held and why: penstock admin region show " + v.Name + "\n"
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, held)
	return err
}
