package federation_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
	"github.com/penstock-cloud/penstock/internal/region"
)

// openGrants starts what the region knows of grants, as its process does.
func (w *world) openGrants() *region.Grants {
	w.t.Helper()
	client, err := federation.NewGrantClient(w.link())
	if err != nil {
		w.t.Fatal(err)
	}
	grants, err := region.OpenGrants(w.t.Context(), region.GrantsConfig{Store: w.store, Plane: client, Log: w.logger, Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.grants = grants
	return grants
}

// withGrants is a region that reports to the real plane and asks it.
func withGrants(t *testing.T, story func(t *testing.T, b *bothEnds, may func(cloud.ID, cloud.Action) cloud.Code)) {
	t.Helper()
	withBothEnds(t, func(t *testing.T, b *bothEnds) {
		b.stand.join(ada, cloud.RoleEditor)
		b.stand.join(ben, cloud.RoleViewer)
		b.openGrants()
		b.start()
		b.pass(time.Second)
		story(t, b, func(subject cloud.ID, action cloud.Action) cloud.Code {
			t.Helper()
			grant, err := b.grants.(*region.Grants).Grant(t.Context(), subject, acme)
			if err == nil {
				err = grant.Authorize(action)
			}
			if err != nil && cloud.CodeOf(err) == "" {
				t.Fatal(err)
			}
			return cloud.CodeOf(err)
		})
	})
}

func expect(t *testing.T, what string, got, want cloud.Code) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got the code %q, want %q", what, got, want)
	}
}

// A change reaches the region with the answer to its next sync, which is sooner
// than an answer expires.
func TestAChangeOfAGrantReachesTheRegionWithItsNextSync(t *testing.T) {
	t.Parallel()
	withGrants(t, func(t *testing.T, b *bothEnds, may func(cloud.ID, cloud.Action) cloud.Code) {
		expect(t, "an editor", may(ada, cloud.ActionChangeFleet), "")
		expect(t, "a viewer", may(ben, cloud.ActionChangeFleet), cloud.CodeForbidden)
		b.stand.expel(ada)
		b.stand.setRole(ben, cloud.RoleEditor)
		expect(t, "before the sync", may(ada, cloud.ActionChangeFleet), "")
		b.run(1, cloud.InstanceRunning, "host-01") // a change goes out at once
		b.pass(time.Second)
		expect(t, "one who was removed", may(ada, cloud.ActionReadFleet), cloud.CodeForbidden)
		expect(t, "one who was promoted", may(ben, cloud.ActionChangeFleet), "")

		b.stand.register(ben, "laptop", "ssh-ed25519 AAAA")
		b.pass(20 * time.Second) // a heartbeat
		grant, err := b.grants.(*region.Grants).Grant(t.Context(), ben, acme)
		if diff := gocmp.Diff([]string{"ssh-ed25519 AAAA"}, grant.SSHKeys); err != nil || diff != "" {
			t.Errorf("the keys after a heartbeat: %v (-want +got)\n%s", err, diff)
		}
	})
}

// A region learns where a caller belongs, and of what changes there, as it does
// of roles.
func TestARegionKnowsWhereACallerBelongs(t *testing.T) {
	t.Parallel()
	withGrants(t, func(t *testing.T, b *bothEnds, _ func(cloud.ID, cloud.Action) cloud.Code) {
		belongs := func(what string, subject cloud.ID, wantCurrent bool, want ...cloud.ID) {
			t.Helper()
			got, current, err := b.grants.(*region.Grants).Organizations(t.Context(), subject)
			if err != nil || current != wantCurrent {
				t.Errorf("%s: current is %v, and %v", what, current, err)
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		belongs("a member of one", ada, true, acme)
		belongs("another", ben, true, acme)
		b.stand.belongs(ada, bolt, cloud.RoleViewer)
		b.stand.expel(ben)
		belongs("before the sync", ada, true, acme)
		b.pass(20 * time.Second) // a heartbeat
		belongs("who joined another", ada, true, acme, bolt)
		belongs("who was removed", ben, true)

		b.stand.write(func(w cloud.Writer) error {
			if err := w.SetAccess(west, cloud.Access{Except: []cloud.ID{acme}}); err != nil {
				return err
			}
			return w.TouchGrants(cloud.GrantKey{Organization: acme})
		})
		b.pass(20 * time.Second)
		belongs("when the region may not serve one", ada, true, bolt)

		b.network.decide(func(string) fate { return lost })
		b.pass(time.Hour)
		belongs("with the plane away", ada, false, bolt)
		b.stop()
		b.openGrants()
		b.start()
		belongs("after a restart with the plane away", ada, false, bolt)
		if _, _, err := b.grants.(*region.Grants).Organizations(t.Context(), ben); cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("who belonged nowhere, with the plane away: %v", err)
		}
	})
}

// What changed while the region's process was down is known before anything
// that it kept is used, even if the plane is gone right after.
func TestWhatChangedWhileTheRegionWasDownDoesNotHold(t *testing.T) {
	t.Parallel()
	withGrants(t, func(t *testing.T, b *bothEnds, may func(cloud.ID, cloud.Action) cloud.Code) {
		expect(t, "an editor", may(ada, cloud.ActionChangeFleet), "")
		expect(t, "a viewer", may(ben, cloud.ActionReadFleet), "")
		b.stop()
		b.stand.expel(ada)
		b.openGrants()
		b.start()
		b.pass(time.Second)
		b.network.decide(func(string) fate { return lost })
		expect(t, "one who was removed", may(ada, cloud.ActionStopFleet), cloud.CodeUnavailable)
		expect(t, "one who was not", may(ben, cloud.ActionReadFleet), "")
	})
}

// A role that was taken away holds within a minute, though no sync gets
// through.
func TestWithoutSyncsAChangeHoldsWithinAMinute(t *testing.T) {
	t.Parallel()
	withGrants(t, func(t *testing.T, b *bothEnds, may func(cloud.ID, cloud.Action) cloud.Code) {
		expect(t, "an editor", may(ada, cloud.ActionChangeFleet), "")
		b.network.decide(func(path string) fate {
			if strings.HasSuffix(path, "/grants") {
				return arrives
			}
			return lost
		})
		b.stand.expel(ada)
		b.pass(59 * time.Second)
		expect(t, "before the minute", may(ada, cloud.ActionChangeFleet), "")
		b.pass(time.Second)
		expect(t, "after the minute", may(ada, cloud.ActionReadFleet), cloud.CodeForbidden)
	})
}

// What tenants see while the plane is away, with the region's process started
// again in the middle.
func TestWhatTenantsMayWhileThePlaneIsAway(t *testing.T) {
	t.Parallel()
	withGrants(t, func(t *testing.T, b *bothEnds, may func(cloud.ID, cloud.Action) cloud.Code) {
		expect(t, "an editor", may(ada, cloud.ActionChangeFleet), "")
		for name, away := range map[string]fate{"nothing arrives": lost, "no answer arrives": unanswered, "something else answers": broken} {
			b.network.decide(func(string) fate { return away })
			b.pass(10 * time.Minute)
			if away == broken {
				b.stop()
				b.openGrants()
				b.start()
			}
			expect(t, name+", to stop", may(ada, cloud.ActionStopFleet), "")
			expect(t, name+", to read", may(ada, cloud.ActionReadFleet), "")
			expect(t, name+", to create", may(ada, cloud.ActionChangeFleet), cloud.CodeUnavailable)
			expect(t, name+", a caller never seen", may(ben, cloud.ActionReadFleet), cloud.CodeUnavailable)
		}
		b.stop()
		b.pass(24 * time.Hour)
		expect(t, "after a day", may(ada, cloud.ActionReadFleet), cloud.CodeUnavailable)
		b.network.decide(nil)
		expect(t, "when it is back", may(ada, cloud.ActionChangeFleet), "")
		expect(t, "when it is back, a caller never seen", may(ben, cloud.ActionReadFleet), "")
		b.start()
	})
}

// A region whose credential was revoked may not go on by what it was told
// before.
func TestARegionThatIsNotKnownAnyLongerAnswersNobody(t *testing.T) {
	t.Parallel()
	withGrants(t, func(t *testing.T, b *bothEnds, may func(cloud.ID, cloud.Action) cloud.Code) {
		expect(t, "an editor", may(ada, cloud.ActionReadFleet), "")
		b.network.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"message":"this needs the credential of a region"}`))
		}))
		b.pass(time.Minute)
		expect(t, "an editor", may(ada, cloud.ActionReadFleet), cloud.CodeUnavailable)
	})
}

// Answers of a plane of another release.
func TestGrantsOfAnotherRelease(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		client, err := federation.NewGrantClient(w.link())
		if err != nil {
			t.Fatal(err)
		}
		answer := ""
		w.network.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != "Bearer "+credential {
				t.Errorf("the plane was asked with %q", got)
			}
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte(answer))
		}))
		for text, want := range map[string]struct {
			grant   cloud.Grant
			refused bool
		}{
			`{"revision":7,"role":"viewer","ssh_keys":["k"],"revoked_tokens":["jti"],"new":{}}`: {grant: cloud.Grant{Role: cloud.RoleViewer, SSHKeys: []string{"k"}, RevokedTokens: []string{"jti"}}},
			`{"revision":7,"ssh_keys":[]}`:                                     {grant: cloud.Grant{SSHKeys: []string{}}},
			`{"revision":7,"role":"king","ssh_keys":[]}`:                       {refused: true},
			`{"revision":"seven","role":"viewer"}`:                             {refused: true},
			`{"revision":7,"ssh_keys":["` + strings.Repeat("x", 1<<20) + `"]}`: {refused: true},
		} {
			answer = text
			got, revision, err := client.Grant(t.Context(), cloud.GrantKey{Subject: ada, Organization: acme})
			if (err != nil) != want.refused || err == nil && revision != 7 {
				t.Errorf("%.80s: revision %d, %v", text, revision, err)
			}
			if diff := gocmp.Diff(want.grant, got); diff != "" {
				t.Errorf("%.80s (-want +got):\n%s", text, diff)
			}
		}
		for text, want := range map[string]struct {
			organizations []cloud.ID
			refused       bool
		}{
			`{"revision":7,"ssh_keys":[],"organizations":[{"organization":"` + string(acme) + `","role":"king","new":1}]}`: {organizations: []cloud.ID{acme}},
			`{"revision":7,"ssh_keys":[]}`: {},
			`{"revision":7,"ssh_keys":[],"organizations":[{"organization":"acme","role":"viewer"}]}`: {refused: true},
			`{"revision":7,"ssh_keys":[],"organizations":{}}`:                                        {refused: true},
		} {
			answer = text
			got, _, err := client.Grant(t.Context(), cloud.GrantKey{Subject: ada})
			if (err != nil) != want.refused {
				t.Errorf("%.120s: %v", text, err)
			}
			if diff := gocmp.Diff(want.organizations, got.Organizations); diff != "" {
				t.Errorf("%.120s (-want +got):\n%s", text, diff)
			}
		}
	})
}

// A keeper that could not write a change down is told of it again.
func TestAChangeThatWasNotKeptIsToldAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		keeper := &forgetfulKeeper{failures: 2}
		w.grants = keeper
		w.plane.grants = &wire.GrantChanges{Revision: 5, Changed: []wire.GrantKey{{}}}
		w.start()
		w.pass(time.Minute)
		want := cloud.GrantChanges{Revision: 5, Keys: []cloud.GrantKey{{}}}
		if diff := gocmp.Diff([]cloud.GrantChanges{want, want, want}, keeper.told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if s := w.reporter.Status(); s.State != federation.ReporterSyncing || s.Failures != 0 {
			t.Errorf("the status is %+v: reports do not wait for grants", s)
		}
	})
}

type forgetfulKeeper struct {
	failures int
	revision uint64
	told     []cloud.GrantChanges
}

func (k *forgetfulKeeper) Revision() uint64 { return k.revision }

func (k *forgetfulKeeper) Apply(_ context.Context, c cloud.GrantChanges) error {
	k.told = append(k.told, c)
	if len(k.told) <= k.failures {
		return errors.New("disk full")
	}
	k.revision = c.Revision
	return nil
}
