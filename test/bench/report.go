package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// report is what a run found.
type report struct {
	At         time.Time       `json:"at"`
	Go         string          `json:"go"`
	Platform   string          `json:"platform"`
	CPUs       int             `json:"cpus"`
	Rounds     int             `json:"rounds"`
	Fleet      int             `json:"fleet"`
	LargeFleet int             `json:"large_fleet"`
	Short      bool            `json:"short,omitempty"`
	Rows       []*row          `json:"rows"`
	Planes     []footprint     `json:"planes"`
	Link       *linkFigures    `json:"link,omitempty"`
	Rest       *restFigures    `json:"rest,omitempty"`
	Machines   *machineFigures `json:"machines,omitempty"`
	Binary     binarySizes     `json:"binary_bytes"`
}

// side is one of the two that a row compares.
type side struct {
	PerSecond float64 `json:"requests_per_second"`    // the median of the rounds
	CPUMicros float64 `json:"cpu_micros_per_request"` // of the server; 0 if unknown
}

// footprint is what a plane costs.
type footprint struct {
	Instances   int    `json:"instances"`
	StartMillis spread `json:"start_millis"` // from the start of the process to /readyz
	FreshBytes  int64  `json:"resident_bytes_started"`
	LoadedBytes int64  `json:"resident_bytes_loaded"`
}

type binarySizes struct {
	Plain    int64 `json:"plain"`
	Stripped int64 `json:"stripped"`
}

// spread is the median and the quartiles of some numbers.
type spread struct {
	Low    float64 `json:"low"`
	Median float64 `json:"median"`
	High   float64 `json:"high"`
}

func spreadOf(numbers []float64) spread {
	sorted := slices.Sorted(slices.Values(numbers))
	return spread{quantile(sorted, 1, 4), quantile(sorted, 1, 2), quantile(sorted, 3, 4)}
}

// percentile is the smallest of some numbers that is not below so many in a
// hundred of them.
func percentile(numbers []float64, percent int) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

// quantile interpolates between neighbours; 0 for no numbers.
func quantile(sorted []float64, numerator, denominator int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := (len(sorted) - 1) * numerator
	i, rest := at/denominator, at%denominator
	if rest == 0 {
		return sorted[i]
	}
	return sorted[i] + (sorted[i+1]-sorted[i])*float64(rest)/float64(denominator)
}

func newReport(s settings, rows []*row) *report {
	return &report{
		At: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		Rounds: s.rounds, Fleet: s.fleet, LargeFleet: s.largeFleet, Short: s.short, Rows: rows,
	}
}

func (r *report) missed() bool { return slices.ContainsFunc(r.Rows, (*row).missed) }

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *report) writeTable(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, %s, %d CPUs, medians of %d rounds\n\n", r.At.Format(time.RFC3339), r.Go, r.Platform, r.CPUs, r.Rounds)
	if len(r.Rows) > 0 {
		if err := r.writeRows(w); err != nil {
			return err
		}
	}
	for _, p := range r.Planes {
		fmt.Fprintf(w, "With %d instances: ready after %.0f ms, %d MiB resident then, %d MiB after the load.\n",
			p.Instances, p.StartMillis.Median, p.FreshBytes>>20, p.LoadedBytes>>20)
	}
	if r.Link != nil {
		r.Link.write(w)
	}
	if r.Rest != nil {
		r.Rest.write(w)
	}
	if r.Machines != nil {
		r.Machines.write(w)
	}
	_, err := fmt.Fprintf(w, "Binary: %.1f MiB, %.1f MiB stripped.\n", mebibytes(r.Binary.Plain), mebibytes(r.Binary.Stripped))
	if err == nil && r.Short {
		_, err = fmt.Fprintln(w, "This was a short run, which is held to no limit.")
	}
	return err
}

func (r *report) writeRows(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "ratio\tquartiles\tat least\t\tours/s\tbase/s\tours µs CPU\tbase µs CPU\t\trow")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%.2f\t%.2f–%.2f\t%.2f\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t\t%s\n",
			row.Ratio.Median, row.Ratio.Low, row.Ratio.High, row.Limit, verdict(row),
			row.Ours.PerSecond, row.Base.PerSecond, row.Ours.CPUMicros, row.Base.CPUMicros, row.Name)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nGrowth compares a plane with %d instances (ours) with one with %d (base); the rest is against a bare handler.\n", r.LargeFleet, r.Fleet)
	return err
}

func verdict(r *row) string {
	if r.missed() {
		return "MISSED"
	}
	return "ok"
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
