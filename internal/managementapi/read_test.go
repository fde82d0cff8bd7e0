package managementapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest/resttest"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// reads are the paths of all operations that read, by operation, as the
// document has them.
func reads(t *testing.T) (all, lists map[string]string) {
	t.Helper()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	all, lists = map[string]string{}, map[string]string{}
	for _, route := range document.Routes {
		if route.Method != http.MethodGet {
			continue
		}
		id := route.Operation.OperationID
		all[id] = examples[id].path
		if route.Operation.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value.Type.Is("array") {
			lists[id] = examples[id].path
		}
	}
	return all, lists
}

// TestEveryAnswerIsCheap proves of every operation that reads that what a
// client has need not be sent again, and that what is sent can be sent small.
func TestEveryAnswerIsCheap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(crowd)
	ask := func(method, path string, headers ...string) reply {
		return w.call(admin, method, path, "", append(headers, "X-ORG-ID", acme)...)
	}
	all, _ := reads(t)
	for operation, path := range all {
		whole := ask(http.MethodGet, path).want(http.StatusOK)
		tag := whole.header.Get("ETag")
		for name, want := range map[string]string{
			"Cache-Control": "private, no-cache",
			"Vary":          "Authorization, X-ORG-ID, X-PROJECT-ID, Accept-Encoding",
			"Content-Type":  "application/json",
		} {
			if got := whole.header.Get(name); got != want {
				t.Errorf("%s: got %s: %s; want %s", operation, name, got, want)
			}
		}
		for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			again := ask(http.MethodGet, path, "If-None-Match", known).want(http.StatusNotModified)
			if again.header.Get("ETag") != tag || again.body != "" {
				t.Errorf("%s: 304 with the tag %s and the body %q; want %s", operation, again.header.Get("ETag"), again.body, tag)
			}
		}
		for _, other := range []string{`"other"`, strings.Trim(tag, `"`), strings.ToLower(tag), ""} {
			if r := ask(http.MethodGet, path, "If-None-Match", other).want(http.StatusOK); r.body != whole.body {
				t.Errorf("%s: another body for If-None-Match: %s", operation, other)
			}
		}
		zipped := ask(http.MethodGet, path, "Accept-Encoding", "gzip").want(http.StatusOK)
		text, err := resttest.Plain(zipped.header, []byte(zipped.body))
		if err != nil || string(text) != whole.body {
			t.Errorf("%s: compressed, it is %s, %v", operation, text, err)
		}
		if compressed := zipped.header.Get("Content-Encoding") == "gzip"; compressed != (len(whole.body) >= 1024) {
			t.Errorf("%s: of %d bytes, compressed: %v", operation, len(whole.body), compressed)
		}
		ask(http.MethodGet, path, "Accept-Encoding", "gzip", "If-None-Match", zipped.header.Get("ETag")).want(http.StatusNotModified)
		head := ask(http.MethodHead, path).want(http.StatusOK)
		if head.header.Get("ETag") != tag || head.body != "" {
			t.Errorf("%s: HEAD has the tag %s and the body %q", operation, head.header.Get("ETag"), head.body)
		}
	}
}

// TestReadsMayRunTwice proves that an answer is the same where the store runs
// what reads it again.
func TestReadsMayRunTwice(t *testing.T) {
	t.Parallel()
	once, twice := newWorld(t), newWorld(t, storetest.Twice)
	all, lists := reads(t)
	for operation, path := range lists {
		all[operation+", a page"] = path + "?limit=1"
	}
	for what, path := range all {
		if diff := cmp.Diff(once.get(admin, path).String(), twice.get(admin, path).want(http.StatusOK).String()); diff != "" {
			t.Errorf("%s (-once +twice):\n%s", what, diff)
		}
	}
}

// hollow is a store in which there is nothing to list.
type hollow struct{ cloud.Store }

func (s hollow) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	return s.Store.Read(ctx, func(r cloud.Reader) error { return fn(hollowReader{r}) })
}

type hollowReader struct{ cloud.Reader }

func (hollowReader) OrganizationsOf(cloud.ID, cloud.Page) ([]cloud.Organization, error) {
	return nil, nil
}
func (hollowReader) Members(cloud.ID, cloud.Page) ([]cloud.Member, error) { return nil, nil }
func (hollowReader) Invitations(cloud.ID, time.Time, cloud.Page) ([]cloud.Invitation, error) {
	return nil, nil
}

func (hollowReader) InvitationsTo([]cloud.Email, time.Time) ([]cloud.Invitation, error) {
	return nil, nil
}

func (hollowReader) Audit(cloud.ID, cloud.AuditFilter, cloud.Page) ([]cloud.AuditEntry, error) {
	return nil, nil
}
func (hollowReader) SSHKeys(cloud.ID, cloud.Page) ([]cloud.SSHKey, error) { return nil, nil }
func (hollowReader) Regions(cloud.Page) ([]cloud.Region, error)           { return nil, nil }
func (hollowReader) Instances(_, _ cloud.ID, _ cloud.Page) ([]cloud.Instance, error) {
	return nil, nil
}

func (hollowReader) Clusters(_, _ cloud.ID, _ cloud.Page) ([]cloud.Cluster, error) { return nil, nil }

func TestEmptyListsAreLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s cloud.Store) cloud.Store { return hollow{s} })
	_, lists := reads(t)
	for operation, path := range lists {
		for _, query := range []string{"", "?limit=1"} {
			if r := w.get(admin, path+query).want(http.StatusOK); r.body != "[]\n" || r.header.Get("Link") != "" {
				t.Errorf("%s%s: got %q and the link %q", operation, query, r.body, r.header.Get("Link"))
			}
		}
	}
}

// crowd makes every list of an admin of acme longer.
func crowd(tx cloud.Writer) error {
	for i := range 8 {
		id := func(kind int) cloud.ID { return cloud.ID(fmt.Sprintf("019cae00-0000-7000-b%03x-%012x", kind, (i*5)%8)) }
		name := fmt.Sprintf("extra-%d", (i*3)%8)
		organization := cloud.Organization{ID: id(1), Name: name, DisplayName: name, CreatedAt: start}
		user := cloud.User{ID: id(2), Email: emailOf(name), Name: name, Kind: cloud.Person, CreatedAt: start}
		for _, err := range []error{
			tx.CreateOrganization(organization),
			tx.AddMember(cloud.Member{OrganizationID: organization.ID, User: cloud.User{ID: userIDs[admin]}, Role: cloud.RoleViewer, JoinedAt: start}),
			tx.CreateUser(user),
			tx.AddMember(cloud.Member{OrganizationID: acme, User: user, Role: cloud.RoleViewer, JoinedAt: start}),
			tx.CreateInvitation(cloud.Invitation{ID: id(3), OrganizationID: acme, Email: emailOf("new-" + name), Role: cloud.RoleViewer, CreatedAt: start, ExpiresAt: start.Add(time.Hour)}),
			tx.CreateInvitation(cloud.Invitation{ID: id(4), OrganizationID: organization.ID, Email: emailOf(admin), Role: cloud.RoleViewer, CreatedAt: start, ExpiresAt: start.Add(time.Hour)}),
			tx.AppendAudit(cloud.AuditEntry{
				ID: id(5), At: start, OrganizationID: acme, Actor: cloud.Actor{Kind: cloud.ActorUser, ID: string(userIDs[admin])}, Action: "member.create", Target: name,
			}),
			tx.CreateSSHKey(cloud.SSHKey{UserID: userIDs[admin], Name: name, Line: publicKey(name), Fingerprint: fingerprint(name), CreatedAt: start}),
			tx.CreateRegion(cloud.Region{Name: name, URL: "https://" + name + ".example.com", CreatedAt: start}),
		} {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// TestPages walks every list in pages of every size, and finds in them what
// the whole list has, each item once and in the list's order.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(crowd)
	_, lists := reads(t)
	for operation, path := range lists {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			whole := list[json.RawMessage](w.get(admin, path, "X-ORG-ID", acme).want(http.StatusOK))
			ordered := slices.Clone(whole)
			slices.SortFunc(ordered, byKey)
			if operation == "ListAudit" { // the newest first
				slices.Reverse(ordered)
			}
			if len(whole) < 4 || !slices.EqualFunc(whole, ordered, func(a, b json.RawMessage) bool { return keyOf(a) == keyOf(b) }) {
				t.Fatalf("%d items, or not in order: %s", len(whole), whole)
			}
			for limit := 1; limit <= len(whole)+1; limit++ {
				var walked []json.RawMessage
				pages := 0
				for next := fmt.Sprintf("%s?limit=%d", path, limit); next != ""; pages++ {
					r := w.get(admin, next, "X-ORG-ID", acme).want(http.StatusOK)
					items := list[json.RawMessage](r)
					if len(items) > limit || len(items) == 0 {
						t.Fatalf("%s: got %d items; want 1 to %d", next, len(items), limit)
					}
					walked, next = append(walked, items...), nextOf(t, r)
				}
				if want := (len(whole) + limit - 1) / limit; pages != want {
					t.Errorf("by %d: %d pages; want %d", limit, pages, want)
				}
				if diff := cmp.Diff(texts(whole), texts(walked)); diff != "" {
					t.Errorf("by %d (-whole +pages):\n%s", limit, diff)
				}
			}
			// Without limit, a cursor begins the rest of the list.
			first := w.get(admin, path+"?limit=3", "X-ORG-ID", acme).want(http.StatusOK)
			rest, _, _ := strings.Cut(nextOf(t, first), "&limit")
			if diff := cmp.Diff(texts(whole[3:]), texts(list[json.RawMessage](w.get(admin, rest, "X-ORG-ID", acme)))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", rest, diff)
			}
		})
	}
}

// byKey orders items as their list is ordered.
func byKey(a, b json.RawMessage) int { return strings.Compare(keyOf(a), keyOf(b)) }

func keyOf(item json.RawMessage) string {
	var key struct{ ID, Name string }
	if err := json.Unmarshal(item, &key); err != nil {
		return err.Error()
	}
	return or(key.ID, key.Name)
}

func texts(items []json.RawMessage) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = string(item)
	}
	return out
}

// nextOf is the path of the next page, below the API's base; "" at the end.
func nextOf(t *testing.T, r reply) string {
	t.Helper()
	link := r.header.Get("Link")
	if link == "" {
		return ""
	}
	path, found := strings.CutPrefix(link, "<"+base)
	path, ended := strings.CutSuffix(path, `>; rel="next"`)
	if !found || !ended {
		t.Fatalf("the link is %s", link)
	}
	return path
}

// TestPagesWhileTheListChanges proves that what was there all the time is seen
// once, whatever comes and goes between two pages.
func TestPagesWhileTheListChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(crowd)
	name := func(item json.RawMessage) string { return keyOf(item) }
	page := w.get(admin, "/user/keys?limit=4").want(http.StatusOK)
	seen := list[json.RawMessage](page)
	last := name(seen[3])
	w.call(admin, "DELETE", "/user/keys/"+last, "").want(http.StatusNoContent)
	w.call(admin, "POST", "/user/keys", newKey("a-first", publicKey("a"))).want(http.StatusOK)
	w.call(admin, "POST", "/user/keys", newKey("z-last", publicKey("z"))).want(http.StatusOK)
	var rest []string
	for _, item := range list[json.RawMessage](w.get(admin, strings.Replace(nextOf(t, page), "limit=4", "limit=100", 1)).want(http.StatusOK)) {
		rest = append(rest, name(item))
	}
	if diff := cmp.Diff([]string{"extra-4", "extra-5", "extra-6", "extra-7", "laptop", "z-last"}, rest); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWrongPages proves of every list that it says what is wrong with a page.
func TestWrongPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, lists := reads(t)
	for _, path := range lists {
		w.get(admin, path).want(http.StatusOK) // so that those that are kept are
		for _, limit := range []string{"0", "-1", "1001", "99999999999999999999", "1.5", "1e9", "0x10", "ten", "%00", "%20", "", "1&limit=x&limit=0"} {
			w.get(admin, path+"?limit="+limit).want(http.StatusBadRequest).says("limit")
		}
		for _, cursor := range []string{"", "!", "=", "AA==", "A", "a+b/", "%ff", strings.Repeat("A", 513), cursorOf("\x00"), cursorOf("\xff"), cursorOf("a b")} {
			w.get(admin, path+"?cursor="+cursor).want(http.StatusBadRequest).says("cursor")
		}
	}
	for _, foreign := range []string{"laptop", "019cae00", strings.ToUpper(trainer), trainer + " "} {
		w.get(admin, "/instances?cursor="+cursorOf(foreign)).want(http.StatusBadRequest).says("cursor")
	}
}

// cursorOf is what stands in a link to the page after a key.
func cursorOf(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// TestProjects proves that a project filters, whether the list is kept or not,
// and that neither it nor an organization is guessed.
func TestProjects(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/instances", "/clusters", "/instances?limit=100", "/clusters?limit=100"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for range 2 {
				all := list[struct {
					ProjectID string `json:"project_id"`
				}](w.get(viewer, path).want(http.StatusOK))
				total := 0
				for _, project := range []string{training, serving} {
					some := list[struct {
						ProjectID string `json:"project_id"`
					}](w.get(viewer, path, "X-PROJECT-ID", project).want(http.StatusOK))
					for _, item := range some {
						if item.ProjectID != project {
							t.Errorf("project %s: got something of %s", project, item.ProjectID)
						}
					}
					total += len(some)
				}
				if total != len(all) || total == 0 {
					t.Errorf("the projects have %d, the organization has %d", total, len(all))
				}
				upper := w.get(viewer, path, "X-PROJECT-ID", strings.ToUpper(training)).want(http.StatusOK)
				if upper.body != w.get(viewer, path, "X-PROJECT-ID", training).body {
					t.Error("an id in capital letters is another one")
				}
				for _, none := range []string{nobody, rendering} { // the second is another organization's
					if r := w.get(viewer, path, "X-PROJECT-ID", none).want(http.StatusOK); r.body != "[]\n" {
						t.Errorf("project %s: got %s; want []", none, r.body)
					}
				}
				for _, malformed := range []string{"training", training + "0", training[1:], "{" + training + "}", "urn:uuid:" + training, strings.ReplaceAll(training, "-", ""), " "} {
					w.get(viewer, path, "X-PROJECT-ID", malformed).want(http.StatusBadRequest).says("X-PROJECT-ID")
					w.get(viewer, path, "X-ORG-ID", malformed).want(http.StatusBadRequest).says("X-ORG-ID")
				}
			}
		})
	}
}
