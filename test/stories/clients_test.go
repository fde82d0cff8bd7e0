package stories

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// clients use all replicas of a plane at once, and know what the answers may
// be: what was acknowledged is in every list asked for afterwards, and nothing
// is in a list that nobody asked to be made. The one other answer is 503.
type clients struct {
	token    string
	replicas []*replica
	http     *http.Client

	mu           sync.Mutex
	made         int
	asked        map[string]bool // may be there
	acknowledged map[string]bool // is there
	unavailable  int             // answers
	slowest      time.Duration   // answer
}

// replica is where one process of the plane serves.
type replica struct {
	api string

	mu    sync.Mutex
	turns int         // grows with each end and each start of the process, so is odd while it is down
	acks  []time.Time // of writes
}

// turn notes that the process is about to be killed, or serves again.
func (r *replica) turn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turns++
}

func (r *replica) turned() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.turns
}

func (r *replica) acknowledged() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.acks)
}

// firstAfter is when the first write after this moment was acknowledged.
func (r *replica) firstAfter(moment time.Time) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.acks, moment.Before)
	if i < 0 {
		return time.Time{}, false
	}
	return r.acks[i], true
}

func newClients(token string, apis []string) *clients {
	c := &clients{
		token: token, asked: map[string]bool{}, acknowledged: map[string]bool{},
		http: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: writers + readers}},
	}
	for _, api := range apis {
		c.replicas = append(c.replicas, &replica{api: api})
	}
	return c
}

// readers is how many clients read each list.
const readers = 2

// begin lets clients write and read. What end returns has all that was begun
// under an Idempotency-Key acknowledged, and waits for the clients to end.
func (c *clients) begin(t *testing.T) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() { c.writes(ctx, t, n) })
	}
	for n := range readers {
		for _, path := range []string{"/user/keys", "/invitations"} {
			all.Go(func() { c.reads(ctx, t, path, n) })
		}
		all.Go(func() { c.watches(ctx, t, n) })
	}
	return func() {
		stop()
		all.Wait()
	}
}

// errUnavailable is no answer, or 503: neither is wrong.
var errUnavailable = errors.New("the plane is not available")

// pace is the least time between two things that one client does: they are
// people, and the machine has others to serve.
const pace = 10 * time.Millisecond

// turns is whose turn it is among the replicas, until ctx ends.
func (c *clients) turns(ctx context.Context, first int) func(yield func(*replica) bool) {
	return func(yield func(*replica) bool) {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for n := first; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !yield(c.replicas[n%len(c.replicas)]) {
				return
			}
		}
	}
}

// writes makes one write after the other. Those with an Idempotency-Key are
// asked for, of one replica after the other, until they are acknowledged; of
// the others it is not known what became of them.
func (c *clients) writes(ctx context.Context, t *testing.T, first int) {
	n := first
	for r := range c.turns(ctx, first) {
		n++
		w, keyed := c.next(t), n%3 != 0
		err := c.write(r, w, keyed)
		if keyed && errors.Is(err, errUnavailable) {
			err = wait(func() error {
				n++
				err := c.write(c.replicas[n%len(c.replicas)], w, keyed)
				if err != nil && !errors.Is(err, errUnavailable) {
					err = final{err}
				}
				return err
			})
		} else if errors.Is(err, errUnavailable) {
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

func (c *clients) next(t *testing.T) write {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	w := makeWrite(t, c.made)
	c.asked[w.subject] = true
	return w
}

func (c *clients) write(r *replica, w write, keyed bool) error {
	header := http.Header{}
	if keyed {
		header.Set("Idempotency-Key", w.subject)
	}
	got, err := c.ask(r, http.MethodPost, w.path, w.body, header)
	if err != nil {
		return err
	}
	if got.status != http.StatusOK && got.status != http.StatusCreated {
		return fmt.Errorf("%s: got %d: %s", w.subject, got.status, got.body)
	}
	c.mu.Lock()
	c.acknowledged[w.subject] = true
	c.mu.Unlock()
	r.mu.Lock()
	r.acks = append(r.acks, time.Now())
	r.mu.Unlock()
	return nil
}

// reads asks for a list again and again, and for no more than whether it is
// still the one that it has.
func (c *clients) reads(ctx context.Context, t *testing.T, path string, first int) {
	kept := representation{}
	for r := range c.turns(ctx, first) {
		must := c.those(path, c.acknowledged)
		got, err := c.again(r, path, kept)
		if errors.Is(err, errUnavailable) {
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
		kept = got
		subjects, err := subjectsIn(kept.body)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if err := c.judge(subjects, must); err != nil {
			t.Errorf("%s of %s, with ETag %s: %v", path, r.api, kept.etag, err)
			return
		}
	}
}

// fleet is how many instances the region has, all of which live.
const fleet = 48

// watches asks for the fleet, of which nothing is lost and no health is in
// doubt only because a part of the plane was away.
func (c *clients) watches(ctx context.Context, t *testing.T, first int) {
	kept := representation{}
	for r := range c.turns(ctx, first) {
		got, err := c.again(r, "/instances", kept)
		if errors.Is(err, errUnavailable) {
			continue
		}
		if err == nil {
			err = believed(got.body)
		}
		if err != nil {
			t.Error(err)
			return
		}
		kept = got
	}
}

// believed returns an error unless a list has the whole fleet, in good health.
func believed(body []byte) error {
	if n := countIn(body); n != fleet || doubt.Match(body) {
		return fmt.Errorf("got %d instances; want %d, and none in doubt:\n%s", n, fleet, body)
	}
	return nil
}

// representation is a list, by its ETag.
type representation struct {
	etag string
	body []byte
}

// again asks whether a list is still the same.
func (c *clients) again(r *replica, path string, kept representation) (representation, error) {
	header := http.Header{}
	if kept.etag != "" {
		header.Set("If-None-Match", kept.etag)
	}
	got, err := c.ask(r, http.MethodGet, path, "", header)
	switch {
	case err != nil:
		return kept, err
	case got.status == http.StatusNotModified && kept.etag != "":
		return kept, nil
	case got.status == http.StatusOK && got.header.Get("ETag") != "":
		return representation{got.header.Get("ETag"), got.body}, nil
	}
	return kept, fmt.Errorf("GET %s: got %d, ETag %q: %s", path, got.status, got.header.Get("ETag"), got.body)
}

// judge compares a sorted list with what has to be in it, and what may be.
func (c *clients) judge(subjects, must []string) error {
	if again := slices.Compact(slices.Clone(subjects)); len(again) != len(subjects) {
		return fmt.Errorf("something is there twice: %v", subjects)
	}
	for _, subject := range must {
		if _, found := slices.BinarySearch(subjects, subject); !found {
			return fmt.Errorf("%s was acknowledged, and is not there", subject)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, subject := range subjects {
		if !c.asked[subject] {
			return fmt.Errorf("%s is there, and nobody asked for it", subject)
		}
	}
	return nil
}

// those are the subjects of a path's writes, sorted.
func (c *clients) those(path string, of map[string]bool) (subjects []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for subject := range of {
		if strings.Contains(subject, "@") == (path == "/invitations") {
			subjects = append(subjects, subject)
		}
	}
	slices.Sort(subjects)
	return subjects
}

// response is an answer with its status.
type response struct {
	answer
	status int
}

// ask returns errUnavailable for a 503 that says when to ask again, and where
// the process was killed meanwhile.
func (c *clients) ask(r *replica, method, path, body string, header http.Header) (response, error) {
	turns, began := r.turned(), time.Now()
	got, err := c.exchange(r, method, path, body, header)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slowest = max(c.slowest, time.Since(began))
	switch {
	case err != nil && (turns%2 == 1 || r.turned() != turns):
		return response{}, errUnavailable
	case err != nil:
		return response{}, fmt.Errorf("not answered: %w", err)
	case got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "":
		c.unavailable++
		return response{}, errUnavailable
	}
	return got, nil
}

func (c *clients) exchange(r *replica, method, path, body string, header http.Header) (response, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, r.api+path, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	req.Header = header
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return response{answer{resp.Header, text}, resp.StatusCode}, err
}

// verify proves, once the clients have ended, that all replicas have the same,
// which is what was acknowledged and of the rest each write whole or not at all.
func (c *clients) verify(t *testing.T, store cloud.Store) {
	t.Helper()
	lists := map[string][]string{}
	for _, path := range []string{"/user/keys", "/invitations"} {
		for _, r := range c.replicas {
			got, err := c.again(r, path, representation{})
			if err != nil {
				t.Fatal(err)
			}
			subjects, err := subjectsIn(got.body)
			if err == nil {
				err = c.judge(subjects, c.those(path, c.acknowledged))
			}
			if err != nil {
				t.Errorf("%s of %s: %v", path, r.api, err)
			}
			if before, ok := lists[path]; ok && !slices.Equal(before, subjects) {
				t.Errorf("%s of two replicas:\n%s", path, gocmp.Diff(before, subjects))
			}
			lists[path] = subjects
		}
	}
	auditedIn(t, store, lists["/user/keys"], lists["/invitations"])
}
