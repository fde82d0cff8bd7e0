package managementapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// linkBase is where the pages of invitations are.
const linkBase = "https://plane.example.com/invitations/"

// linked says that no mail is sent, and where the pages are.
func linked() control.Option {
	return control.WithLinks(func(token cloud.Secret) string { return linkBase + token.Reveal() })
}

type sentInvitation struct {
	ID, Email, Role, Link, Mail string
	MailError                   string    `json:"mail_error"`
	ExpiresAt                   time.Time `json:"expires_at"`
}

// token is what stands at the end of the link.
func (i sentInvitation) token() string { return strings.TrimPrefix(i.Link, linkBase) }

// invites has the admin of acme invite an address.
func (w *world) invites(email, role string) (sent sentInvitation) {
	w.t.Helper()
	w.call(admin, "POST", "/invitations", invite(email, role)).want(http.StatusCreated).into(&sent)
	return sent
}

// resends has the admin of acme send an invitation anew.
func (w *world) resends(id string) (sent sentInvitation) {
	w.t.Helper()
	w.call(admin, "POST", "/invitations/"+id+"/resend", "").want(http.StatusOK).into(&sent)
	return sent
}

func (w *world) accepts(who, token string) reply {
	w.t.Helper()
	return w.call(who, "POST", "/invitations/accept", `{"token":"`+token+`"}`)
}

// signsIn gives somebody an identity that vouches for an address.
func (w *world) signsIn(who, issuer string, email cloud.Email) {
	w.t.Helper()
	w.write(func(tx cloud.Writer) error {
		return tx.CreateIdentity(cloud.Identity{Issuer: issuer, Subject: who, UserID: userIDs[who], Email: email, CreatedAt: start, LastUsedAt: start})
	})
}

const otherIssuer = "https://login.example.com"

func TestInvitationsAreAccepted(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.signsIn(loner, otherIssuer, "New@Example.com")
		sent := w.invites("new@example.com", "editor")
		if !strings.HasPrefix(sent.Link, linkBase) || sent.Mail != "" {
			t.Fatalf("got %+v; want a link and no mail", sent)
		}
		w.call(loner, "GET", "/members", "").want(http.StatusForbidden)
		var joined struct {
			Organization organization
			Role         string
		}
		w.accepts(loner, sent.token()).want(http.StatusOK).into(&joined)
		if joined.Organization.ID != acme || joined.Role != "editor" || w.roles()[loner] != "editor" {
			t.Errorf("got %+v, with the roles %v", joined, w.roles())
		}
		w.call(loner, "GET", "/members", "").want(http.StatusOK)
		w.accepts(loner, sent.token()).want(http.StatusNotFound).says("was used already")
		// Who was removed does not come back by the old link.
		w.call(admin, "DELETE", memberPath(loner), "").want(http.StatusNoContent)
		w.accepts(loner, sent.token()).want(http.StatusNotFound)
	}, linked())
}

// TestLinksThatOpenNothing is about tokens that were good, or never were. Each is
// refused in the same words.
func TestLinksThatOpenNothing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.signsIn(loner, otherIssuer, "new@example.com")
		refused := func(what, token string) {
			t.Helper()
			if r := w.accepts(loner, token).want(http.StatusNotFound); r.message() != cloud.ErrNoInvitation.Error() {
				t.Errorf("%s: got %q", what, r.message())
			}
		}
		first := w.invites("new@example.com", "")
		second := w.resends(first.ID)
		if second.Link == first.Link || second.ID != first.ID {
			t.Errorf("sent again, it is %+v; it was %+v", second, first)
		}
		refused("the link before", first.token())
		for _, n := range []int{0, 40, 45, len(second.token()) - 1} {
			bytes := []byte(second.token())
			bytes[n] ^= 1
			refused("a token that was changed", string(bytes))
		}
		for _, token := range []string{"x", second.token() + "A", second.token()[1:], strings.Repeat("A", 512), "../" + second.token()} {
			refused("another text", token)
		}
		w.call(admin, "DELETE", "/invitations/"+second.ID, "").want(http.StatusNoContent)
		refused("one that was taken back", second.token())
		third := w.invites("new@example.com", "")
		refused("that before the one there is", second.token())
		w.clock.Pass(cloud.InvitationTTL)
		refused("one that has expired", third.token())
		w.call(admin, "POST", "/invitations/"+third.ID+"/resend", "").want(http.StatusNotFound)
	}, linked())
}

func TestSendingAgainRenewsTheTime(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.signsIn(loner, otherIssuer, "new@example.com")
		first := w.invites("new@example.com", "")
		w.clock.Pass(cloud.InvitationTTL - time.Hour)
		second := w.resends(first.ID)
		if got := second.ExpiresAt.Sub(first.ExpiresAt); got != cloud.InvitationTTL-time.Hour {
			t.Errorf("it ends %v later", got)
		}
		w.clock.Pass(2 * time.Hour)
		w.accepts(loner, second.token()).want(http.StatusOK)
	}, linked())
}

// TestInvitationsAreForOneAddress has people accept what is not theirs: the
// address of the account is nothing that anybody vouched for, and look-alikes
// are other addresses.
func TestInvitationsAreForOneAddress(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, []control.Option{linked()})
	w.signsIn(stranger, otherIssuer, "\u212Aim@example.com") // the Kelvin sign
	sent := w.invites("kim@example.com", "")
	before := w.dump()
	for _, who := range []string{stranger, loner, guest} {
		w.accepts(who, sent.token()).want(http.StatusForbidden).says("k…@example.com", "sign in with that one")
		w.call(who, "POST", "/invitations/accept", `{"id":"`+sent.ID+`"}`).want(http.StatusNotFound).says("GET /user/invitations")
	}
	lonely := w.invites("loner@example.com", "")
	w.accepts(loner, lonely.token()).want(http.StatusForbidden) // who has not signed in with it
	w.call(admin, "DELETE", "/invitations/"+lonely.ID, "").want(http.StatusNoContent)
	if diff := cmp.Diff(withoutAudit(before), withoutAudit(w.dump())); diff != "" {
		t.Errorf("refused, and yet the database changed:\n%s", diff)
	}
	w.signsIn(loner, otherIssuer, "Kim@Example.com")
	w.accepts(loner, sent.token()).want(http.StatusOK)
}

// withoutAudit is a dump without the audit, and without what counts changes.
func withoutAudit(dump string) string {
	var out strings.Builder
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, "audit_entries ") && !strings.HasPrefix(line, "organizations ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// TestTwoTokensAreTwoRequests proves that two tokens are two requests, though no
// token is ever written down.
func TestTwoTokensAreTwoRequests(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, []control.Option{linked()})
	w.signsIn(loner, otherIssuer, "new@example.com")
	sent := w.invites("new@example.com", "")
	accept := func(token string) reply {
		return w.post(post{loner, "/invitations/accept", "k", `{"token":"` + token + `"}`})
	}
	first := accept(sent.token()).want(http.StatusOK)
	if again := accept(sent.token()); again.String() != first.String() {
		t.Errorf("got\n%s\nafter\n%s", again, first)
	}
	accept(sent.token() + "A").want(http.StatusConflict).says("another request")
	if strings.Contains(w.dump(), sent.token()) {
		t.Error("the token is in the database")
	}
}

func TestMembersHaveNothingToAccept(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, []control.Option{linked()})
	w.signsIn(guest, otherIssuer, "new@example.com")
	sent := w.invites("new@example.com", "admin")
	w.accepts(guest, sent.token()).want(http.StatusConflict).says("you are a member")
	if role := w.roles()[guest]; role != "viewer" {
		t.Errorf("the guest is %s now", role)
	}
	w.signsIn(loner, otherIssuer, "new@example.com")
	w.accepts(loner, sent.token()).want(http.StatusOK) // it was not used up
}

func TestOwnInvitations(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.signsIn(loner, otherIssuer, "new@example.com")
		w.signsIn(loner, cloud.MailIssuer, "tomas@example.com")
		sent := w.invites("new@example.com", "")
		ids := func() (ids []string) {
			for _, i := range list[struct{ ID string }](w.get(loner, "/user/invitations").want(http.StatusOK)) {
				ids = append(ids, i.ID)
			}
			return ids
		}
		if diff := cmp.Diff([]string{pendingInvitation, foreignInvitation, sent.ID}, ids()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r := w.get(loner, "/user/invitations"); strings.Contains(r.body, sent.token()) {
			t.Errorf("the link is in the list: %s", r.body)
		}
		w.call(loner, "POST", "/invitations/accept", `{"id":"`+strings.ToUpper(foreignInvitation)+`"}`).want(http.StatusOK)
		w.call(admin, "DELETE", "/invitations/"+pendingInvitation, "").want(http.StatusNoContent)
		if diff := cmp.Diff([]string{sent.ID}, ids()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.clock.Pass(cloud.InvitationTTL)
		if got := ids(); got != nil {
			t.Errorf("got %v after they have expired", got)
		}
	}, linked())
}

// TestLinksAreKeptByNobody repeats requests whose answers have a link: it is the
// same, and yet not in the database.
func TestLinksAreKeptByNobody(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, []control.Option{linked()})
	for _, path := range []string{"/invitations", "/invitations/" + pendingInvitation + "/resend"} {
		p := post{admin, path, "k" + path, invite("new@example.com", "")}
		first := w.post(p)
		var sent sentInvitation
		first.into(&sent)
		if again := w.post(p); again.String() != first.String() || sent.token() == "" {
			t.Errorf("%s: got\n%s\nafter\n%s", path, again, first)
		}
		if strings.Contains(w.dump(), sent.token()) || strings.Contains(w.logged(), sent.token()) {
			t.Errorf("%s: the token is in the database, or in the log", path)
		}
		if strings.Contains(w.get(admin, "/invitations").body, sent.token()) {
			t.Errorf("%s: the link is listed", path)
		}
	}
}

// TestInvitationsOfOneSenderAreFew lets an admin invite half the world, in all of
// their organizations: at some point nobody more is mailed that day, but by others.
func TestInvitationsOfOneSenderAreFew(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, []control.Option{linked(), control.WithMail(func() {})})
	w.write(func(tx cloud.Writer) error {
		for i := range 198 {
			if err := tx.EnqueueMail(cloud.Mail{
				ID: cloud.ID(fmt.Sprintf("019cae00-0000-7000-c000-%012x", i)), Kind: cloud.MailInvitation, Sender: userIDs[admin], Recipient: "x@example.com",
				Reference: "gone", CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(time.Hour), DueAt: w.clock.Now(), State: cloud.MailPending,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	invite := func(n int) reply {
		return w.post(post{admin, "/invitations", "", fmt.Sprintf(`{"email":"victim-%d@example.com","role":"viewer"}`, n)})
	}
	counts := w.inParallel(8, invite)
	if diff := cmp.Diff(map[int]int{http.StatusCreated: 2, http.StatusConflict: 6}, counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	invite(9).want(http.StatusConflict).says("tomorrow")
	w.clock.Pass(24*time.Hour + time.Microsecond)
	invite(9).want(http.StatusCreated)
}

// TestInvitationsAreMailed is about a plane that sends mail: what is to be sent is
// written with the invitation, whoever sends it is woken, nobody else gets the
// link, and no address gets too many.
func TestInvitationsAreMailed(t *testing.T) {
	t.Parallel()
	var woken atomic.Int64
	w := newWorldWith(t, []control.Option{linked(), control.WithMail(func() { woken.Add(1) })})
	first := w.invites("new@example.com", "")
	second := w.resends(first.ID)
	if first.Mail != "pending" || second.Mail != "pending" || first.Link != "" || second.Link != "" || woken.Load() != 2 {
		t.Errorf("got %+v and %+v, and woke %d times", first, second, woken.Load())
	}
	lease := func() (mail cloud.Mail) {
		w.write(func(tx cloud.Writer) (err error) {
			mail, err = tx.LeaseMail(w.clock.Now(), w.clock.Now().Add(time.Minute))
			return err
		})
		return mail
	}
	for _, generation := range []int64{1, 2} {
		got := lease()
		if got.Kind != cloud.MailInvitation || got.Recipient != "new@example.com" || got.Reference != first.ID || got.Generation != generation {
			t.Errorf("to be sent is %+v; want generation %d of %s", got, generation, first.ID)
		}
		if generation == 2 {
			w.write(func(tx cloud.Writer) error {
				return tx.SettleMail(got.ID, cloud.MailFailed, time.Time{}, "no such mailbox")
			})
		}
	}
	listed := list[sentInvitation](w.get(viewer, "/invitations").want(http.StatusOK))
	if last := listed[len(listed)-1]; last.Mail != "failed" || last.MailError != "no such mailbox" {
		t.Errorf("listed is %+v", last)
	}
	for range 8 {
		w.resends(first.ID)
	}
	woken.Store(0)
	w.call(admin, "POST", "/invitations/"+first.ID+"/resend", "").want(http.StatusConflict).says("10 invitations", "tomorrow")
	w.call(stranger, "POST", "/invitations", invite("NEW@example.com", "")).want(http.StatusConflict).says("tomorrow")
	if woken.Load() != 0 {
		t.Error("somebody was woken for nothing")
	}
	w.clock.Pass(24*time.Hour + time.Microsecond)
	w.resends(first.ID)
}

// TestInvitationByToken is what the page of an invitation shows.
func TestInvitationByToken(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, []control.Option{linked()})
	sent := w.invites("new@example.com", "editor")
	got, err := w.control.InvitationByToken(t.Context(), cloud.NewSecret(sent.token()))
	if err != nil || got.Organization.DisplayName != "Acme Research" || got.Inviter.Name != "The admin" || got.Email != "new@example.com" || got.Role != cloud.RoleEditor {
		t.Errorf("got %+v, %v", got, err)
	}
	w.resends(sent.ID)
	if _, err := w.control.InvitationByToken(t.Context(), cloud.NewSecret(sent.token())); err != cloud.ErrNoInvitation { //nolint:errorlint // it is that one
		t.Errorf("by the link before: %v", err)
	}
}

// race runs two requests at once, and returns their statuses.
func (w *world) race(a, b func() reply) (int, int) {
	statuses := [2]int{}
	w.inParallel(2, func(i int) reply {
		r := []func() reply{a, b}[i]()
		statuses[i] = r.status
		return r
	})
	return statuses[0], statuses[1]
}

// rounds is how often a race is run, since who wins is chance.
const rounds = 10

// TestTwoAcceptances has one person, and two persons who have the same address,
// accept one invitation at once: it makes one member.
func TestTwoAcceptances(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.signsIn(loner, otherIssuer, "new@example.com")
		w.signsIn(stranger, otherIssuer, "new@example.com")
		for _, others := range []string{loner, stranger} {
			for range rounds {
				sent := w.invites("new@example.com", "")
				a, b := w.race(
					func() reply { return w.accepts(loner, sent.token()) },
					func() reply { return w.accepts(others, sent.token()) },
				)
				if (a == http.StatusOK) == (b == http.StatusOK) || max(a, b) >= 500 {
					t.Errorf("got %d and %d; want one of them to be 200", a, b)
				}
				joined := 0
				for _, who := range []string{loner, stranger} {
					if w.roles()[who] != "" {
						joined++
						w.call(admin, "DELETE", memberPath(who), "").want(http.StatusNoContent)
					}
				}
				if joined != 1 {
					t.Errorf("it made %d members", joined)
				}
			}
		}
	}, linked())
}

// TestAcceptAgainstRevoke has an invitation accepted and taken back at once: one
// of both happens, and not the other.
func TestAcceptAgainstRevoke(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.signsIn(loner, otherIssuer, "new@example.com")
		for range rounds {
			sent := w.invites("new@example.com", "")
			accepted, revoked := w.race(
				func() reply { return w.accepts(loner, sent.token()) },
				func() reply { return w.call(admin, "DELETE", "/invitations/"+sent.ID, "") },
			)
			joined := w.roles()[loner] != ""
			switch {
			case accepted == http.StatusOK && revoked == http.StatusNotFound && joined:
				w.call(admin, "DELETE", memberPath(loner), "").want(http.StatusNoContent)
			case accepted == http.StatusNotFound && revoked == http.StatusNoContent && !joined:
			default:
				t.Errorf("accepted %d, revoked %d, a member: %v", accepted, revoked, joined)
			}
		}
	}, linked())
}

// TestAcceptAgainstResend has an invitation accepted and sent anew at once: the
// link was good still, or is good no more.
func TestAcceptAgainstResend(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.signsIn(loner, otherIssuer, "new@example.com")
		for range rounds {
			sent := w.invites("new@example.com", "")
			accepted, resent := w.race(
				func() reply { return w.accepts(loner, sent.token()) },
				func() reply { return w.call(admin, "POST", "/invitations/"+sent.ID+"/resend", "") },
			)
			joined := w.roles()[loner] != ""
			switch {
			case accepted == http.StatusOK && resent == http.StatusNotFound && joined:
				w.call(admin, "DELETE", memberPath(loner), "").want(http.StatusNoContent)
			case accepted == http.StatusNotFound && resent == http.StatusOK && !joined:
				w.call(admin, "DELETE", "/invitations/"+sent.ID, "").want(http.StatusNoContent)
			default:
				t.Errorf("accepted %d, sent again %d, a member: %v", accepted, resent, joined)
			}
		}
	}, linked())
}

// between is a store of which somebody changes something just before the next
// transaction that writes, once it is armed.
type between struct {
	cloud.Store
	strike *atomic.Pointer[func()]
}

func (s between) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	if strike := s.strike.Swap(nil); strike != nil {
		(*strike)()
	}
	return s.Store.Write(ctx, fn)
}

// TestWhatHappensAfterAdmissionCounts takes a right away between the admission
// of a request and its transaction.
func TestWhatHappensAfterAdmissionCounts(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		strike func(o control.Operator) error
		says   string
	}{
		"the organization is suspended": {func(o control.Operator) error {
			return o.SuspendOrganization(context.Background(), "acme", true)
		}, "this organization is suspended"},
		"the user is suspended": {func(o control.Operator) error {
			return o.SuspendUser(context.Background(), "admin@example.com", true)
		}, "your account is suspended"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var strike atomic.Pointer[func()]
			w := newWorld(t, func(s cloud.Store) cloud.Store { return between{s, &strike} })
			operator := w.operator()
			armed := func() {
				if err := c.strike(operator); err != nil {
					t.Error(err)
				}
			}
			strike.Store(&armed)
			w.call(admin, "POST", "/invitations", invite("new@example.com", "")).want(http.StatusForbidden).says(c.says)
		})
	}
}
