package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// TestStore runs the suite of cloud.Store. create makes an empty database, and
// what it returns opens that database, again each time it is called.
func TestStore(t *testing.T, create func(t *testing.T) (open func() cloud.Store)) {
	for name, test := range map[string]func(*testing.T, func() cloud.Store){
		"Access":                    testAccess,
		"Aside":                     testAside,
		"AsideReasonsGone":          testAsideReasonsGone,
		"Audit":                     testAudit,
		"AuditFilter":               testAuditFilter,
		"AuditReported":             testAuditReported,
		"AuditEnds":                 testAuditEnds,
		"Authorizations":            testAuthorizations,
		"AuthorizationsInParallel":  testAuthorizationsInParallel,
		"Backup":                    testBackup,
		"Closed":                    testClosed,
		"DeleteExpired":             testDeleteExpired,
		"DeviceCodes":               testDeviceCodes,
		"Durability":                testDurability,
		"Expired":                   testExpired,
		"ForeignObjects":            testForeignObjects,
		"GrantChanges":              testGrantChanges,
		"GrantChangesForgotten":     testGrantChangesForgotten,
		"Identities":                testIdentities,
		"IdentitiesInParallel":      testIdentitiesInParallel,
		"Invitations":               testInvitations,
		"InvitationsRenewed":        testInvitationsRenewed,
		"InvitationsTaken":          testInvitationsTaken,
		"InvitationsInParallel":     testInvitationsInParallel,
		"InvitationMail":            testInvitationMail,
		"InvitationsExpire":         testInvitationsExpire,
		"Jobs":                      testJobs,
		"JobsFail":                  testJobsFail,
		"LastAdmin":                 testLastAdmin,
		"Links":                     testLinks,
		"LinksOutOfRange":           testLinksOutOfRange,
		"Mails":                     testMails,
		"MailsCounted":              testMailsCounted,
		"MailsInParallel":           testMailsInParallel,
		"Members":                   testMembers,
		"Missing":                   testMissing,
		"Objects":                   testObjects,
		"ObjectsAreKeptAsReported":  testObjectsAreKeptAsReported,
		"ObjectsHeld":               testObjectsHeld,
		"Organizations":             testOrganizations,
		"OrderOfBytes":              testOrderOfBytes,
		"Outcomes":                  testOutcomes,
		"Plane":                     testPlane,
		"Outages":                   testOutages,
		"Issuers":                   testIssuers,
		"PersonalTokens":            testPersonalTokens,
		"RefreshTokens":             testRefreshTokens,
		"RefreshTokensInParallel":   testRefreshTokensInParallel,
		"Regions":                   testRegions,
		"RegionCredentials":         testRegionCredentials,
		"RevokedTokens":             testRevokedTokens,
		"ServiceAccounts":           testServiceAccounts,
		"ServiceAccountsEnd":        testServiceAccountsEnd,
		"ServiceAccountsInParallel": testServiceAccountsInParallel,
		"ServiceSecrets":            testServiceSecrets,
		"Sessions":                  testSessions,
		"SigningKeys":               testSigningKeys,
		"SignIns":                   testSignIns,
		"SignInsInParallel":         testSignInsInParallel,
		"Snapshots":                 testSnapshots,
		"SSHKeys":                   testSSHKeys,
		"SSHKeysInParallel":         testSSHKeysInParallel,
		"Standing":                  testStanding,
		"Suspension":                testSuspension,
		"Times":                     testTimes,
		"TransactionCanceled":       testTransactionCanceled,
		"TransactionConsistent":     testTransactionConsistent,
		"TransactionTooLate":        testTransactionTooLate,
		"TransactionFails":          testTransactionFails,
		"TransactionPanics":         testTransactionPanics,
		"TransactionGoesOn":         testTransactionGoesOn,
		"TransactionsMeet":          testTransactionsMeet,
		"UserLock":                  testUserLock,
		"Users":                     testUsers,
		"UserUpdate":                testUserUpdate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := create(t)
			test(t, func() cloud.Store {
				s := open()
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
				return s
			})
		})
	}
}

// now is the present of all stories, in the grain of stored times.
var now = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// id makes the nth UUID.
func id(n int) cloud.ID { return cloud.ID(fmt.Sprintf("0195c000-0000-7000-8000-%012d", n)) }

// The cast.
var (
	acme  = cloud.Organization{ID: id(101), Name: "acme", DisplayName: "Acme Ltd.", CreatedAt: now}
	beta  = cloud.Organization{ID: id(102), Name: "beta", DisplayName: "Beta", CreatedAt: now.Add(-time.Hour)}
	ada   = cloud.User{ID: id(201), Email: "Ada@example.com", Name: "Ada", Kind: cloud.Person, CreatedAt: now}
	ben   = cloud.User{ID: id(202), Email: "ben@example.com", Name: "Ben", Kind: cloud.Person, CreatedAt: now}
	cleo  = cloud.User{ID: id(203), Email: "cleo@example.com", Name: "Cleo", Kind: cloud.Person, CreatedAt: now}
	west  = cloud.Region{Name: "west-1", URL: "https://west-1.example.com", CreatedAt: now}
	east  = cloud.Region{Name: "east-1", URL: "https://east-1.example.com", CreatedAt: now.Add(time.Hour)}
	alpha = id(301) // a project
	gamma = id(302) // another
)

// setTheStage makes the cast; nobody belongs anywhere yet.
func setTheStage(t *testing.T, s cloud.Store) {
	t.Helper()
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.CreateOrganization(acme), w.CreateOrganization(beta),
			w.CreateUser(ada), w.CreateUser(ben), w.CreateUser(cleo),
			w.CreateRegion(west), w.CreateRegion(east),
		)
	})
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// write runs fn in a transaction that must succeed.
func write(t *testing.T, s cloud.Store, fn func(cloud.Writer) error) {
	t.Helper()
	if err := s.Write(t.Context(), fn); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

// refused runs fn in a transaction, which must fail with the code and a
// message that has the words.
func refused(t *testing.T, s cloud.Store, code cloud.Code, words string, fn func(cloud.Writer) error) {
	t.Helper()
	wantCode(t, s.Write(t.Context(), fn), code, words)
}

func wantCode(t *testing.T, err error, code cloud.Code, words string) {
	t.Helper()
	if cloud.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), words) {
		t.Errorf("got the error %v of code %q; want one of code %q that says %q", err, cloud.CodeOf(err), code, words)
	}
}

// read returns what fn reads, which must succeed.
func read[T any](t *testing.T, s cloud.Store, fn func(cloud.Reader) (T, error)) T {
	t.Helper()
	var got T
	if err := s.Read(t.Context(), func(r cloud.Reader) (err error) {
		got, err = fn(r)
		return err
	}); err != nil {
		t.Fatalf("Read: %v", err)
	}
	return got
}

// missing checks that fn reads nothing.
func missing[T any](t *testing.T, s cloud.Store, what string, fn func(cloud.Reader) (T, error)) {
	t.Helper()
	err := s.Read(t.Context(), func(r cloud.Reader) error {
		_, err := fn(r)
		return err
	})
	if cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("%s: got the error %v; want %s", what, err, cloud.CodeNotFound)
	}
}

// equal compares, secrets by what they hide.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	secrets := gocmp.Comparer(func(a, b cloud.Secret) bool { return a.Reveal() == b.Reveal() })
	if diff := gocmp.Diff(want, got, secrets); diff != "" {
		t.Errorf("%s is not what it should be (-want +got):\n%s", what, diff)
	}
}

// paged checks that a list is want, whole and in pages of each size.
func paged[T any](t *testing.T, what string, want []T, key func(T) string, list func(cloud.Page) ([]T, error)) {
	t.Helper()
	if !slices.IsSortedFunc(want, func(a, b T) int { return cmp.Compare(key(a), key(b)) }) {
		t.Fatalf("the test expects %s in no order", what)
	}
	for limit := range len(want) + 2 {
		got := []T{}
		page := cloud.Page{Limit: limit}
		for {
			part, err := list(page)
			if err != nil {
				t.Fatalf("%s, at most %d after %q: %v", what, limit, page.After, err)
			}
			if limit > 0 && len(part) > limit {
				t.Fatalf("%s: got a page of %d; want at most %d", what, len(part), limit)
			}
			got = append(got, part...)
			if limit == 0 || len(part) == 0 {
				break
			}
			page.After = key(part[len(part)-1])
		}
		equal(t, fmt.Sprintf("%s in pages of %d", what, limit), got, append([]T{}, want...))
	}
}

// pagedIn is paged for a list of a Reader.
func pagedIn[T any](t *testing.T, s cloud.Store, what string, want []T, key func(T) string, list func(cloud.Reader, cloud.Page) ([]T, error)) {
	t.Helper()
	if err := s.Read(context.WithoutCancel(t.Context()), func(r cloud.Reader) error {
		paged(t, what, want, key, func(p cloud.Page) ([]T, error) { return list(r, p) })
		return nil
	}); err != nil {
		t.Fatalf("Read: %v", err)
	}
}
