package control_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// The providers of the tests: acme alone speaks for acme.example.
const (
	acmeIssuer = "https://login.acme.example"
	openIssuer = "https://open.example"
	nextIssuer = "https://next.example"

	silentIssuer = "https://login.silent.example" // never says that it has verified an address
)

var providerRules = []control.ProviderRule{
	{Name: "acme", Issuer: acmeIssuer, Domains: []string{"Acme.example"}},
	{Name: "open", Issuer: openIssuer},
	{Name: "next", Issuer: nextIssuer},
	{Name: "silent", Issuer: silentIssuer, Domains: []string{"silent.example"}, AssumeVerified: true},
}

// door is a plane into which people sign in.
type door struct {
	t       *testing.T
	store   cloud.Store
	now     time.Time
	control *control.Control
	control.Entrance
}

func newDoor(t *testing.T, store cloud.Store) *door {
	d := &door{t: t, store: store, now: time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)}
	d.control = control.New(store, func() time.Time { return d.now }, uniqueID, cloud.DefaultHealthPolicy)
	d.Entrance = d.control.Entrance(control.EntranceConfig{Codes: true, Providers: providerRules})
	return d
}

func sqliteDoor(t *testing.T) *door {
	t.Helper()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return newDoor(t, storetest.Twice(store))
}

// mailKey is the plane's, with which the postman makes the codes.
func (d *door) mailKey() cloud.Secret { return d.plane().MailKey }

func (d *door) plane() cloud.Plane {
	d.t.Helper()
	var plane cloud.Plane
	if err := d.store.Read(d.t.Context(), func(r cloud.Reader) (err error) {
		plane, err = r.Plane()
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	return plane
}

func (d *door) code(s control.Started) string {
	return cloud.SignInCode(d.mailKey(), s.Browser.Hash()).Reveal()
}

// mails returns to whom codes go that wait, and makes them wait no more.
func (d *door) mails() (recipients []string) {
	d.t.Helper()
	for {
		var mail cloud.Mail
		err := d.store.Write(d.t.Context(), func(w cloud.Writer) (err error) {
			if mail, err = w.LeaseMail(d.now, d.now.Add(time.Minute)); err != nil {
				return err
			}
			return w.SettleMail(mail.ID, cloud.MailSent, time.Time{}, "")
		})
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return recipients
		}
		if err != nil {
			d.t.Fatal(err)
		}
		recipients = append(recipients, string(mail.Recipient))
	}
}

// byProvider signs in with a provider that says what it says.
func (d *door) byProvider(name string, said cloud.Assertion, b control.Beginning, session cloud.Secret) (control.Entered, error) {
	d.t.Helper()
	started, err := d.BeginProvider(d.t.Context(), b, name)
	if err != nil {
		return control.Entered{}, err
	}
	signIn, err := d.TakeProvider(d.t.Context(), started.Browser, name, started.State)
	if err != nil {
		return control.Entered{}, err
	}
	if signIn.Nonce != started.Nonce || signIn.Verifier.Reveal() != started.Verifier.Reveal() {
		d.t.Error("the nonce and the verifier are not what the provider was sent")
	}
	return d.FinishProvider(d.t.Context(), control.Finish{Browser: started.Browser, Session: session}, signIn, said)
}

func (d *door) byCode(address string, b control.Beginning, session cloud.Secret) (control.Entered, error) {
	d.t.Helper()
	started, err := d.BeginCode(d.t.Context(), b, address)
	if err != nil {
		return control.Entered{}, err
	}
	return d.FinishCode(d.t.Context(), control.Finish{Browser: started.Browser, Session: session}, d.code(started))
}

// TestWhoseAccountASignInOpens signs people in, one after another: each step
// opens the account that the first step of the same owner made, or is refused.
func TestWhoseAccountASignInOpens(t *testing.T) {
	t.Parallel()
	type step struct {
		with    string // acme, open, next, code; + adds to the account of the step before
		subject string
		email   string
		want    string // whose account, or what the refusal says behind a !
	}
	const otherWay, recycled, foreign = "!signed in to in another way", "!belongs to somebody else", "!sign in with their own provider"
	for name, steps := range map[string][]step{
		"again": {
			{"open", "1", "ada@example.com", "ada"}, {"open", "1", "ada@example.com", "ada"},
		},
		"the subject counts, and not the address": {
			{"open", "1", "ada@example.com", "ada"}, {"open", "1", "lovelace@example.com", "ada"}, {"open", "2", "ada@example.com", "another"},
		},
		"a subject is an issuer's": {
			{"open", "1", "ada@example.com", "ada"}, {"next", "1", "bob@example.com", "bob"},
		},
		"take over by a second provider": {
			{"open", "1", "ada@example.com", "ada"}, {"next", "666", "ada@example.com", otherWay},
		},
		"take over by a second provider, in another case": {
			{"open", "1", "ada@example.com", "ada"}, {"next", "666", "ADA@Example.COM", otherWay},
		},
		"take over by a code": {
			{"open", "1", "ada@example.com", "ada"}, {"code", "", "ada@example.com", otherWay},
		},
		"take over of a code's account": {
			{"code", "", "ada@example.com", "ada"}, {"open", "1", "ada@example.com", otherWay},
		},
		"case of a code's address": {
			{"code", "", "ada@example.com", "ada"}, {"code", "", "Ada@EXAMPLE.com", "ada"},
		},
		"look-alikes are others": {
			{"open", "1", "ada@example.com", "ada"},
			{"next", "2", "\u0430da@example.com", "cyrillic"},
			{"code", "", "ad\u0430@example.com", "cyrillic too"},
			{"next", "3", "ada@ex\u0430mple.com", "!ASCII form"},
			{"next", "4", "ada\u200b@example.com", "!cannot be used"},
			{"next", "5", "\u212aelvin@example.com", "kelvin sign"},
			{"next", "6", "kelvin@example.com", "kelvin"},
		},
		"a bound domain": {
			{"acme", "1", "ada@acme.example", "ada"},
			{"open", "666", "bob@acme.example", foreign},
			{"open", "666", "BOB@ACME.EXAMPLE", foreign},
			{"code", "", "bob@acme.example", "!not right"},
			{"open", "7", "bob@sub.acme.example", "not acme's"},
		},
		"the bound provider speaks for others as any does": {
			{"open", "1", "ada@example.com", "ada"}, {"acme", "1", "ada@example.com", otherWay},
		},
		"a stranger claims a bound address later": {
			{"open", "1", "ada@example.com", "ada"}, {"open", "1", "ada@acme.example", foreign}, {"open", "1", "ada@example.com", "ada"},
		},
		"an address that was given to another": {
			{"acme", "1", "john@acme.example", "john"}, {"acme", "2", "john@acme.example", recycled},
		},
		"the address of another": {
			{"open", "1", "ada@example.com", "ada"},
			{"open", "2", "bob@example.com", "bob"},
			{"open", "2", "ada@example.com", "bob"},
			{"open", "1", "ada@example.com", "ada"},
		},
		"a second way, by who is signed in": {
			{"open", "1", "ada@example.com", "ada"},
			{"+next", "9", "ada@private.example", "ada"},
			{"next", "9", "ada@private.example", "ada"},
			{"+code", "", "ada@home.example", "ada"},
			{"code", "", "ada@home.example", "ada"},
			{"open", "1", "ada@example.com", "ada"},
		},
		"a way in is one account's": {
			{"open", "1", "ada@example.com", "ada"}, {"open", "2", "bob@example.com", "bob"}, {"+open", "1", "ada@example.com", "!another account already"},
		},
		"nobody adds what a domain is closed to": {
			{"open", "1", "ada@example.com", "ada"}, {"+next", "9", "ada@acme.example", foreign},
		},
		"no use": {
			{"open", "1", "backup@0198.service.invalid", "!cannot be used"},
			{"code", "", "backup@0198.service.invalid", "!nobody can receive"},
			{"open", "2", "", "!does not tell your address"},
			{"open", "", "ada@example.com", "!not from the provider"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sqliteDoor(t)
			owners := map[string]cloud.ID{}
			var session cloud.Secret
			for i, s := range steps {
				way, adds := strings.CutPrefix(s.with, "+")
				b := control.Beginning{ReturnTo: "/account", Link: adds, Session: session}
				var entered control.Entered
				var err error
				if way == "code" {
					entered, err = d.byCode(s.email, b, session)
				} else {
					issuer := map[string]string{"acme": acmeIssuer, "open": openIssuer, "next": nextIssuer}[way]
					entered, err = d.byProvider(way, cloud.Assertion{Issuer: issuer, Subject: s.subject, Email: s.email, EmailVerified: true}, b, session)
				}
				if says, refused := strings.CutPrefix(s.want, "!"); refused {
					if err == nil || !strings.Contains(err.Error(), says) {
						t.Errorf("step %d: opened %s's, %v; want a refusal with %q", i, entered.User.Email, err, says)
					}
					continue
				}
				if err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
				id, known := owners[s.want]
				switch {
				case !known:
					for other, id := range owners {
						if id == entered.User.ID {
							t.Fatalf("step %d opens %s's account; want a new one", i, other)
						}
					}
					owners[s.want] = entered.User.ID
				case id != entered.User.ID:
					t.Fatalf("step %d opens the account of %s; want %s's", i, entered.User.Email, s.want)
				}
				if entered.ReturnTo != "/account" {
					t.Errorf("step %d goes on to %q", i, entered.ReturnTo)
				}
				if !adds {
					session = entered.Session
				}
				v, err := d.Visitor(t.Context(), session)
				if err != nil || v.User.ID != entered.User.ID {
					t.Errorf("step %d: the browser is signed in as %q, %v", i, v.User.Email, err)
				}
			}
		})
	}
}

// TestTheBoundProviderFindsAccounts shows what the operator's word about a
// domain is good for: the accounts that were there before it are found by it,
// and what opened them before no longer does.
func TestTheBoundProviderFindsAccounts(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	bound := d.Entrance
	unbound := d.control.Entrance(control.EntranceConfig{Codes: true, Providers: []control.ProviderRule{{Name: "acme", Issuer: acmeIssuer}, {Name: "open", Issuer: openIssuer}}})
	d.Entrance = unbound
	first, err := d.byCode("ada@acme.example", control.Beginning{}, cloud.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	d.Entrance = bound
	second, err := d.byProvider("acme", cloud.Assertion{Issuer: acmeIssuer, Subject: "1", Email: "Ada@acme.example", EmailVerified: true, Name: "Ada"}, control.Beginning{}, cloud.Secret{})
	if err != nil || second.User.ID != first.User.ID {
		t.Fatalf("the domain's provider opens %q, %v; want the account that was there", second.User.ID, err)
	}
	if _, err := d.byCode("ada@acme.example", control.Beginning{}, cloud.Secret{}); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("a code opens it still: %v", err)
	}

	// Somebody who has an account with an address that is not theirs gets no
	// company in it: nothing shows that the address is its owner's.
	d.Entrance = unbound
	squatter, err := d.byProvider("open", cloud.Assertion{Issuer: openIssuer, Subject: "666", Email: "bob@acme.example", EmailVerified: true}, control.Beginning{}, cloud.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.store.Write(t.Context(), func(w cloud.Writer) error {
		return w.UseIdentity(openIssuer, "666", "eve@example.com", d.now)
	}); err != nil {
		t.Fatal(err)
	}
	d.Entrance = bound
	if _, err := d.byProvider("acme", cloud.Assertion{Issuer: acmeIssuer, Subject: "2", Email: "bob@acme.example", EmailVerified: true}, control.Beginning{}, cloud.Secret{}); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("bob gets into %s's account: %v", squatter.User.ID, err)
	}
}

func TestUnverifiedAddressOpensNothing(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	said := cloud.Assertion{Issuer: openIssuer, Subject: "1", Email: "ada@example.com", EmailVerified: true}
	if _, err := d.byProvider("open", said, control.Beginning{}, cloud.Secret{}); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"1", "2"} { // one who is known too
		said.EmailVerified, said.Subject = false, subject
		_, err := d.byProvider("open", said, control.Beginning{}, cloud.Secret{})
		if cloud.CodeOf(err) != cloud.CodeForbidden || !strings.Contains(err.Error(), "verify it there") {
			t.Errorf("subject %s: %v; want a refusal that says how to mend it", subject, err)
		}
	}
	said = cloud.Assertion{Issuer: nextIssuer, Subject: "1", Email: "bob@example.com", EmailVerified: true}
	if _, err := d.byProvider("open", said, control.Beginning{}, cloud.Secret{}); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("one provider speaks for another: %v", err)
	}
}

// TestAssumedAddressIsOfTheDomain signs in with a provider that is assumed to
// have verified addresses: of its own domains, and where it does not say that it
// has not.
func TestAssumedAddressIsOfTheDomain(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	for i, tt := range []struct {
		provider string
		said     cloud.Assertion
		want     string // of the refusal; "" for none
	}{
		{"silent", cloud.Assertion{Issuer: silentIssuer, Email: "ada@Silent.example", EmailUnsaid: true}, ""},
		{"silent", cloud.Assertion{Issuer: silentIssuer, Email: "bob@silent.example", EmailVerified: true}, ""},
		{"silent", cloud.Assertion{Issuer: silentIssuer, Email: "carol@silent.example"}, "verify it there"},
		{"silent", cloud.Assertion{Issuer: silentIssuer, Email: "ada@example.com", EmailUnsaid: true}, "does not say"},
		{"silent", cloud.Assertion{Issuer: silentIssuer, Email: "ada@eu.silent.example", EmailUnsaid: true}, "does not say"},
		{"silent", cloud.Assertion{Issuer: silentIssuer, Email: "ada@acme.example", EmailUnsaid: true}, "does not say"},
		{"acme", cloud.Assertion{Issuer: acmeIssuer, Email: "ada@acme.example", EmailUnsaid: true}, "does not say"},
		{"acme", cloud.Assertion{Issuer: acmeIssuer, Email: "dora@silent.example", EmailUnsaid: true}, "does not say"},
	} {
		tt.said.Subject = fmt.Sprint(i)
		entered, err := d.byProvider(tt.provider, tt.said, control.Beginning{}, cloud.Secret{})
		if tt.want == "" && err != nil || tt.want != "" && (cloud.CodeOf(err) != cloud.CodeForbidden || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s says %+v: %q enters, %v", tt.provider, tt.said, entered.User.Email, err)
		}
	}
}

// TestOperatorsAccountIsEnteredOnce signs in to an account that the operator
// made: who has its address has it, and from then on by that way in only.
func TestOperatorsAccountIsEnteredOnce(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	operator := d.control.As(cloud.Actor{Kind: cloud.ActorOperator, ID: "root"})
	if _, err := operator.EnsureOrganization(t.Context(), "acme", ""); err != nil {
		t.Fatal(err)
	}
	made, err := operator.EnsureFirstAdmin(t.Context(), "root@example.com")
	if err != nil {
		t.Fatal(err)
	}
	entered, err := d.byCode("Root@example.com", control.Beginning{}, cloud.Secret{})
	if err != nil || entered.User.ID != made.ID {
		t.Fatalf("a code opens %q, %v; want the operator's", entered.User.ID, err)
	}
	if _, err := d.byProvider("open", cloud.Assertion{Issuer: openIssuer, Subject: "1", Email: "root@example.com", EmailVerified: true}, control.Beginning{}, cloud.Secret{}); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("a second one: %v; want a refusal", err)
	}
}

// TestNobodyLearnsWhetherAnAccountExists asks for codes: whoever asks sees the
// same, and only those who may have one are sent one. What nobody was sent opens
// nothing either.
func TestNobodyLearnsWhetherAnAccountExists(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	if _, err := d.byProvider("open", cloud.Assertion{Issuer: openIssuer, Subject: "1", Email: "ada@example.com", EmailVerified: true}, control.Beginning{}, cloud.Secret{}); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, address := range []string{"ada@example.com", "nobody@example.com", "ada@acme.example", "nobody@acme.example"} {
		for n := range 7 {
			started, err := d.BeginCode(t.Context(), control.Beginning{}, address)
			if err != nil || started.Browser.Reveal() == "" {
				t.Fatalf("%s, time %d: %v", address, n, err)
			}
			shown, err := d.CodeAddress(t.Context(), started.Browser)
			if err != nil || string(shown) != address {
				t.Errorf("%s, time %d: the page shows %q, %v", address, n, shown, err)
			}
			sent := n < 5 && strings.HasSuffix(address, "@example.com")
			if sent {
				want = append(want, address)
			}
			_, err = d.FinishCode(t.Context(), control.Finish{Browser: started.Browser}, "00000000")
			if !control.IsWrongCode(err) {
				t.Errorf("%s, time %d: %v; want what every wrong code is told", address, n, err)
			}
			if sent {
				continue
			}
			if _, err := d.FinishCode(t.Context(), control.Finish{Browser: started.Browser}, d.code(started)); !control.IsWrongCode(err) {
				t.Errorf("%s, time %d: a code that was not sent: %v", address, n, err)
			}
		}
	}
	got := d.mails()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes go to (-want +got):\n%s", diff)
	}
	d.now = d.now.Add(time.Hour + time.Second)
	if _, err := d.BeginCode(t.Context(), control.Beginning{}, "ada@example.com"); err != nil || len(d.mails()) != 1 {
		t.Errorf("after an hour no code is sent: %v", err)
	}
}

// TestAttemptsOfACodeAreBounded guesses, and then knows: the sixth time does
// not count, in however many requests at once.
func TestAttemptsOfACodeAreBounded(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores := replicas(t, open(t))
			d := newDoor(t, stores[0])
			doors := []control.Entrance{d.Entrance, newDoor(t, stores[1]).Entrance}
			for _, wrong := range []int{cloud.MaxCodeAttempts - 1, cloud.MaxCodeAttempts} {
				started, err := d.BeginCode(t.Context(), control.Beginning{}, fmt.Sprintf("ada-%d@example.com", wrong))
				if err != nil {
					t.Fatal(err)
				}
				var guesses sync.WaitGroup
				for n := range wrong {
					guesses.Go(func() {
						_, err := doors[n%2].FinishCode(t.Context(), control.Finish{Browser: started.Browser}, "wrong")
						if !control.IsWrongCode(err) {
							t.Errorf("a wrong code: %v", err)
						}
					})
				}
				guesses.Wait()
				_, err = d.FinishCode(t.Context(), control.Finish{Browser: started.Browser}, d.code(started))
				if refused := control.IsWrongCode(err); refused != (wrong == cloud.MaxCodeAttempts) || err != nil && !refused {
					t.Errorf("after %d wrong codes the right one: %v", wrong, err)
				}
			}
		})
	}
}

// TestSignInsAreFinishedOnce finishes each many times at once: one gets in.
func TestSignInsAreFinishedOnce(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores := replicas(t, open(t))
			d := newDoor(t, stores[0])
			doors := []control.Entrance{d.Entrance, newDoor(t, stores[1]).Entrance}
			for round := range 5 {
				address := fmt.Sprintf("ada-%d@example.com", round)
				byCode, err := d.BeginCode(t.Context(), control.Beginning{}, address)
				if err != nil {
					t.Fatal(err)
				}
				byProvider, err := d.BeginProvider(t.Context(), control.Beginning{}, "open")
				if err != nil {
					t.Fatal(err)
				}
				code := d.code(byCode)
				var entered, taken atomic.Int64
				var all sync.WaitGroup
				for n := range 4 {
					all.Go(func() {
						if _, err := doors[n%2].FinishCode(t.Context(), control.Finish{Browser: byCode.Browser}, code); err == nil {
							entered.Add(1)
						} else if !control.IsWrongCode(err) {
							t.Errorf("FinishCode: %v", err)
						}
					})
					all.Go(func() {
						if _, err := doors[n%2].TakeProvider(t.Context(), byProvider.Browser, "open", byProvider.State); err == nil {
							taken.Add(1)
						} else if cloud.CodeOf(err) != cloud.CodeForbidden {
							t.Errorf("TakeProvider: %v", err)
						}
					})
				}
				all.Wait()
				if entered.Load() != 1 || taken.Load() != 1 {
					t.Errorf("a code lets in %d, a provider's answer is taken by %d; want one each", entered.Load(), taken.Load())
				}
			}
		})
	}
}

// TestFirstSignInsMeet has somebody new come in by two browsers at once: both
// open one account.
func TestFirstSignInsMeet(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores := replicas(t, open(t))
			doors := []*door{newDoor(t, stores[0]), newDoor(t, stores[1])}
			for round := range 5 {
				said := cloud.Assertion{Issuer: openIssuer, Subject: fmt.Sprint(round), Email: fmt.Sprintf("ada-%d@example.com", round), EmailVerified: true}
				var users [4]cloud.ID
				var all sync.WaitGroup
				for n := range users {
					all.Go(func() {
						entered, err := doors[n%2].byProvider("open", said, control.Beginning{}, cloud.Secret{})
						if err != nil {
							t.Errorf("a first sign-in: %v", err)
						}
						users[n] = entered.User.ID
					})
				}
				all.Wait()
				if users[0] == "" || users != [4]cloud.ID{users[0], users[0], users[0], users[0]} {
					t.Errorf("they open the accounts %v; want one", users)
				}
			}
		})
	}
}

// TestStolenAnswerOpensNothing brings a provider's answer where it does not
// belong: into another browser, with another state, to another provider's page, a
// second time, too late.
func TestStolenAnswerOpensNothing(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	begin := func() control.Started {
		started, err := d.BeginProvider(t.Context(), control.Beginning{}, "open")
		if err != nil {
			t.Fatal(err)
		}
		return started
	}
	mine, theirs := begin(), begin()
	coded, err := d.BeginCode(t.Context(), control.Beginning{}, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	take := func(browser cloud.Secret, provider, state string) error {
		_, err := d.TakeProvider(t.Context(), browser, provider, state)
		return err
	}
	for what, err := range map[string]error{
		"their answer in my browser": take(mine.Browser, "open", theirs.State),
		"no browser":                 take(cloud.Secret{}, "open", theirs.State),
		"no state":                   take(mine.Browser, "open", ""),
		"another provider":           take(mine.Browser, "next", mine.State),
		"a sign-in by code":          take(coded.Browser, "", ""),
		"a sign-in by code, named":   take(coded.Browser, "open", ""),
	} {
		if cloud.CodeOf(err) != cloud.CodeForbidden {
			t.Errorf("%s: %v; want a refusal", what, err)
		}
	}
	if _, err := d.FinishCode(t.Context(), control.Finish{Browser: mine.Browser}, d.code(mine)); !control.IsWrongCode(err) {
		t.Errorf("a provider's sign-in is finished by a code: %v", err)
	}
	if err := take(mine.Browser, "open", mine.State); err != nil {
		t.Errorf("after all that, my own: %v", err)
	}
	if err := take(mine.Browser, "open", mine.State); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("a second time: %v", err)
	}
	d.now = d.now.Add(cloud.SignInTTL)
	if err := take(theirs.Browser, "open", theirs.State); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("too late: %v", err)
	}
	if _, err := d.FinishCode(t.Context(), control.Finish{Browser: coded.Browser}, d.code(coded)); !control.IsWrongCode(err) {
		t.Errorf("a code too late: %v", err)
	}
}

// TestLinkNeedsTheSameVisitor begins to add a way in, and finishes as somebody
// else, or as nobody.
func TestLinkNeedsTheSameVisitor(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	ada, err := d.byCode("ada@example.com", control.Beginning{}, cloud.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	eve, err := d.byCode("eve@example.com", control.Beginning{}, cloud.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	said := cloud.Assertion{Issuer: openIssuer, Subject: "666", Email: "eve@open.example", EmailVerified: true}
	link := control.Beginning{Link: true, Session: ada.Session}
	for what, session := range map[string]cloud.Secret{"eve": eve.Session, "nobody": {}} {
		if _, err := d.byProvider("open", said, link, session); cloud.CodeOf(err) != cloud.CodeUnauthenticated {
			t.Errorf("%s adds a way in to ada's account: %v", what, err)
		}
	}
	if _, err := d.BeginProvider(t.Context(), control.Beginning{Link: true}, "open"); cloud.CodeOf(err) != cloud.CodeUnauthenticated {
		t.Errorf("nobody begins to: %v", err)
	}
}

// TestSuspendedPeopleKeepTheirWaysIn suspends somebody, before and in the midst of
// adding a way in: they add none and take none away, and sign in to look.
func TestSuspendedPeopleKeepTheirWaysIn(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	ctx := t.Context()
	ada, err := d.byCode("ada@example.com", control.Beginning{}, cloud.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	link := control.Beginning{Link: true, Session: ada.Session}
	second := cloud.Assertion{Issuer: openIssuer, Subject: "1", Email: "ada@open.example", EmailVerified: true}
	if _, err := d.byProvider("open", second, link, ada.Session); err != nil {
		t.Fatal(err)
	}
	begun, err := d.BeginCode(ctx, link, "ada@elsewhere.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.store.Write(ctx, func(w cloud.Writer) error { return w.SuspendUser(ada.User.ID, d.now) }); err != nil {
		t.Fatal(err)
	}
	third := cloud.Assertion{Issuer: nextIssuer, Subject: "1", Email: "ada@next.example", EmailVerified: true}
	_, begins := d.BeginCode(ctx, link, "ada@elsewhere.example")
	_, links := d.byProvider("next", third, link, ada.Session)
	_, finishes := d.FinishCode(ctx, control.Finish{Browser: begun.Browser, Session: ada.Session}, d.code(begun))
	for what, err := range map[string]error{
		"begins to add a code": begins, "adds a provider": links, "finishes what was begun before": finishes,
		"takes a way in away": d.Unlink(ctx, ada.Session, openIssuer, "1", cloud.Origin{}),
	} {
		if cloud.CodeOf(err) != cloud.CodeForbidden || !strings.Contains(err.Error(), "suspended") {
			t.Errorf("who is suspended %s: %v", what, err)
		}
	}
	entered, err := d.byCode("ada@example.com", control.Beginning{}, cloud.Secret{})
	if err != nil {
		t.Fatalf("who is suspended may look: %v", err)
	}
	ways, err := d.Ways(ctx, control.Visitor{User: entered.User})
	if err != nil || len(ways) != 2 {
		t.Errorf("who is suspended has the ways in %+v, %v; want the two of before", ways, err)
	}
}

// TestSessionsEnd signs in and out in all ways that there are, and looks at the
// audit.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	ctx := t.Context()
	origin := cloud.Origin{RequestID: "r-1", Address: "192.0.2.7"}
	said := cloud.Assertion{Issuer: openIssuer, Subject: "1", Email: "ada@example.com", EmailVerified: true, Name: "Ada"}
	enter := func(former cloud.Secret) cloud.Secret {
		t.Helper()
		entered, err := d.byProvider("open", said, control.Beginning{}, former)
		if err != nil {
			t.Fatal(err)
		}
		return entered.Session
	}
	alive := func(what string, want bool, sessions ...cloud.Secret) {
		t.Helper()
		for i, s := range sessions {
			_, err := d.Visitor(ctx, s)
			if want && err != nil || !want && cloud.CodeOf(err) != cloud.CodeUnauthenticated {
				t.Errorf("%s: session %d: %v", what, i, err)
			}
		}
	}
	first := enter(cloud.Secret{})
	second := enter(first)
	alive("signed in anew in the same browser", false, first, cloud.Secret{}, cloud.NewSecret("guessed"))
	third := enter(cloud.Secret{})
	alive("in two browsers", true, second, third)
	if err := d.SignOut(ctx, second, origin); err != nil {
		t.Fatal(err)
	}
	if err := d.SignOut(ctx, second, origin); err != nil {
		t.Errorf("a second time: %v", err)
	}
	alive("signed out", false, second)
	alive("signed out elsewhere", true, third)

	v, err := d.Visitor(ctx, third)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.store.Write(ctx, func(w cloud.Writer) error {
		return w.CreateRefreshToken(cloud.RefreshToken{
			Hash: cloud.NewSecret("r").Hash(), Family: "019cae00-0000-7000-9000-00000000f000", UserID: v.User.ID, ClientID: "penstock-cli", Parameters: []byte("{}"),
			TokenID: "jti-1", TokenEnd: d.now.Add(time.Second - cloud.TokenLeeway), CreatedAt: d.now, ExpiresAt: d.now.Add(time.Hour),
		})
	}); err != nil {
		t.Fatal(err)
	}
	fourth := enter(cloud.Secret{})
	if err := d.SignOutEverywhere(ctx, third, origin); err != nil {
		t.Fatal(err)
	}
	alive("signed out everywhere", false, third, fourth)
	standing, err := d.store.Standing(ctx, v.User.ID)
	if err != nil || !slices.Contains(standing.RevokedTokens, "jti-1") {
		t.Errorf("after that %v are revoked, %v; want the program's token too, which some still believe", standing.RevokedTokens, err)
	}

	fifth := enter(cloud.Secret{})
	d.now = d.now.Add(cloud.SessionTTL)
	alive("after its time", false, fifth)

	var got []string
	for _, e := range audit(t, d.store) {
		got = append(got, e.Action)
		if e.Action == "session.delete" && (e.Origin != origin || e.Actor.ID != string(v.User.ID)) {
			t.Errorf("who signed out from where is not known: %+v", e)
		}
	}
	slices.Sort(got)
	want := []string{
		"identity.link", "session.create", "session.create", "session.create", "session.create", "session.create", "session.delete", "session.delete", "user.create",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the audit (-want +got):\n%s", diff)
	}
}

// letIn gives programs all that they can have of somebody: a code and a device that
// wait for their exchange, a token without and one with another to refresh it.
// It returns the ids of the two tokens.
func letIn(w cloud.Writer, user cloud.ID, now time.Time) (ids []string, err error) {
	a := cloud.Authorization{
		ID: uniqueID(), ClientID: "penstock-cli", Parameters: []byte("{}"), UserID: user, CodeHash: "waits", CreatedAt: now, ExpiresAt: now.Add(cloud.AuthorizationTTL),
	}
	exchanged := a
	exchanged.ID, exchanged.CodeHash, exchanged.Family = uniqueID(), "exchanged", uniqueID()
	refresh := cloud.RefreshToken{
		Hash: "refreshes", Family: uniqueID(), UserID: user, ClientID: "penstock-cli", Parameters: []byte("{}"), TokenID: string(uniqueID()),
		TokenEnd: now.Add(cloud.AccessTokenTTL), CreatedAt: now, ExpiresAt: now.Add(cloud.RefreshTokenTTL),
	}
	return []string{string(exchanged.Family), refresh.TokenID}, errors.Join(
		w.CreateAuthorization(a), w.CreateAuthorization(exchanged), w.CreateRefreshToken(refresh), w.CreateDeviceCode(cloud.DeviceCode{
			Hash: "device", UserCode: "BCDFGHJK", ClientID: "penstock-cli", State: cloud.DeviceApproved, UserID: user, CreatedAt: now, ExpiresAt: now.Add(cloud.DeviceCodeTTL),
		}))
}

// allOut checks that nothing is left of what letIn gave, and that its tokens stay
// revoked for as long as anybody would believe them.
func allOut(t *testing.T, s cloud.Store, user cloud.ID, ids []string, now time.Time) {
	t.Helper()
	if err := s.Read(t.Context(), func(r cloud.Reader) error {
		_, waits := r.AuthorizationByCode("waits", now)
		_, device := r.DeviceCode("device", now)
		_, refresh := r.RefreshToken("refreshes", now)
		for what, err := range map[string]error{"code": waits, "device": device, "refresh token": refresh} {
			if cloud.CodeOf(err) != cloud.CodeNotFound {
				t.Errorf("a %s is good still: %v", what, err)
			}
		}
		revoked, err := r.RevokedTokens(user)
		believed := map[string]time.Time{}
		for _, t := range revoked {
			believed[t.TokenID] = t.ExpiresAt
		}
		for _, id := range ids {
			if until := believed[id]; until.Before(now.Add(cloud.AccessTokenTTL + cloud.TokenLeeway)) {
				t.Errorf("a token is revoked until %v; it is believed after that", until)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestSigningOutEverywhereEndsWhatWasLetIn signs out while programs have a code, a
// device, and tokens.
func TestSigningOutEverywhereEndsWhatWasLetIn(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	ada, err := d.byCode("ada@example.com", control.Beginning{}, cloud.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	if err := d.store.Write(t.Context(), func(w cloud.Writer) (err error) {
		ids, err = letIn(w, ada.User.ID, d.now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.SignOutEverywhere(t.Context(), ada.Session, cloud.Origin{}); err != nil {
		t.Fatal(err)
	}
	allOut(t, d.store, ada.User.ID, ids, d.now)
}

// TestUnlinkingEndsWhatWasLetIn takes away a way in that somebody else may have
// used, and with it what programs were let into by whoever used it.
func TestUnlinkingEndsWhatWasLetIn(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	ada, err := d.byCode("ada@example.com", control.Beginning{}, cloud.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	said := cloud.Assertion{Issuer: openIssuer, Subject: "1", Email: "ada@example.com", EmailVerified: true}
	if _, err := d.byProvider("open", said, control.Beginning{Link: true, Session: ada.Session}, ada.Session); err != nil {
		t.Fatal(err)
	}
	var ids []string
	if err := d.store.Write(t.Context(), func(w cloud.Writer) (err error) {
		ids, err = letIn(w, ada.User.ID, d.now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Unlink(t.Context(), ada.Session, openIssuer, "1", cloud.Origin{}); err != nil {
		t.Fatal(err)
	}
	allOut(t, d.store, ada.User.ID, ids, d.now)
}

// TestUnlinkLeavesAWayIn takes ways in away, two at once too: one stays, and
// who came in by the other is out.
func TestUnlinkLeavesAWayIn(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			stores := replicas(t, open(t))
			d, other := newDoor(t, stores[0]), newDoor(t, stores[1])
			for round := range 5 {
				address := fmt.Sprintf("ada-%d@example.com", round)
				said := cloud.Assertion{Issuer: openIssuer, Subject: address, Email: address, EmailVerified: true}
				byCode, err := d.byCode(address, control.Beginning{}, cloud.Secret{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := d.byProvider("open", said, control.Beginning{Link: true, Session: byCode.Session}, byCode.Session); err != nil {
					t.Fatal(err)
				}
				byProvider, err := d.byProvider("open", said, control.Beginning{}, cloud.Secret{})
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Unlink(ctx, byProvider.Session, openIssuer, "somebody else's", cloud.Origin{}); cloud.CodeOf(err) != cloud.CodeNotFound {
					t.Errorf("a way that is not theirs: %v", err)
				}
				var errs [2]error
				var both sync.WaitGroup
				both.Go(func() { errs[0] = d.Unlink(ctx, byProvider.Session, cloud.MailIssuer, address, cloud.Origin{}) })
				both.Go(func() {
					errs[1] = other.Unlink(ctx, byCode.Session, openIssuer, address, cloud.Origin{})
				})
				both.Wait()
				v := control.Visitor{User: byCode.User}
				ways, err := d.Ways(ctx, v)
				if err != nil || len(ways) != 1 || (errs[0] == nil) == (errs[1] == nil) {
					t.Fatalf("%d ways are left, %v; taking them away: %v", len(ways), err, errs)
				}
				gone, stays := byCode.Session, byProvider.Session
				if errs[0] != nil {
					gone, stays = stays, gone
				}
				if _, err := d.Visitor(ctx, gone); cloud.CodeOf(err) != cloud.CodeUnauthenticated {
					t.Errorf("who came in by what is gone is in still: %v", err)
				}
				if _, err := d.Visitor(ctx, stays); err != nil {
					t.Errorf("who took it away is out: %v", err)
				}
				if err := d.Unlink(ctx, stays, ways[0].Issuer, ways[0].Subject, cloud.Origin{}); cloud.CodeOf(err) != cloud.CodeConflict {
					t.Errorf("the last way in: %v; want a conflict", err)
				}
			}
		})
	}
}

var uniqueIDs atomic.Int64

// uniqueID makes ids that no other process of a test makes.
func uniqueID() cloud.ID {
	return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", uniqueIDs.Add(1)))
}

// TestAccountFollowsItsProvider changes name and address at the provider: the
// account follows, as long as nobody else has the address, and says so in the
// audit. That it is suspended keeps nobody from looking.
func TestAccountFollowsItsProvider(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	enter := func(subject, email, name string) cloud.User {
		t.Helper()
		entered, err := d.byProvider("open", cloud.Assertion{Issuer: openIssuer, Subject: subject, Email: email, EmailVerified: true, Name: name}, control.Beginning{}, cloud.Secret{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := d.Visitor(t.Context(), entered.Session)
		if err != nil || v.User.Email != entered.User.Email || v.User.Name != entered.User.Name {
			t.Errorf("signed in as %+v, %v; told %+v", v.User, err, entered.User)
		}
		return v.User
	}
	ada := enter("1", "ada@example.com", "Ada Byron")
	enter("2", "bob@example.com", "\x00\x00")
	for _, step := range []struct{ email, name, wantEmail, wantName string }{
		{"ada@example.com", "", "ada@example.com", "Ada Byron"},
		{"lovelace@example.com", "Ada Lovelace", "lovelace@example.com", "Ada Lovelace"},
		{"Lovelace@Example.com", "Ada Lovelace", "Lovelace@Example.com", "Ada Lovelace"},
		{"bob@example.com", "Ada", "Lovelace@Example.com", "Ada"},
	} {
		got := enter("1", step.email, step.name)
		if got.ID != ada.ID || string(got.Email) != step.wantEmail || got.Name != step.wantName {
			t.Errorf("as %s, %q: %+v; want %s, %q", step.email, step.name, got, step.wantEmail, step.wantName)
		}
	}
	if bob := enter("2", "bob@example.com", ""); bob.Name != "bob" {
		t.Errorf("who has no name that can be shown is %q", bob.Name)
	}
	if err := d.store.Write(t.Context(), func(w cloud.Writer) error { return w.SuspendUser(ada.ID, d.now) }); err != nil {
		t.Fatal(err)
	}
	if got := enter("1", "lovelace@example.com", "Ada"); got.SuspendedAt.IsZero() {
		t.Error("the account is suspended, and nobody is told")
	}
	var updates []string
	for _, e := range audit(t, d.store) {
		if e.Action == "user.update" {
			updates = append(updates, e.Before+" "+e.After)
		}
	}
	if len(updates) != 3 {
		t.Errorf("the audit has %d changes of accounts; want 3: %q", len(updates), updates)
	}
}

// TestCodesToAnAddressAreFew asks two processes for codes to one address at once:
// it gets no more by that than one after another.
func TestCodesToAnAddressAreFew(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores := replicas(t, open(t))
			doors := [2]*door{newDoor(t, stores[0]), newDoor(t, stores[1])}
			var all sync.WaitGroup
			for i := range 24 {
				all.Go(func() {
					address := []string{"ada@example.com", "Ada@Example.com"}[i%2]
					if _, err := doors[i/2%2].BeginCode(t.Context(), control.Beginning{}, address); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if got := doors[0].mails(); len(got) != 5 {
				t.Errorf("an address is sent %d codes: %v", len(got), got)
			}
		})
	}
}
