package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

type regionShowCommand struct {
	Name string `arg:"" help:"The region."`
	outputFlag
}

// Run prints all that the database knows of a region.
func (c *regionShowCommand) Run(ctx context.Context, std streams, admin *adminCommand) error {
	return admin.operate(ctx, std, func(o operator) error {
		detail, err := o.Region(ctx, c.Name)
		if err != nil {
			return err
		}
		v := viewDetail(detail, time.Now())
		if c.json() {
			return printJSON(std.out, v)
		}
		return v.print(std.out)
	})
}

// detailView is regionView with what only `show` has.
type detailView struct {
	regionView
	Open        bool             `json:"open_to_all"`
	Except      []string         `json:"except"` // organizations, by name
	Credentials []credentialView `json:"credentials"`
	HeldObjects []heldView       `json:"held_objects"`
}

type credentialView struct {
	ID        cloud.ID  `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// heldView is an object that is held aside, as missing, or both.
type heldView struct {
	Kind         cloud.ObjectKind `json:"kind"`
	ID           cloud.ID         `json:"id"`
	Organization cloud.ID         `json:"organization_id"`
	Reason       cloud.HeldReason `json:"reason,omitempty"`
	MissingSince *time.Time       `json:"missing_since,omitempty"`
}

func viewDetail(d control.RegionDetail, now time.Time) detailView {
	v := detailView{
		regionView: viewRegion(d.RegionStatus, now), Open: !d.Closed, Except: []string{},
		Credentials: []credentialView{}, HeldObjects: []heldView{},
	}
	for _, organization := range d.Except {
		v.Except = append(v.Except, organization.Name)
	}
	for _, c := range d.Credentials {
		v.Credentials = append(v.Credentials, credentialView{c.ID, c.CreatedAt})
	}
	for _, o := range d.Aside {
		h := heldView{Kind: o.Kind, ID: o.ID, Organization: o.OrganizationID, Reason: o.Held}
		if !o.MissingSince.IsZero() {
			h.MissingSince = &o.MissingSince
		}
		v.HeldObjects = append(v.HeldObjects, h)
	}
	return v
}

func (v detailView) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "region\t%s\n", v.Name)
	fmt.Fprintf(w, "url\t%s\n", v.URL)
	fmt.Fprintf(w, "link\t%s, %d changes behind seq %d\n", v.Link, v.Lag, v.AppliedSeq+v.Lag)
	fmt.Fprintf(w, "last sync\t%s\n", v.lastSync())
	fmt.Fprintf(w, "epoch\t%d\n", v.Epoch)
	fmt.Fprintf(w, "incarnation\t%s\n", orNone(string(v.Incarnation)))
	fmt.Fprintf(w, "clock skew\t%s\n", v.skew())
	for _, kind := range cloud.ObjectKinds {
		fmt.Fprintf(w, "%ss\t%d\n", kind, v.Objects[kind])
	}
	fmt.Fprintf(w, "open to\t%s\n", v.access())
	for _, c := range v.Credentials {
		fmt.Fprintf(w, "credential\t%s, made %s\n", c.ID, c.CreatedAt.Format(time.RFC3339))
	}
	if len(v.Credentials) == 0 {
		fmt.Fprintf(w, "credential\tnone; make one with: penstock admin region rotate %s\n", v.Name)
	}
	for _, s := range v.Sources {
		fmt.Fprintf(w, "source\t%s, heard %s ago\n", s.Name, span(s.Age))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return v.printHeld(out)
}

// printHeld lists what is held aside, and what is held as missing.
func (v detailView) printHeld(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if v.heldInAll() > v.Missing {
		fmt.Fprintln(w, "\nHeld aside, and not shown to tenants:")
	}
	for _, h := range v.HeldObjects {
		if h.Reason != "" {
			fmt.Fprintf(w, "%s\t%s\t%s\n", h.Kind, h.ID, h.Reason.Text())
		}
	}
	if v.Missing > 0 {
		fmt.Fprintf(w, "\nHeld as missing. A snapshot that the plane asks for removes what it lacks still,\n"+
			"from %s on. To remove it now:\n  penstock admin region accept %s\n",
			v.MissingSince.Add(cloud.GuardDelay).Format(time.RFC3339), v.Name)
	}
	for _, h := range v.HeldObjects {
		if h.MissingSince != nil {
			fmt.Fprintf(w, "%s\t%s\tsince %s\n", h.Kind, h.ID, h.MissingSince.Format(time.RFC3339))
		}
	}
	return w.Flush()
}

func (v detailView) lastSync() string {
	if v.SyncedAt == nil {
		return "never"
	}
	return fmt.Sprintf("%s, %s ago", v.SyncedAt.Format(time.RFC3339), v.synced())
}

func (v detailView) access() string { return describeAccess(v.Open, v.Except) }

func describeAccess(open bool, except []string) string {
	names := strings.Join(except, ", ")
	switch {
	case open && names == "":
		return "all organizations"
	case open:
		return "all organizations but " + names
	default:
		return orNone(names)
	}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
