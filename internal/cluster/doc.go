// Package cluster probes the Kubernetes and Slurm clusters that a region's
// configuration declares: it asks each, time and again, whether it is there.
//
// It owns how a cluster is asked and what an answer means. It does not own what
// is declared (package region), nor how old an answer may be and still count:
// that the plane decides, as for everything that regions report.
package cluster
