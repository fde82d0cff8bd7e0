package oauth

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	// pollInterval is how long devices wait between two questions, and by how much
	// longer after each that came too soon (RFC 8628, 3.5).
	pollInterval = 5 * time.Second
	// pollPlay is what the way of a question may take less than that of the one
	// before.
	pollPlay = time.Second
	// maxPolled is how many devices are watched, of about 200 bytes each. Those
	// beyond may ask as often as their address may.
	maxPolled = 16384
)

// polls remembers when devices asked last. It is this process's alone: what it
// protects is the process, and a device that asks several has several as fast.
type polls struct {
	mu   sync.Mutex
	last *lru.Cache[cloud.SecretHash, poll]
}

type poll struct {
	at       time.Time
	interval time.Duration
}

func newPolls() *polls {
	last, err := lru.New[cloud.SecretHash, poll](maxPolled)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &polls{last: last}
}

// tooSoon notes a question, and reports whether it came too soon after the last
// one.
func (p *polls) tooSoon(device cloud.SecretHash, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, known := p.last.Get(device)
	next := poll{at: now, interval: pollInterval}
	soon := false
	if known {
		waited := now.Sub(last.at)
		soon = 0 <= waited && waited < last.interval-pollPlay // clocks step back
		next.interval = last.interval
	}
	if soon {
		next.interval += pollInterval
	}
	p.last.Add(device, next)
	return soon
}
