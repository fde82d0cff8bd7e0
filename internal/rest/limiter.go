package rest

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxLimited bounds whose quotas are known: those who asked last. Each takes
	// about 200 bytes.
	maxLimited = 1 << 16
	// leftSteps bounds the values that are ready of a header.
	leftSteps = 256
)

// limiter gives each of many a quota that fills up steadily (the generic cell
// rate algorithm, ITU-T I.371, A.1). Of each it knows one instant: when the quota
// will be whole again, if nobody asks.
type limiter[K comparable] struct {
	now   func() time.Time
	every int64 // nanoseconds in which a unit comes back
	quota int64 // units

	mu    sync.Mutex
	whole *simplelru.LRU[K, *int64] // Unix time in nanoseconds

	// The headers, made once: what is left is said in whole steps, of 1 unless the
	// quota is large.
	policy []string
	step   int64
	left   [][]string
}

// newLimiter gives everybody a quota that is whole again after a window.
func newLimiter[K comparable](name string, quota int64, window time.Duration, now func() time.Time) *limiter[K] {
	whole, err := simplelru.NewLRU[K, *int64](maxLimited, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	l := &limiter[K]{
		now: now, every: int64(window) / quota, quota: quota, whole: whole,
		policy: []string{fmt.Sprintf("%q;q=%d;w=%d", name, quota, int64(window.Seconds()))},
		step:   quota/leftSteps + 1,
	}
	for left := int64(0); left <= quota; left += l.step {
		seconds := ((quota-left)*l.every + int64(time.Second) - 1) / int64(time.Second)
		l.left = append(l.left, []string{fmt.Sprintf("%q;r=%d;t=%d", name, left, seconds)})
	}
	return l
}

// spend takes units of somebody's quota, and says how many are left. If there
// were not so many it takes none, and says how long to wait until there are.
func (l *limiter[K]) spend(who K, units int64) (left int64, wait time.Duration) {
	now := l.now().UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	whole := l.wholeAt(who, now)
	if over := *whole + units*l.every - (now + l.quota*l.every); over > 0 {
		return l.leftAt(*whole, now), time.Duration(over)
	}
	*whole += units * l.every
	return l.leftAt(*whole, now), 0
}

// take takes units of somebody's quota, or all that is left.
func (l *limiter[K]) take(who K, units int64) {
	now := l.now().UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	whole := l.wholeAt(who, now)
	*whole = min(*whole+units*l.every, now+l.quota*l.every)
}

// wholeAt is when somebody's quota is whole again: now at the earliest, and by a
// quota later at most, or the clock was set back, after which all begin anew.
func (l *limiter[K]) wholeAt(who K, now int64) *int64 {
	whole, ok := l.whole.Get(who)
	if !ok {
		whole = new(int64)
		l.whole.Add(who, whole)
	}
	if *whole < now || *whole > now+l.quota*l.every {
		*whole = now
	}
	return whole
}

func (l *limiter[K]) leftAt(whole, now int64) int64 {
	return l.quota - (whole-now+l.every-1)/l.every
}
