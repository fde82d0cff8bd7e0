package libvirt

import (
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// locks has a lock for each machine that somebody works on. They are held for
// as long as something is made or changed, and not while a machine is waited
// for. The zero value is ready.
type locks struct {
	mu   sync.Mutex
	held map[cloud.ID]*machineLock
}

type machineLock struct {
	sync.Mutex
	wanted int // by how many, those who have it included
}

// lock returns what gives it back.
func (l *locks) lock(id cloud.ID) (unlock func()) {
	l.mu.Lock()
	one := l.held[id]
	if one == nil {
		one = new(machineLock)
		if l.held == nil {
			l.held = make(map[cloud.ID]*machineLock)
		}
		l.held[id] = one
	}
	one.wanted++
	l.mu.Unlock()
	one.Lock()
	return func() {
		one.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if one.wanted--; one.wanted == 0 {
			delete(l.held, id)
		}
	}
}
