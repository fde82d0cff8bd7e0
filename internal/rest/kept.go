package rest

import (
	"container/list"
	"sync"
)

// Kept keeps representations, the most recently used ones, in bounded memory.
// Each is kept under a key, with what its owner needs to tell whether it still
// holds. It is safe for concurrent use.
type Kept[K comparable, V any] struct {
	mu     sync.Mutex
	byKey  map[K]*list.Element // of *keptOne[K, V]
	recent list.List           // most recently used first
	bytes  int
	limit  int
}

type keptOne[K comparable, V any] struct {
	key K
	of  V
	rep *Representation
}

// NewKept returns an empty one, which takes up to that many bytes.
func NewKept[K comparable, V any](limit int) *Kept[K, V] {
	return &Kept[K, V]{byKey: map[K]*list.Element{}, limit: limit}
}

// Get returns the representation that is kept under a key; nil if there is none
// or if what was kept with it does not hold any more.
func (k *Kept[K, V]) Get(key K, holds func(V) bool) *Representation {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.byKey[key]
	if !ok {
		return nil
	}
	one := k.at(e)
	if !holds(one.of) {
		return nil
	}
	k.recent.MoveToFront(e)
	return one.rep
}

// Put keeps a representation in place of the one under the key before, unless
// it is over the limit by itself.
func (k *Kept[K, V]) Put(key K, of V, rep *Representation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byKey[key]; ok {
		k.remove(e)
	}
	if rep.Size() > k.limit {
		return
	}
	k.byKey[key] = k.recent.PushFront(&keptOne[K, V]{key, of, rep})
	k.bytes += rep.Size()
	for k.bytes > k.limit {
		k.remove(k.recent.Back())
	}
}

func (k *Kept[K, V]) remove(e *list.Element) {
	one := k.at(e)
	k.recent.Remove(e)
	delete(k.byKey, one.key)
	k.bytes -= one.rep.Size()
}

func (k *Kept[K, V]) at(e *list.Element) *keptOne[K, V] {
	return e.Value.(*keptOne[K, V]) //nolint:forcetypeassert // the list holds nothing else
}
