package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

type regionCreateCommand struct {
	Name string `arg:"" help:"Unique and URL-safe: a-z, 0-9 and '-'."`
	URL  string `required:"" name:"url" env:"-" placeholder:"URL" help:"Where clients reach the region's Infrastructure API."`
}

// Run makes the region and prints its credential, alone, on standard output.
func (c *regionCreateCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		credential, err := o.CreateRegion(ctx, c.Name, c.URL)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "Region %s is made. This is its credential; it is not shown again:\n", c.Name)
		_, err = fmt.Fprintln(std.out, credential.Reveal())
		return err
	})
}

type regionListCommand struct{}

// Run prints a line for each region, as the database knows it.
func (c *regionListCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		statuses, err := o.RegionStatuses(ctx)
		if err != nil {
			return err
		}
		return printRegions(std.out, statuses, time.Now())
	})
}

func printRegions(out io.Writer, statuses []cloud.RegionStatus, now time.Time) error {
	if len(statuses) == 0 {
		_, err := fmt.Fprintln(out, "no regions yet; make one with: penstock admin region create NAME --url URL")
		return err
	}
	simulated := ""
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REGION\tLAST REPORT\tINSTANCES\tCLUSTERS\tURL")
	for _, s := range statuses {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", s.Name, lastReport(s.Link, now),
			s.Objects[cloud.KindInstance], s.Objects[cloud.KindCluster], s.URL)
		if s.Name == localRegion {
			simulated = "\n" + localRegion + " is simulated: nothing there is a real machine.\n"
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, simulated)
	return err
}

func lastReport(l cloud.Link, now time.Time) string {
	if l.SyncedAt.IsZero() {
		return "never"
	}
	return now.Sub(l.SyncedAt).Round(time.Second).String() + " ago"
}
