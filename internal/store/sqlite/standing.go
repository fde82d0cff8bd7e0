package sqlite

import (
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// standingEntries bounds the cache; each is of some 500 bytes.
const standingEntries = 16384

// standingCache keeps what was read of users. What is kept holds only while
// nothing at all is committed to the database, by whichever process.
type standingCache struct {
	kept *lru.Cache[cloud.ID, keptStanding]
}

type keptStanding struct {
	index    *walIndex
	state    walState // before it was read, so that it is never older than that
	standing cloud.Standing
}

func newStandingCache() *standingCache {
	kept, err := lru.New[cloud.ID, keptStanding](standingEntries)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &standingCache{kept}
}

// read returns what load did when nothing differed from now.
func (c *standingCache) read(index *walIndex, user cloud.ID, load func() (cloud.Standing, error)) (cloud.Standing, error) {
	state, known := index.state()
	if k, ok := c.kept.Get(user); ok && known && k.index == index && k.state == state {
		return k.copy(), nil
	}
	s, err := load()
	if err != nil || !known {
		return s, err
	}
	k := keptStanding{index, state, s}
	c.kept.Add(user, k)
	return k.copy(), nil
}

// copy keeps what callers do to their standing from others.
func (k keptStanding) copy() cloud.Standing {
	s := k.standing
	s.Relations = slices.Clone(s.Relations)
	s.RevokedTokens = slices.Clone(s.RevokedTokens)
	return s
}
