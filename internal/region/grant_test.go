package region_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

var (
	ada = cloud.GrantKey{Subject: numbered(11), Organization: organization}
	ben = cloud.GrantKey{Subject: numbered(12), Organization: organization}

	editor = cloud.Grant{Role: cloud.RoleEditor, SSHKeys: []string{"ssh-ed25519 AAAA"}}
	viewer = cloud.Grant{Role: cloud.RoleViewer}
	one    = cloud.Grant{Organizations: []cloud.ID{organization}}
	two    = cloud.Grant{Organizations: []cloud.ID{organization, numbered(77)}}

	errAway    = cloud.Unavailable(errors.New("connection refused"))
	errRefused = errors.New("the plane answered 401: not a valid credential of a region")
)

// askedPlane is a plane that answers as a test tells it.
type askedPlane struct {
	mu       sync.Mutex
	grants   map[cloud.GrantKey]cloud.Grant
	revision uint64
	err      error
	takes    time.Duration          // from the moment that decides the answer until it arrives
	asked    map[cloud.GrantKey]int // how often
	during   func(revision uint64)  // while the first answer is under way
}

func (p *askedPlane) Grant(ctx context.Context, key cloud.GrantKey) (cloud.Grant, uint64, error) {
	p.mu.Lock()
	grant, revision, err, takes, during := p.grants[key], p.revision, p.err, p.takes, p.during
	p.asked[key]++
	p.during = nil
	p.mu.Unlock()
	if during != nil {
		during(revision)
	}
	select {
	case <-time.After(takes):
		return grant, revision, err
	case <-ctx.Done():
		return cloud.Grant{}, 0, cloud.Unavailable(ctx.Err())
	}
}

// desk is a region's knowledge of grants on a real database, with a plane to
// ask, in a bubble in which time is the test's.
type desk struct {
	*region.Grants
	t     *testing.T
	store cloud.RegionStore
	plane *askedPlane
	log   bytes.Buffer
	shift time.Duration // of the wall clock
}

func atDesk(t *testing.T, story func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, err := sqlite.OpenRegion(t.Context(), sqlitetest.Region(t, filepath.Join(t.TempDir(), "region.db")), func() cloud.ID { return numbered(900) })
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		d := &desk{t: t, store: store, plane: &askedPlane{
			grants: map[cloud.GrantKey]cloud.Grant{ada: editor}, revision: 1, asked: map[cloud.GrantKey]int{},
		}}
		d.open()
		story(t, d)
	})
}

// open is a start of the region's process.
func (d *desk) open() {
	d.t.Helper()
	var err error
	d.Grants, err = region.OpenGrants(d.t.Context(), region.GrantsConfig{
		Store: d.store, Plane: d.plane, Log: slog.New(slog.NewTextHandler(&d.log, nil)),
		Now: func() time.Time { return time.Now().Add(d.shift) },
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// grant changes what the plane says of a subject.
func (d *desk) grant(key cloud.GrantKey, g cloud.Grant) cloud.GrantChanges {
	d.plane.mu.Lock()
	defer d.plane.mu.Unlock()
	d.plane.grants[key] = g
	d.plane.revision++
	return cloud.GrantChanges{Revision: d.plane.revision, Keys: []cloud.GrantKey{key}}
}

// fail makes the plane answer with an error; nil ends that.
func (d *desk) fail(err error) {
	d.plane.mu.Lock()
	defer d.plane.mu.Unlock()
	d.plane.err = err
}

// ask asks for a grant, or for where somebody belongs.
func (d *desk) ask(key cloud.GrantKey) (region.Grant, error) {
	if key.Organization == "" {
		organizations, current, err := d.Organizations(d.t.Context(), key.Subject)
		return region.Grant{Grant: cloud.Grant{Organizations: organizations}, Current: current}, err
	}
	return d.Grant(d.t.Context(), key.Subject, key.Organization)
}

// is demands an answer, and how often the plane was asked for it by now.
func (d *desk) is(what string, key cloud.GrantKey, want region.Grant, asked int) {
	d.t.Helper()
	got, err := d.ask(key)
	if err != nil {
		d.t.Fatalf("%s: %v", what, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	if n := d.plane.asked[key]; n != asked {
		d.t.Errorf("%s: the plane was asked %d times, want %d", what, n, asked)
	}
}

func (d *desk) unavailable(what string, key cloud.GrantKey) {
	d.t.Helper()
	if got, err := d.ask(key); cloud.CodeOf(err) != cloud.CodeUnavailable {
		d.t.Errorf("%s: got %+v and %v, want %s", what, got, err, cloud.CodeUnavailable)
	}
}

func (d *desk) apply(changes cloud.GrantChanges) {
	d.t.Helper()
	if err := d.Apply(d.t.Context(), changes); err != nil {
		d.t.Fatal(err)
	}
}

// kept lists whose answers are in the database.
func (d *desk) kept() []cloud.GrantKey {
	d.t.Helper()
	var kept []cloud.KeptGrant
	err := d.store.Read(d.t.Context(), func(r cloud.RegionReader) (err error) {
		kept, err = r.Grants(time.Time{})
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	keys := map[cloud.GrantKey]bool{}
	for _, k := range kept {
		keys[k.GrantKey] = true
	}
	return slices.SortedFunc(maps.Keys(keys), func(a, b cloud.GrantKey) int { return strings.Compare(string(a.Subject), string(b.Subject)) })
}

func current(g cloud.Grant) region.Grant { return region.Grant{Grant: g, Current: true} }
func last(g cloud.Grant) region.Grant    { return region.Grant{Grant: g} }

func TestAnswersHoldForAMinute(t *testing.T) {
	t.Parallel()
	atDesk(t, func(_ *testing.T, d *desk) {
		d.is("the first", ada, current(editor), 1)
		d.is("one who is no member", ben, current(cloud.Grant{}), 1)
		d.grant(ada, cloud.Grant{}) // and no sync gets through
		d.grant(ben, viewer)
		time.Sleep(60*time.Second - 1)
		d.is("in the last moment", ada, current(editor), 1)
		d.is("in the last moment, no member", ben, current(cloud.Grant{}), 1)
		time.Sleep(time.Nanosecond)
		d.is("after a minute", ada, current(cloud.Grant{}), 2)
		d.is("after a minute, a member", ben, current(viewer), 2)
		if diff := cmp.Diff([]cloud.GrantKey{ben}, d.kept()); diff != "" {
			d.t.Errorf("what is written down (-want +got):\n%s", diff)
		}
	})
}

// Where somebody belongs is remembered as what they may do there is.
func TestWhereSomebodyBelongsIsRemembered(t *testing.T) {
	t.Parallel()
	atDesk(t, func(t *testing.T, d *desk) {
		nowhere, list := ben.List(), ada.List()
		d.grant(list, two)
		d.is("the first", list, current(two), 1)
		d.is("who belongs nowhere", nowhere, current(cloud.Grant{}), 1)
		d.grant(list, one) // and no sync gets through
		d.grant(nowhere, one)
		time.Sleep(60*time.Second - 1)
		d.is("in the last moment", list, current(two), 1)
		d.is("in the last moment, nowhere", nowhere, current(cloud.Grant{}), 1)
		time.Sleep(time.Nanosecond)
		d.is("after a minute", list, current(one), 2)
		d.grant(nowhere, cloud.Grant{})
		d.is("after a minute, nowhere", nowhere, current(cloud.Grant{}), 2)

		d.fail(errAway)
		d.open()
		d.is("after a restart, with the plane away", list, last(one), 3)
		d.unavailable("after a restart, who belonged nowhere", nowhere)
		time.Sleep(24*time.Hour - 1)
		d.is("in the last moment of a day", list, last(one), 4)
		time.Sleep(time.Nanosecond)
		d.unavailable("after a day", list)
		if _, err := d.Grant(t.Context(), ada.Subject, ""); err == nil {
			t.Error("a grant in no organization was answered")
		}
	})
}

// One list is no grant, and the other way round.
func TestAListIsKeptBesideGrants(t *testing.T) {
	t.Parallel()
	atDesk(t, func(_ *testing.T, d *desk) {
		d.grant(ada.List(), two)
		d.is("the grant", ada, current(editor), 1)
		d.is("the list", ada.List(), current(two), 1)
		d.is("the grant, again", ada, current(editor), 1)
		if diff := cmp.Diff(map[cloud.GrantKey]bool{ada: true, ada.List(): true}, set(d.kept())); diff != "" {
			d.t.Errorf("what is written down (-want +got):\n%s", diff)
		}
		d.grant(ada.List(), cloud.Grant{})
		time.Sleep(time.Minute)
		d.is("an empty list", ada.List(), current(cloud.Grant{}), 2)
		if diff := cmp.Diff([]cloud.GrantKey{ada}, d.kept()); diff != "" {
			d.t.Errorf("what is written down when there is no list (-want +got):\n%s", diff)
		}
	})
}

func set(keys []cloud.GrantKey) map[cloud.GrantKey]bool {
	s := map[cloud.GrantKey]bool{}
	for _, k := range keys {
		s[k] = true
	}
	return s
}

// The minute begins when the question is asked: what the plane looked at was
// true then, and not when the answer arrived.
func TestASlowAnswerIsAsOldAsItIs(t *testing.T) {
	t.Parallel()
	atDesk(t, func(_ *testing.T, d *desk) {
		d.plane.takes = 4 * time.Second
		d.is("the first", ada, current(editor), 1)
		d.grant(ada, cloud.Grant{})
		time.Sleep(56*time.Second - 1)
		d.is("in the last moment", ada, current(editor), 1)
		time.Sleep(time.Nanosecond)
		d.is("a minute after it was asked", ada, current(cloud.Grant{}), 2)
	})
}

func TestWhileThePlaneIsAwayTheLastAnswerHoldsForADay(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	atDesk(t, func(t *testing.T, d *desk) {
		d.is("before", ada, current(editor), 1)
		d.fail(errAway)
		d.is("within the minute", ada, current(editor), 1)
		time.Sleep(time.Minute)
		d.is("after the minute", ada, last(editor), 2)
		d.unavailable("a caller never seen", ben)
		time.Sleep(day - time.Minute - 1)
		d.is("in the last moment", ada, last(editor), 3)
		time.Sleep(time.Nanosecond)
		d.unavailable("after a day", ada)
		d.fail(nil)
		d.is("when it is back", ada, current(editor), 5)
		if n := strings.Count(d.log.String(), "level=WARN"); n != 1 || !strings.Contains(d.log.String(), "connection refused") {
			t.Errorf("the log does not say once that the plane is away, and why:\n%s", d.log.String())
		}
	})
}

// A plane that does not answer at all is away, and nobody waits long for that.
func TestASilentPlaneIsAway(t *testing.T) {
	t.Parallel()
	atDesk(t, func(t *testing.T, d *desk) {
		d.is("before", ada, current(editor), 1)
		time.Sleep(time.Minute)
		d.plane.takes = time.Hour
		begin := time.Now()
		d.is("a silent plane", ada, last(editor), 2)
		if waited := time.Since(begin); waited != 5*time.Second {
			t.Errorf("a caller waited for %s, want 5s", waited)
		}
	})
}

// A plane that does not know the region any longer has not gone away: it has
// taken the region's right to answer for it.
func TestAPlaneThatRefusesIsNotAway(t *testing.T) {
	t.Parallel()
	atDesk(t, func(_ *testing.T, d *desk) {
		d.is("before", ada, current(editor), 1)
		time.Sleep(time.Minute)
		d.fail(errRefused)
		d.unavailable("a region that is refused", ada)
		d.fail(errAway)
		d.is("a plane that is away", ada, last(editor), 3)
	})
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	suspended := editor
	suspended.Suspended = true
	for name, tt := range map[string]struct {
		grant region.Grant
		want  map[cloud.Action]cloud.Code // "" for may
	}{
		"an editor": {current(editor), map[cloud.Action]cloud.Code{
			cloud.ActionReadFleet: "", cloud.ActionStopFleet: "", cloud.ActionChangeFleet: "",
		}},
		"a viewer": {current(viewer), map[cloud.Action]cloud.Code{
			cloud.ActionReadFleet: "", cloud.ActionStopFleet: cloud.CodeForbidden, cloud.ActionChangeFleet: cloud.CodeForbidden,
		}},
		"no member": {current(cloud.Grant{}), map[cloud.Action]cloud.Code{
			cloud.ActionReadFleet: cloud.CodeForbidden, cloud.ActionStopFleet: cloud.CodeForbidden, cloud.ActionChangeFleet: cloud.CodeForbidden,
		}},
		"an editor who is suspended": {current(suspended), map[cloud.Action]cloud.Code{
			cloud.ActionReadFleet: "", cloud.ActionStopFleet: cloud.CodeForbidden, cloud.ActionChangeFleet: cloud.CodeForbidden,
		}},
		"an editor who is suspended, with the plane away": {last(suspended), map[cloud.Action]cloud.Code{
			cloud.ActionReadFleet: "", cloud.ActionStopFleet: cloud.CodeForbidden, cloud.ActionChangeFleet: cloud.CodeUnavailable,
		}},
		"an editor, with the plane away": {last(editor), map[cloud.Action]cloud.Code{
			cloud.ActionReadFleet: "", cloud.ActionStopFleet: "", cloud.ActionChangeFleet: cloud.CodeUnavailable,
		}},
		"a viewer, with the plane away": {last(viewer), map[cloud.Action]cloud.Code{
			cloud.ActionReadFleet: "", cloud.ActionStopFleet: cloud.CodeForbidden, cloud.ActionChangeFleet: cloud.CodeUnavailable,
		}},
	} {
		for action, want := range tt.want {
			if err := tt.grant.Authorize(action); cloud.CodeOf(err) != want || (want == "") != (err == nil) {
				t.Errorf("%s, to %s: got %v, want the code %q", name, action, err, want)
			}
		}
	}
}

// What a sync tells of holds at once; not even while the plane is away does
// the former answer permit anything.
func TestNamedChangesHoldAtOnce(t *testing.T) {
	t.Parallel()
	elsewhere := cloud.GrantKey{Subject: ada.Subject, Organization: numbered(77)}
	for name, tt := range map[string]struct {
		pattern   cloud.GrantKey
		forgotten []cloud.GrantKey
	}{
		"of one":             {ada, []cloud.GrantKey{ada, ada.List()}},
		"of one elsewhere":   {elsewhere, []cloud.GrantKey{elsewhere, ada.List()}},
		"of a subject":       {cloud.GrantKey{Subject: ada.Subject}, []cloud.GrantKey{ada, elsewhere, ada.List()}},
		"of an organization": {cloud.GrantKey{Organization: organization}, []cloud.GrantKey{ada, ben, ada.List(), ben.List()}},
		"of everybody":       {cloud.GrantKey{}, []cloud.GrantKey{ada, ben, elsewhere, ada.List(), ben.List()}},
		"of nobody":          {cloud.GrantKey{Subject: numbered(99)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atDesk(t, func(_ *testing.T, d *desk) {
				all := []cloud.GrantKey{ada, ben, elsewhere, ada.List(), ben.List()}
				said := map[cloud.GrantKey]cloud.Grant{ada: editor, ben: editor, elsewhere: editor, ada.List(): two, ben.List(): one}
				for _, key := range all {
					d.grant(key, said[key])
					d.is("before", key, current(said[key]), 1)
				}
				d.apply(cloud.GrantChanges{Revision: 7, Keys: []cloud.GrantKey{tt.pattern}})
				d.fail(errAway)
				for range 2 { // also after a restart
					for _, key := range all {
						if slices.Contains(tt.forgotten, key) {
							d.unavailable("one that is named", key)
						} else if got, err := d.ask(key); err != nil || !got.Equal(said[key]) {
							d.t.Errorf("one that is not named: %+v, %v", got, err)
						}
					}
					if d.Revision() != 7 {
						d.t.Errorf("the revision is %d, want 7", d.Revision())
					}
					d.open()
				}
				d.fail(nil)
				for _, key := range all {
					if got, err := d.ask(key); err != nil || !got.Current {
						d.t.Errorf("when the plane is back: %+v, %v", got, err)
					}
				}
			})
		})
	}
}

// Where all may have changed nothing is used any longer without a question, but
// nothing is forgotten either.
func TestWhereAllMayHaveChangedAllAreAskedForAgain(t *testing.T) {
	t.Parallel()
	atDesk(t, func(t *testing.T, d *desk) {
		d.is("before", ada, current(editor), 1)
		d.is("before, no member", ben, current(cloud.Grant{}), 1)
		d.is("before, who belongs nowhere", ben.List(), current(cloud.Grant{}), 1)
		d.grant(ada, viewer)
		d.grant(ben, viewer)
		d.grant(ben.List(), one)
		d.apply(cloud.GrantChanges{Revision: 3, All: true})
		d.is("after", ada, current(viewer), 2)
		d.is("after, a member", ben, current(viewer), 2)
		d.is("after, who belongs somewhere", ben.List(), current(one), 2)
		d.apply(cloud.GrantChanges{Revision: 2, All: true}) // the plane was restored
		if d.Revision() != 2 {
			t.Errorf("the revision is %d, want the plane's", d.Revision())
		}
		d.fail(errAway)
		d.is("with the plane away", ada, last(viewer), 3)
		d.is("with the plane away, where somebody belongs", ben.List(), last(one), 3)
	})
}

// A change that overtakes the answer to a question: the answer is from before
// it, and is not used.
func TestAnAnswerThatAChangeOvertookIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]func(revision uint64) cloud.GrantChanges{
		"by name": func(r uint64) cloud.GrantChanges { return cloud.GrantChanges{Revision: r, Keys: []cloud.GrantKey{ada}} },
		"as a pattern": func(r uint64) cloud.GrantChanges {
			return cloud.GrantChanges{Revision: r, Keys: []cloud.GrantKey{{Subject: ada.Subject}}}
		},
		"with all": func(r uint64) cloud.GrantChanges { return cloud.GrantChanges{Revision: r, All: true} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atDesk(t, func(_ *testing.T, d *desk) {
				d.plane.during = func(revision uint64) {
					d.grant(ada, cloud.Grant{})
					d.apply(told(revision + 1))
				}
				d.is("an overtaken answer", ada, current(cloud.Grant{}), 2)
				if kept := d.kept(); len(kept) > 0 {
					d.t.Errorf("what was overtaken is written down: %v", kept)
				}
			})
		})
	}
	t.Run("of a list", func(t *testing.T) {
		t.Parallel()
		atDesk(t, func(_ *testing.T, d *desk) {
			d.grant(ada.List(), one)
			d.plane.during = func(revision uint64) {
				d.grant(ada.List(), cloud.Grant{})
				d.apply(cloud.GrantChanges{Revision: revision + 1, Keys: []cloud.GrantKey{ada}})
			}
			d.is("an overtaken list", ada.List(), current(cloud.Grant{}), 2)
		})
	})
	t.Run("of somebody else", func(t *testing.T) {
		t.Parallel()
		atDesk(t, func(_ *testing.T, d *desk) {
			d.plane.during = func(revision uint64) {
				d.apply(cloud.GrantChanges{Revision: revision + 1, Keys: []cloud.GrantKey{ben}})
			}
			d.is("an answer that was not overtaken", ada, current(editor), 1)
		})
	})
	t.Run("again and again", func(t *testing.T) {
		t.Parallel()
		atDesk(t, func(t *testing.T, d *desk) {
			d.plane.during = func(revision uint64) { // a plane that never catches up
				d.apply(cloud.GrantChanges{Revision: revision + 1, Keys: []cloud.GrantKey{ada}})
			}
			d.unavailable("answers that stay behind", ada)
			if n := d.plane.asked[ada]; n != 3 {
				t.Errorf("the plane was asked %d times, want 3", n)
			}
		})
	})
}

// However many ask at once, the plane is asked once; and who hangs up takes
// nobody else along.
func TestTheSameQuestionIsAskedOnce(t *testing.T) {
	t.Parallel()
	atDesk(t, func(t *testing.T, d *desk) {
		d.plane.takes = time.Second
		impatient, hangUp := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := d.Grant(impatient, ada.Subject, ada.Organization); !errors.Is(err, context.Canceled) {
				t.Errorf("who hung up got %v", err)
			}
		})
		synctest.Wait()
		for range 50 {
			callers.Go(func() {
				if got, err := d.ask(ada); err != nil || !got.Current {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		}
		synctest.Wait()
		hangUp()
		callers.Wait()
		if n := d.plane.asked[ada]; n != 1 {
			t.Errorf("the plane was asked %d times, want once", n)
		}
	})
}

// What the region knows of members outlives its process, for while the plane is
// away: no longer than a day from when it was asked for, and never in place of
// a question.
func TestTheLastAnswersOutliveTheProcess(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		down  time.Duration
		shift time.Duration // of the wall clock meanwhile
		later time.Duration // from the start to the question
		holds bool
	}{
		"at once":                       {0, 0, 0, true},
		"after an hour":                 {time.Hour, 0, 0, true},
		"in the last moment of a day":   {day - time.Microsecond, 0, 0, true},
		"after a day":                   {day, 0, 0, false},
		"after a day, of which up some": {time.Hour, 0, day - time.Hour, false},
		"with a clock that was set on":  {time.Hour, day, 0, false},
		"with one that was set back":    {time.Hour, -2 * time.Hour, 0, false},
		"when that one has caught up":   {time.Hour, -2 * time.Hour, 2 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atDesk(t, func(_ *testing.T, d *desk) {
				d.is("before", ada, current(editor), 1)
				time.Sleep(tt.down)
				d.shift = tt.shift
				d.fail(errAway)
				d.open()
				time.Sleep(tt.later)
				if tt.holds {
					d.is("with the plane away", ada, last(editor), 2)
				} else {
					d.unavailable("with the plane away", ada)
				}
				d.fail(nil)
				d.grant(ada, viewer)
				d.open()
				d.is("with the plane there", ada, current(viewer), 3)
			})
		})
	}
}

// The answers are not written down each minute, but often enough.
func TestWhatIsWrittenDownIsAtMostAnHourOlder(t *testing.T) {
	t.Parallel()
	atDesk(t, func(_ *testing.T, d *desk) {
		writes := &countingStore{RegionStore: d.store}
		d.store = writes
		d.open()
		for range 60 {
			_, _ = d.ask(ada)
			time.Sleep(time.Minute)
		}
		if writes.n != 1 {
			d.t.Errorf("an answer was written down %d times in an hour, want once", writes.n)
		}
		_, _ = d.ask(ada)
		if writes.n != 2 {
			d.t.Errorf("an answer was written down %d times after an hour, want twice", writes.n)
		}
		d.grant(ada, viewer)
		time.Sleep(time.Minute)
		_, _ = d.ask(ada)
		if writes.n != 3 {
			d.t.Errorf("another answer was written down %d times, want at once", writes.n-2)
		}
	})
}

// countingStore counts transactions, and fails them if it is told to.
type countingStore struct {
	cloud.RegionStore
	n   int
	err error
}

func (s *countingStore) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	s.n++
	if s.err != nil {
		return s.err
	}
	return s.RegionStore.Write(ctx, fn)
}

// With the database away answers are used all the same, and changes hold; but
// the plane is to tell of them again, and what is owed is written later.
func TestWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	atDesk(t, func(t *testing.T, d *desk) {
		store := &countingStore{RegionStore: d.store}
		d.store = store
		d.open()
		d.is("before", ada, current(editor), 1)
		store.err = errors.New("disk full")
		d.grant(ben, viewer)
		d.is("another", ben, current(viewer), 1)
		changes := d.grant(ada, cloud.Grant{})
		if err := d.Apply(t.Context(), changes); err == nil {
			t.Error("a change was written down on a full disk")
		}
		if d.Revision() == changes.Revision {
			t.Error("a change that is not written down counts as known")
		}
		d.is("the change", ada, current(cloud.Grant{}), 2)
		store.err = nil
		d.apply(changes)
		if diff := cmp.Diff([]cloud.GrantKey{ben}, d.kept()); diff != "" || d.Revision() != changes.Revision {
			t.Errorf("the revision is %d, and what is written down (-want +got):\n%s", d.Revision(), diff)
		}
	})
}

// Memory is bounded; and who asks for what is not theirs displaces no member.
func TestGrantsAreBounded(t *testing.T) {
	t.Parallel()
	atDesk(t, func(t *testing.T, d *desk) {
		const bound = 64 << 10
		d.RememberGrants(bound)
		d.is("a member", ada, current(editor), 1)
		for n := range 100 {
			_, _ = d.Grant(t.Context(), ben.Subject, numbered(10_000+n))
		}
		d.is("a member after many strangers", ada, current(editor), 1)
		d.is("the first stranger", cloud.GrantKey{Subject: ben.Subject, Organization: numbered(10_000)}, current(cloud.Grant{}), 2)
		d.is("the last stranger", cloud.GrantKey{Subject: ben.Subject, Organization: numbered(10_099)}, current(cloud.Grant{}), 1)

		large := cloud.Grant{Role: cloud.RoleViewer, SSHKeys: []string{strings.Repeat("x", 8<<10)}}
		member := func(n int) cloud.GrantKey {
			return cloud.GrantKey{Subject: numbered(20_000 + n), Organization: organization}
		}
		for n := range 10 { // more than fit
			d.grant(member(n), large)
			d.is("a large one", member(n), current(large), 1)
			d.is("one that is in use", member(0), current(large), 1)
		}
		d.is("one that was displaced", member(1), current(large), 2)
		if kept := d.kept(); len(kept) > bound/(8<<10) {
			t.Errorf("%d answers of 8 KiB are written down, want those that are in memory", len(kept))
		}
		d.grant(ada, cloud.Grant{Role: cloud.RoleViewer, SSHKeys: []string{strings.Repeat("x", bound)}})
		d.is("one that alone is too much", ada, current(d.plane.grants[ada]), 2)
	})
}

// Everything at once, for the race detector: after the last change nobody gets
// anything that was true before it.
func TestGrantsAndChangesInParallel(t *testing.T) {
	t.Parallel()
	atDesk(t, func(t *testing.T, d *desk) {
		keys := make([]cloud.GrantKey, 5)
		for n := range keys {
			keys[n] = cloud.GrantKey{Subject: numbered(30 + n), Organization: organization}
			d.grant(keys[n], editor)
		}
		d.plane.takes = time.Millisecond
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				for range 50 {
					if _, err := d.ask(keys[n%len(keys)]); err != nil && cloud.CodeOf(err) != cloud.CodeUnavailable {
						t.Error(err)
					}
					time.Sleep(time.Duration(n) * 100 * time.Microsecond)
				}
			})
		}
		all.Go(func() {
			for n := range 100 {
				changes := d.grant(keys[n%len(keys)], []cloud.Grant{editor, viewer, {}}[n%3])
				changes.All = n%10 == 0
				d.apply(changes)
				time.Sleep(500 * time.Microsecond)
			}
		})
		all.Wait()
		for _, key := range keys {
			if got, err := d.ask(key); err != nil || !got.Equal(d.plane.grants[key]) {
				t.Errorf("%s: got %+v and %v, want %+v", fmt.Sprint(key.Subject), got, err, d.plane.grants[key])
			}
		}
	})
}
