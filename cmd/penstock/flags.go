package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// defaults are the values that help texts and tags refer to.
func defaults() map[string]string {
	p := cloud.DefaultHealthPolicy
	return map[string]string{
		"data_dir":         defaultDataDir(),
		"cluster_stale":    p.Cluster.Stale.String(),
		"cluster_offline":  p.Cluster.Offline.String(),
		"instance_stale":   p.Instance.Stale.String(),
		"instance_offline": p.Instance.Offline.String(),
		"passing":          p.Passing.String(),
		"rate_limit":       strconv.Itoa(rest.DefaultRate),
	}
}

// logFlags are those of every process that runs on.
type logFlags struct {
	LogLevel  logLevel `default:"info" placeholder:"LEVEL" help:"What to log to standard error: debug, info, warn or error (default: ${default})."`
	OpsListen string   `default:"127.0.0.1:9464" placeholder:"ADDR" help:"Where /metrics and profiles are served; empty for nowhere (default: ${default})."`
}

// logLevel is one of the levels that have a name.
type logLevel slog.Level

var logLevels = []string{"debug", "info", "warn", "error"}

// UnmarshalText is called by the parser.
func (l *logLevel) UnmarshalText(text []byte) error {
	if !slices.Contains(logLevels, strings.ToLower(string(text))) {
		return fmt.Errorf("must be one of %s; got %q", strings.Join(logLevels, ", "), text)
	}
	return (*slog.Level)(l).UnmarshalText(text)
}

// serverFlags are those of a public listener.
type serverFlags struct {
	TLSCert     string   `name:"tls-cert" type:"path" placeholder:"FILE" help:"Certificate chain in PEM; read again when it changes."`
	TLSKey      string   `name:"tls-key" type:"path" placeholder:"FILE" help:"Its private key in PEM."`
	BehindProxy []string `placeholder:"CIDR" help:"Proxies in front that end TLS and may speak for the client's address."`
}

// limitFlags are those of whoever serves an API.
type limitFlags struct {
	RateLimit rateLimit `default:"${rate_limit}" placeholder:"N" help:"Requests per second of each caller, and four times as many at once; addresses that fail to say who is calling get a tenth; 0 for no limit (default: ${default})."`
}

// rateLimit is a number of requests per second.
type rateLimit int

// UnmarshalText is called by the parser.
func (l *rateLimit) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("must be a number of requests per second; got %q", text)
	}
	*l = rateLimit(n)
	return rest.CheckRate(n)
}

// limits are new ones, which know nobody yet.
func (l rateLimit) limits() *rest.Limits { return rest.NewLimits(int(l), time.Now) }

// healthFlags are the settings of the health computation.
type healthFlags struct {
	ClusterStale    time.Duration `default:"${cluster_stale}" placeholder:"SPAN" help:"Age from which a cluster is stale (default: ${default})."`
	ClusterOffline  time.Duration `default:"${cluster_offline}" placeholder:"SPAN" help:"Age from which a cluster is offline (default: ${default})."`
	InstanceStale   time.Duration `default:"${instance_stale}" placeholder:"SPAN" help:"Age from which an instance is stale (default: ${default})."`
	InstanceOffline time.Duration `default:"${instance_offline}" placeholder:"SPAN" help:"Age from which an instance is offline (default: ${default})."`
	PassingLimit    time.Duration `default:"${passing}" placeholder:"SPAN" help:"How long a passing state may last before it needs attention (default: ${default})."`
}

func (f healthFlags) policy() (cloud.HealthPolicy, error) {
	p := cloud.HealthPolicy{
		Cluster:  cloud.Limits{Stale: f.ClusterStale, Offline: f.ClusterOffline},
		Instance: cloud.Limits{Stale: f.InstanceStale, Offline: f.InstanceOffline},
		Passing:  f.PassingLimit,
	}
	if err := p.Cluster.Validate(); err != nil {
		return p, fmt.Errorf("--cluster-stale, --cluster-offline: %w", err)
	}
	if err := p.Instance.Validate(); err != nil {
		return p, fmt.Errorf("--instance-stale, --instance-offline: %w", err)
	}
	if p.Passing <= 0 {
		return p, fmt.Errorf("--passing-limit: must be positive; got %v", p.Passing)
	}
	return p, nil
}
