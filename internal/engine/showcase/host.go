package showcase

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	machinesPerHost    = 8
	minHosts, maxHosts = 2, 256

	// beatEvery is how often hosts and probers are heard without news.
	beatEvery = 5 * time.Second
)

// host is a source that vouches for the instances on it.
type host struct {
	silentUntil time.Time
}

func hostName(number int32) string { return fmt.Sprintf("host-%02d", number+1) }

// hostNumber is the inverse of hostName; negative if there is none.
func hostNumber(name string) int32 {
	digits, found := strings.CutPrefix(name, "host-")
	number, err := strconv.ParseInt(digits, 10, 32)
	if !found || err != nil {
		return -1
	}
	return int32(number) - 1
}

func (s *simulation) silent(host int32) bool {
	return s.Now().Before(s.hosts[host].silentUntil)
}

// speakingHost draws a host that is not silent; at most one is.
func (s *simulation) speakingHost() int32 {
	h := s.rand.Int32N(int32(len(s.hosts))) //nolint:gosec // bounded by maxHosts
	if s.silent(h) {
		h = (h + 1) % int32(len(s.hosts)) //nolint:gosec // bounded by maxHosts
	}
	return h
}

// beat hears everybody who is not silent.
func (s *simulation) beat() error {
	s.nextBeat = s.Now().Add(beatEvery)
	for h := range s.hosts {
		if n := int32(h); !s.silent(n) { // bounded by maxHosts
			if err := s.sink.Heard(hostName(n)); err != nil {
				return err
			}
		}
	}
	for _, kind := range []cloud.ClusterType{cloud.ClusterKubernetes, cloud.ClusterSlurm} {
		if err := s.sink.Heard("prober-" + string(kind)); err != nil {
			return err
		}
	}
	return nil
}

// beatIfDue keeps the sources alive while something long goes on.
func (s *simulation) beatIfDue() error {
	if s.Now().Before(s.nextBeat) {
		return nil
	}
	return s.beat()
}
