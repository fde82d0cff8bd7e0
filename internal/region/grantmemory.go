package region

import (
	"container/list"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// knownGrant is an answer of the plane in memory.
type knownGrant struct {
	cloud.KeptGrant
	outdated bool      // to be asked for again, unless the plane is away
	written  time.Time // when that was asked for which is in the database; zero for none
}

// grantMemory keeps answers up to a size, and forgets those that were of no use
// for longest.
type grantMemory struct {
	most, size int // in bytes, about
	byKey      map[cloud.GrantKey]*list.Element
	byUse      *list.List // of *knownGrant, the one used last in front
}

func newGrantMemory(most int) *grantMemory {
	return &grantMemory{most: most, byKey: make(map[cloud.GrantKey]*list.Element), byUse: list.New()}
}

func entry(e *list.Element) *knownGrant { return e.Value.(*knownGrant) } //nolint:forcetypeassert // nothing else is in it

func (m *grantMemory) get(key cloud.GrantKey) (knownGrant, bool) {
	e, ok := m.byKey[key]
	if !ok {
		return knownGrant{}, false
	}
	m.byUse.MoveToFront(e)
	return *entry(e), true
}

// put inserts or replaces, and returns what had to be forgotten for it.
func (m *grantMemory) put(k knownGrant) (displaced []cloud.GrantKey) {
	m.remove(k.GrantKey)
	m.byKey[k.GrantKey] = m.byUse.PushFront(&k)
	m.size += sizeOf(k)
	for m.size > m.most && m.byUse.Len() > 1 {
		key := entry(m.byUse.Back()).GrantKey
		m.remove(key)
		displaced = append(displaced, key)
	}
	return displaced
}

func (m *grantMemory) remove(key cloud.GrantKey) {
	e, ok := m.byKey[key]
	if !ok {
		return
	}
	m.size -= sizeOf(*entry(e))
	m.byUse.Remove(e)
	delete(m.byKey, key)
}

// wrote notes that an answer is in the database.
func (m *grantMemory) wrote(k cloud.KeptGrant) {
	if e, ok := m.byKey[k.GrantKey]; ok {
		entry(e).written = k.AskedAt
	}
}

func (m *grantMemory) matching(pattern cloud.GrantKey) (keys []cloud.GrantKey) {
	if pattern.Subject != "" && pattern.Organization != "" {
		for _, key := range []cloud.GrantKey{pattern, pattern.List()} {
			if _, ok := m.byKey[key]; ok {
				keys = append(keys, key)
			}
		}
		return keys
	}
	for key := range m.byKey {
		if key.Matches(pattern) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (m *grantMemory) each(do func(*knownGrant)) {
	for e := m.byUse.Front(); e != nil; e = e.Next() {
		do(entry(e))
	}
}

func (m *grantMemory) clear() { *m = *newGrantMemory(m.most) }

// sizeOf is about what an answer takes in memory.
func sizeOf(k knownGrant) int {
	size := 1 << 10
	for _, line := range k.SSHKeys {
		size += len(line)
	}
	for _, id := range k.RevokedTokens {
		size += len(id)
	}
	for _, id := range k.Organizations {
		size += len(id)
	}
	return size
}
