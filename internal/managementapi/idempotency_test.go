package managementapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// post sends a request of its operation, with an idempotency key.
type post struct{ who, path, key, body string }

func (w *world) post(p post) reply {
	w.t.Helper()
	return w.call(p.who, http.MethodPost, p.path, p.body, "Idempotency-Key", p.key)
}

// posts are requests of every operation that takes an idempotency key.
func posts(key string) map[string]post {
	all := map[string]post{}
	for operation, request := range examples {
		if request.method == http.MethodPost && !answersSecrets[operation] {
			all[operation] = post{admin, request.path, key, request.body}
		}
	}
	return all
}

// TestRepeatedRequestsHaveOneEffect repeats each POST until its answer is
// forgotten, and proves that nothing but the first and the last has an effect.
func TestRepeatedRequestsHaveOneEffect(t *testing.T) {
	t.Parallel()
	for operation, p := range posts("the key") {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			first := w.post(p)
			if first.status >= 300 {
				t.Fatalf("%s: %d %s", first.what, first.status, first.body)
			}
			done := w.dump()
			for _, later := range []time.Duration{0, time.Hour, 23*time.Hour - time.Microsecond} {
				w.clock.Pass(later)
				if again := w.post(p); again.String() != first.String() {
					t.Errorf("after %v more: got\n%s\nwant\n%s", later, again, first)
				}
				if diff := cmp.Diff(done, w.dump()); diff != "" {
					t.Errorf("after %v more it was done again:\n%s", later, diff)
				}
			}
			w.clock.Pass(time.Microsecond)
			// Judged anew: most names are taken by now.
			switch again := w.post(p); operation {
			case "CreateOrganization":
				again.want(http.StatusCreated)
			case "ResendInvitation":
				again.want(http.StatusOK)
			case "AcceptInvitation":
				again.want(http.StatusNotFound)
			default:
				again.want(http.StatusConflict).says("already")
			}
		})
	}
}

// TestForgottenKeysAreFree proves that after a day a key serves a new request.
func TestForgottenKeysAreFree(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.post(post{admin, "/invitations", "k", invite("ada@example.com", "")}).want(http.StatusCreated)
		bob := post{admin, "/invitations", "k", invite("bob@example.com", "")}
		w.clock.Pass(cloud.OutcomeTTL - time.Microsecond)
		w.post(bob).want(http.StatusConflict).says("this Idempotency-Key was used for another request")
		w.clock.Pass(time.Microsecond)
		first := w.post(bob).want(http.StatusCreated)
		if again := w.post(bob); again.String() != first.String() {
			t.Errorf("got\n%s\nwant\n%s", again, first)
		}
	})
}

// TestKeysAreForOneRequest uses one key again, for all that is another request
// and for all that is another caller's.
func TestKeysAreForOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post(post{admin, "/invitations", "k", invite("ada@example.com", "")}).want(http.StatusCreated)
	before := w.dump()
	for _, other := range []post{
		{admin, "/invitations", "k", invite("bob@example.com", "")},
		{admin, "/invitations", "k", invite("ada@example.com", "admin")},
		{admin, "/invitations", "k", invite("ADA@example.com", "")},
		{admin, "/user/keys", "k", newKey("desktop", publicKey("desktop"))},
	} {
		w.post(other).want(http.StatusConflict).says("use a new key for a new request")
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("refused, and yet the database changed:\n%s", diff)
	}
	for _, another := range []post{
		{admin, "/invitations", "K", invite("bob@example.com", "")},
		{admin, "/user/keys", "k ey", newKey("desktop", publicKey("desktop"))},
		{stranger, "/invitations", "k", invite("ada@example.com", "")},
		{guest, "/user/keys", "k", newKey("desktop", publicKey("desktop"))},
		{loner, "/user/keys", "k", newKey("tablet", publicKey("tablet"))},
	} {
		if r := w.post(another); r.status >= 300 {
			t.Errorf("%s with %+v: %d %s", r.what, another, r.status, r.body)
		}
	}
	// The same words are the same request, however they are spaced and dressed up.
	w.post(post{admin, "/invitations", "k", "\n{ \"x\": 1, \"email\" : \"ada@example.com\" }"}).want(http.StatusCreated)
}

// TestKeysAreForOneOrganization has somebody invite the same address into two
// organizations with one key.
func TestKeysAreForOneOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(func(tx cloud.Writer) error {
		for _, organization := range []cloud.ID{acme, globex} {
			if err := tx.SetRole(organization, userIDs[several], cloud.RoleAdmin); err != nil {
				return err
			}
		}
		return nil
	})
	send := func(organization string) reply {
		return w.call(several, "POST", "/invitations", invite("ada@example.com", ""), "Idempotency-Key", "k", "X-ORG-ID", organization)
	}
	send(acme).want(http.StatusCreated)
	send(globex).want(http.StatusConflict).says("another request")
	send(acme).want(http.StatusCreated)
}

// TestConcurrentRepetitions sends equal requests at once: all get the answer
// of the one that was done.
func TestConcurrentRepetitions(t *testing.T) {
	t.Parallel()
	for operation, p := range posts("k") {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, w *world) {
				answers := make([]string, 40)
				w.inParallel(len(answers), func(i int) reply {
					r := w.post(p)
					answers[i] = r.String()
					return r
				})
				for _, answer := range answers {
					if answer != answers[0] || strings.HasPrefix(answer, "4") {
						t.Errorf("got\n%s\nand\n%s", answer, answers[0])
					}
				}
				if got := len(w.audited()); got != 1 {
					t.Errorf("%d entries in the audit; want 1", got)
				}
			})
		})
	}
}

// TestConcurrentRefusals is the same for a request that meets a conflict.
func TestConcurrentRefusals(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		counts := w.inParallel(40, func(int) reply {
			return w.post(post{admin, "/invitations", "k", invite("tomas@example.com", "")}).says("pending already")
		})
		if diff := cmp.Diff(map[int]int{http.StatusConflict: 40}, counts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestRepeatedRefusals is about requests that were refused: a conflict is the
// answer to its key, even if it would be none by now; what was wrong with the
// request itself, or with its caller, is found anew.
func TestRepeatedRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	tomas := post{admin, "/invitations", "k", invite("tomas@example.com", "")}
	first := w.post(tomas).want(http.StatusConflict)
	if diff := cmp.Diff(withoutOutcomes(before), withoutOutcomes(w.dump())); diff != "" {
		t.Errorf("refused, and yet the database changed:\n%s", diff)
	}
	w.call(admin, "DELETE", "/invitations/"+pendingInvitation, "").want(http.StatusNoContent)
	if again := w.post(tomas); again.String() != first.String() {
		t.Errorf("got\n%s\nwant\n%s", again, first)
	}
	w.post(post{admin, "/invitations", "another", tomas.body}).want(http.StatusCreated)

	w.post(post{admin, "/invitations", "fresh", invite("ada", "")}).want(http.StatusBadRequest)
	w.post(post{admin, "/invitations", "fresh", invite("ada@example.com", "")}).want(http.StatusCreated)
	w.post(post{guest, "/invitations", "fresh", invite("bob@example.com", "")}).want(http.StatusForbidden)
	w.call(admin, "PATCH", memberPath(guest), `{"role":"admin"}`).want(http.StatusOK)
	w.post(post{guest, "/invitations", "fresh", invite("bob@example.com", "")}).want(http.StatusCreated)
}

// TestRepetitionsNeedTheRoleToo proves that a kept answer is for those only who
// could have it today.
func TestRepetitionsNeedTheRoleToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(admin, "PATCH", memberPath(guest), `{"role":"admin"}`).want(http.StatusOK)
	p := post{guest, "/invitations", "k", invite("ada@example.com", "")}
	w.post(p).want(http.StatusCreated)
	w.call(admin, "PATCH", memberPath(guest), `{"role":"editor"}`).want(http.StatusOK)
	w.post(p).want(http.StatusForbidden)
}

func TestWrongIdempotencyKeys(t *testing.T) {
	t.Parallel()
	for operation, p := range posts("") {
		w := newWorld(t).withoutNetwork()
		for _, key := range []string{strings.Repeat("x", 256), strings.Repeat("é", 128), "a\x00b", "a\nb", "a\x7f", "\xff"} {
			p.key = key
			w.post(p).want(http.StatusBadRequest).says("Idempotency-Key")
		}
		p.key = strings.Repeat(operation[:1], 255)
		if r := w.post(p); r.status >= 300 {
			t.Errorf("%s with the longest key: %d %s", r.what, r.status, r.body)
		}
	}
}

// TestOutcomesHoldNoSecrets looks at what is kept for a day.
func TestOutcomesHoldNoSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post(post{admin, "/user/keys", "k", newKey("desktop", publicKey("desktop"))}).want(http.StatusOK)
	w.post(post{admin, "/user/keys", "l", newKey("tablet", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2")}).want(http.StatusBadRequest)
	w.post(post{admin, "/user/keys", "m", newKey("laptop", publicKey("laptop")+" hunter2")}).want(http.StatusConflict)
	if dump := w.dump(); strings.Contains(dump, "hunter2") || strings.Contains(dump, w.tokens[admin]) {
		t.Errorf("a secret is in the database:\n%s", dump)
	}
}

// withoutOutcomes is a dump without the answers that are kept for repetitions,
// with which a refused request may leave its answer.
func withoutOutcomes(dump string) string {
	var out strings.Builder
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, "outcomes ") {
			out.WriteString(line)
		}
	}
	return out.String()
}
