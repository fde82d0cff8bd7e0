package region_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

// registry is a plane that knows whose accounts subjects are.
type registry struct {
	mu    sync.Mutex
	users map[string]cloud.ID // by subject
	err   error
	hangs bool
	asked int
}

func (r *registry) AccountOf(ctx context.Context, _, subject string) (cloud.ID, error) {
	r.mu.Lock()
	user, err, hangs := r.users[subject], r.err, r.hangs
	r.asked++
	r.mu.Unlock()
	switch {
	case hangs:
		<-ctx.Done()
		return "", cloud.Unavailable(ctx.Err())
	case err != nil:
		return "", err
	case user == "":
		return "", cloud.NotFound("nobody")
	default:
		return user, nil
	}
}

func (r *registry) set(change func(*registry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// TestAccountsOfForeigners follows what a region knows of whose accounts an
// issuer's subjects are.
func TestAccountsOfForeigners(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plane := &registry{users: map[string]cloud.ID{"ada": ada.Subject}}
		accounts := region.NewAccounts(plane, time.Now)
		is := func(what, subject string, want cloud.ID, code cloud.Code, asked int) {
			t.Helper()
			plane.set(func(r *registry) { r.asked = 0 })
			got, err := accounts.AccountOf(t.Context(), "https://login.example.com", subject)
			if got != want || cloud.CodeOf(err) != code || err != nil && code == "" || plane.asked != asked {
				t.Errorf("%s: got %q, %v with %d questions; want %q, code %q with %d", what, got, err, plane.asked, want, code, asked)
			}
		}
		is("at first", "ada", ada.Subject, "", 1)
		is("nobody", "ben", "", cloud.CodeNotFound, 1)
		time.Sleep(59 * time.Second)
		is("within the minute", "ada", ada.Subject, "", 0)
		is("nobody within the minute", "ben", "", cloud.CodeNotFound, 0)
		plane.set(func(r *registry) { r.users = map[string]cloud.ID{"ben": ben.Subject} })
		time.Sleep(time.Second)
		is("unlinked", "ada", "", cloud.CodeNotFound, 1)
		is("linked", "ben", ben.Subject, "", 1)

		plane.set(func(r *registry) { r.err = errAway })
		time.Sleep(24*time.Hour - time.Second)
		is("with the plane away for most of a day", "ben", ben.Subject, "", 1)
		is("nobody, with the plane away", "ada", "", cloud.CodeUnavailable, 1)
		is("never asked, with the plane away", "eve", "", cloud.CodeUnavailable, 1)
		time.Sleep(time.Second)
		is("with the plane away for a day", "ben", "", cloud.CodeUnavailable, 1)

		plane.set(func(r *registry) { r.err = nil })
		is("when it is back", "ben", ben.Subject, "", 1)
		time.Sleep(time.Minute)
		plane.set(func(r *registry) { r.err = errors.New("no such region") })
		is("refused", "ben", "", cloud.CodeUnavailable, 1)
		plane.set(func(r *registry) { r.err = errAway })
		is("refused before it went away", "ben", "", cloud.CodeUnavailable, 1)
	})
}

// However many wait for a plane that hangs, it is asked once, and no longer than
// there is patience.
func TestAccountsAreAskedForOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plane := &registry{hangs: true}
		accounts := region.NewAccounts(plane, time.Now)
		begin := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := accounts.AccountOf(t.Context(), "https://login.example.com", "ada"); cloud.CodeOf(err) != cloud.CodeUnavailable {
					t.Errorf("got %v", err)
				}
			})
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := accounts.AccountOf(impatient, "https://login.example.com", "ada"); cloud.CodeOf(err) != cloud.CodeUnavailable || time.Since(begin) != time.Second {
			t.Errorf("who would not wait got %v after %v", err, time.Since(begin))
		}
		all.Wait()
		if took := time.Since(begin); plane.asked != 1 || took != 5*time.Second {
			t.Errorf("the plane was asked %d times, and waited for %v", plane.asked, took)
		}
	})
}
