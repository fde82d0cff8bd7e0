package region

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// How long an answer of the plane holds, counted from when it was asked for.
const (
	// grantTTL is how long it needs no other one. So a role that was taken away
	// holds in the region after that time at the latest.
	grantTTL = 60 * time.Second
	// lastGrantTTL is how long it permits reading and stopping while the plane
	// is away.
	lastGrantTTL = 24 * time.Hour
)

const (
	// askPatience bounds a question: somebody waits for it.
	askPatience = 5 * time.Second
	// askTries bounds how often a question is asked because the answer was
	// overtaken by a change.
	askTries = 3
	// rewriteAfter is how old what is written down of an answer may get while
	// the plane goes on to say the same. By so much earlier it ends to hold
	// after a restart.
	rewriteAfter = time.Hour
	// memberBytes and strangerBytes bound what is kept in memory, of members
	// and of those who are none. They are apart, so that nobody who asks for
	// what is not theirs displaces a member.
	memberBytes, strangerBytes = 64 << 20, 4 << 20
)

// Plane is whom a region asks what the subjects of tokens may do.
type Plane interface {
	// Grant returns the grant and the revision of grants as of which it is; for a
	// key without an organization it is where the subject belongs. An error is
	// CodeUnavailable while the plane is away; any other one says that it does
	// not answer this region.
	Grant(ctx context.Context, key cloud.GrantKey) (cloud.Grant, uint64, error)
}

// Grant is what a subject may do in an organization, as far as the region
// knows.
type Grant struct {
	cloud.Grant
	// Current says that the plane answered within the last minute. Otherwise it
	// is away, and this is what it answered last.
	Current bool
}

// Authorize decides whether the subject may do the action. CodeForbidden if
// not, which is all that changes anything while they are suspended;
// CodeUnavailable for what must not be decided by an answer that may be old: all
// but reading and stopping.
func (g Grant) Authorize(a cloud.Action) error {
	if !g.Current && a != cloud.ActionReadFleet && a != cloud.ActionStopFleet {
		return cloud.Unavailable(errOldGrant)
	}
	if g.Role == "" {
		return errNoMember
	}
	if err := g.Role.Authorize(a); err != nil {
		return err
	}
	if g.Suspended && a.Changes() {
		return errSuspended
	}
	return nil
}

var (
	errOldGrant       = errors.New("the plane is away, and its last answer permits no more than to read and to stop")
	errNoMember       = cloud.Forbidden("you do not belong to this organization, or this region does not serve it")
	errSuspended      = cloud.Forbidden("your account or this organization is suspended: you may read, and change nothing; the operator of this cloud can tell why")
	errNoOrganization = errors.New("a grant is one in an organization")

	errBehind = errors.New("the plane's answers about a grant are older than the changes that it told of")
)

// GrantsConfig is what Grants are made of. Every field is required.
type GrantsConfig struct {
	Store cloud.RegionStore
	Plane Plane
	Log   *slog.Logger
	Now   func() time.Time // as of a Region
}

// Grants knows what the subjects of tokens may do, from the plane's answers.
// It is safe for concurrent use.
//
// What it knows of members is in the region's database too. A plane that is
// away and a region that has to be started again meanwhile go together, when a
// site loses its power or its network; then tenants must still be able to stop
// what they pay for.
type Grants struct {
	store cloud.RegionStore
	plane Plane
	log   *slog.Logger
	now   func() time.Time

	// writing is held while the database is brought to what mu guards, so that
	// the last to write writes the latest.
	writing sync.Mutex

	mu        sync.Mutex
	members   *grantMemory
	strangers *grantMemory
	questions map[cloud.GrantKey]*question
	unwritten map[cloud.GrantKey]bool // of which the database may say something else
	revision  uint64                  // up to which changes are applied and written down
	away      bool                    // whether the plane did not answer last
}

// question is one that the plane is being asked, and what came of it.
type question struct {
	overtaken uint64        // the revision of a change since it was asked; 0 for none
	done      chan struct{} // closed when the rest is set
	grant     Grant
	err       error
}

// OpenGrants returns what the region's database knows of grants. All of it is
// asked anew before it is used, unless the plane is away.
func OpenGrants(ctx context.Context, c GrantsConfig) (*Grants, error) {
	g := &Grants{
		store: c.Store, plane: c.Plane, log: c.Log, now: c.Now,
		members: newGrantMemory(memberBytes), strangers: newGrantMemory(strangerBytes),
		questions: make(map[cloud.GrantKey]*question), unwritten: make(map[cloud.GrantKey]bool),
	}
	var kept []cloud.KeptGrant
	now := g.now()
	err := c.Store.Read(ctx, func(r cloud.RegionReader) (err error) {
		if g.revision, err = r.GrantRevision(); err != nil {
			return err
		}
		kept, err = r.Grants(now.Add(-lastGrantTTL))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, k := range kept {
		if k.AskedAt.After(now) { // the clock was set back since: nobody knows how old it is
			g.unwritten[k.GrantKey] = true
			continue
		}
		for _, displaced := range g.members.put(knownGrant{KeptGrant: k, outdated: true, written: k.AskedAt}) {
			g.unwritten[displaced] = true
		}
	}
	return g, nil
}

// Grant returns what a subject may do in an organization: the plane's last
// answer, if that is young enough, or else a new one. While the plane is away
// it is the last answer, as long as that is no older than a day; CodeUnavailable
// if there is none.
func (g *Grants) Grant(ctx context.Context, subject, organization cloud.ID) (Grant, error) {
	if organization == "" {
		return Grant{}, errNoOrganization
	}
	return g.know(ctx, cloud.GrantKey{Subject: subject, Organization: organization})
}

// Organizations lists, by id, the organizations to which a subject belongs and
// which this region may serve; of somebody who belongs to more than the plane
// tells, the first. It says whether the plane answered within the last minute.
// It is remembered as a Grant is, and fails as that does.
func (g *Grants) Organizations(ctx context.Context, subject cloud.ID) (organizations []cloud.ID, current bool, err error) {
	grant, err := g.know(ctx, cloud.GrantKey{Subject: subject})
	return grant.Organizations, grant.Current, err
}

// know returns what is remembered under a key, or asks.
func (g *Grants) know(ctx context.Context, key cloud.GrantKey) (Grant, error) {
	g.mu.Lock()
	if k, ok := g.recall(key); ok && !k.outdated && g.within(k, grantTTL) {
		g.mu.Unlock()
		return Grant{k.Grant, true}, nil
	}
	q := g.questions[key]
	if q == nil {
		q = &question{done: make(chan struct{})}
		g.questions[key] = q
		go g.ask(context.WithoutCancel(ctx), key, q) // whoever asked first may hang up
	}
	g.mu.Unlock()
	select {
	case <-ctx.Done():
		return Grant{}, ctx.Err()
	case <-q.done:
		return q.grant, q.err
	}
}

// ask puts the question to the plane, again if the answer was overtaken by a
// change that the plane told of meanwhile.
func (g *Grants) ask(ctx context.Context, key cloud.GrantKey, q *question) {
	defer close(q.done)
	for try := 1; ; try++ {
		at := g.now()
		within, cancel := context.WithTimeout(ctx, askPatience)
		grant, revision, err := g.plane.Grant(within, key)
		cancel()
		if g.settle(ctx, q, cloud.KeptGrant{GrantKey: key, Grant: grant, AskedAt: at}, revision, err, try == askTries) {
			break
		}
	}
	if err := g.write(ctx, nil); err != nil {
		g.log.WarnContext(ctx, "what the plane says of a grant could not be written down", "error", err)
	}
}

// settle makes the outcome of a question the answer to it. It reports whether
// it did: not where the question has to be asked again, for which there is a
// last time.
func (g *Grants) settle(ctx context.Context, q *question, answer cloud.KeptGrant, revision uint64, err error, last bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil && revision < q.overtaken {
		if !last {
			return false
		}
		err = errBehind
	}
	if err != nil {
		q.grant, q.err = g.fallBack(answer.GrantKey, err)
	} else {
		g.learn(answer)
		q.grant = Grant{answer.Grant, true}
	}
	delete(g.questions, answer.GrantKey)
	if g.away == (err != nil) {
		return true
	}
	if g.away = err != nil; g.away {
		g.log.WarnContext(ctx, "the plane does not say what callers may do; its last answers permit reading and stopping", "error", cloud.Explain(err))
	} else {
		g.log.InfoContext(ctx, "the plane says again what callers may do")
	}
	return true
}

// fallBack is the answer where the plane gave none. One that refuses to answer
// is not away: its last answers hold no more.
func (g *Grants) fallBack(key cloud.GrantKey, err error) (Grant, error) {
	if cloud.CodeOf(err) != cloud.CodeUnavailable {
		return Grant{}, cloud.Unavailable(err)
	}
	if k, ok := g.members.get(key); ok && g.within(k, lastGrantTTL) {
		return Grant{k.Grant, false}, nil
	}
	return Grant{}, err
}

// within reports whether an answer is younger than ttl. One of the future is of
// unknown age: the clock was set back since.
func (g *Grants) within(k knownGrant, ttl time.Duration) bool {
	age := g.now().Sub(k.AskedAt)
	return age >= 0 && age < ttl
}

func (g *Grants) recall(key cloud.GrantKey) (knownGrant, bool) {
	if k, ok := g.members.get(key); ok {
		return k, true
	}
	return g.strangers.get(key)
}

// learn takes an answer in.
func (g *Grants) learn(answer cloud.KeptGrant) {
	k := knownGrant{KeptGrant: answer}
	before, known := g.members.get(answer.GrantKey)
	if answer.None() {
		g.strangers.put(k)
		if known {
			g.members.remove(answer.GrantKey)
			g.unwritten[answer.GrantKey] = true
		}
		return
	}
	g.strangers.remove(answer.GrantKey)
	if known && before.Equal(answer.Grant) && answer.AskedAt.Sub(before.written) < rewriteAfter {
		k.written = before.written
	} else {
		g.unwritten[answer.GrantKey] = true
	}
	for _, displaced := range g.members.put(k) {
		g.unwritten[displaced] = true
	}
}

// Revision is that of the grants up to which changes are applied.
func (g *Grants) Revision() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.revision
}

// Apply takes in what the plane tells of changes. A grant that is named is
// forgotten: not even while the plane is away may it hold any longer. Where it
// may be all of them, each is asked for again before it is used.
//
// An error says that the changes could not be written down. They hold all the
// same; but Revision stays, so that the plane tells of them again.
func (g *Grants) Apply(ctx context.Context, changes cloud.GrantChanges) error {
	g.mu.Lock()
	if changes.All {
		g.members.each(func(k *knownGrant) { k.outdated = true })
		g.strangers.clear()
		for _, q := range g.questions {
			q.overtaken = changes.Revision
		}
	}
	for _, pattern := range changes.Keys {
		g.forget(pattern, changes.Revision)
	}
	g.mu.Unlock()
	return g.write(ctx, &changes.Revision)
}

func (g *Grants) forget(pattern cloud.GrantKey, revision uint64) {
	for _, key := range g.members.matching(pattern) {
		g.members.remove(key)
		g.unwritten[key] = true
	}
	for _, key := range g.strangers.matching(pattern) {
		g.strangers.remove(key)
	}
	for key, q := range g.questions {
		if key.Matches(pattern) {
			q.overtaken = revision
		}
	}
}

// write brings the database to what is known, and to the revision if there is
// one.
func (g *Grants) write(ctx context.Context, revision *uint64) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	kept, gone := g.takeUnwritten()
	if len(kept)+len(gone) == 0 && revision == nil {
		return nil
	}
	err := g.store.Write(ctx, func(w cloud.RegionWriter) error {
		for _, k := range kept {
			if err := w.PutGrant(k); err != nil {
				return err
			}
		}
		for _, key := range gone {
			if err := w.DeleteGrant(key); err != nil {
				return err
			}
		}
		if err := w.DeleteGrantsBefore(g.now().Add(-lastGrantTTL)); err != nil {
			return err
		}
		if revision == nil {
			return nil
		}
		return w.SetGrantRevision(*revision)
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		for _, k := range kept {
			g.unwritten[k.GrantKey] = true
		}
		for _, key := range gone {
			g.unwritten[key] = true
		}
		return err
	}
	for _, k := range kept {
		g.members.wrote(k)
	}
	if revision != nil {
		g.revision = *revision
	}
	return nil
}

// takeUnwritten returns what the database may not say yet, and notes that it is
// about to.
func (g *Grants) takeUnwritten() (kept []cloud.KeptGrant, gone []cloud.GrantKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key := range g.unwritten {
		if k, ok := g.members.get(key); ok {
			kept = append(kept, k.KeptGrant)
		} else {
			gone = append(gone, key)
		}
	}
	clear(g.unwritten)
	return kept, gone
}
