package stories

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/test/soak"
)

// TestSoakCrash kills everything, again and again, at any moment, while clients
// register keys and invite people. What was acknowledged is there afterwards;
// what was not answered is asked again under its Idempotency-Key, and has been
// done once in the end.
func TestSoakCrash(t *testing.T) {
	t.Parallel()
	in := install(t)
	up := in.start(t)
	l := &load{api: in.api, token: in.token(t)}
	kills := 0
	for _, random := range soak.Rounds(t, 5) {
		ended := l.begin(t, 1+random.IntN(120))
		moment(random, 10*time.Millisecond) // somewhere in the next writes
		up.kill()
		ended()
		kills++
		if random.IntN(3) == 0 { // and once more, in the midst of recovery
			up = in.launch(t)
			moment(random, 200*time.Millisecond)
			up.kill()
			kills++
		}
		up = in.start(t)
		if token := in.token(t); token != l.token {
			t.Error("the admin's token was replaced by a restart")
		}
		l.repeat(t)
		l.verify(t, in.database("plane.db"))
		for _, name := range []string{"plane.db", "region.db"} {
			intact(t, in.database(name))
		}
		consistent(t, in.database("plane.db"))
	}
	t.Logf("killed %d times, with %d writes acknowledged", kills, len(l.done))
}

// moment is one at random: the one time that a test waits for.
func moment(random *rand.Rand, within time.Duration) {
	<-time.After(time.Duration(random.Int64N(int64(within))))
}

// intact proves that SQLite finds nothing wrong with a database, while it is in
// use.
func intact(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var says string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&says); err != nil || says != "ok" {
		t.Errorf("%s: the integrity check says %q, %v", file, says, err)
	}
}

// TestBackupUnderLoad makes a copy while clients write and a lively region
// reports, and restores it elsewhere: it has all that was acknowledged before,
// of the rest each change with its entry in the audit, and of the region's what
// its link says.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	in := install(t, "--fleet", "1000")
	up := in.start(t)
	l := &load{api: in.api, token: in.token(t)}
	fleet := question{method: http.MethodGet, url: in.api + "/instances", header: http.Header{}, status: http.StatusOK, count: 1000}
	fleet.authorize(l.token)
	if err := wait(func() error { _, err := fleet.ask(); return err }); err != nil {
		t.Fatal(err)
	}
	ended := l.begin(t, 100)
	before := l.acknowledged()
	in.admin(t, "--data-dir", "data", "backup", "copy.db")
	up.kill()
	ended()

	in.admin(t, "--data-dir", "restored", "restore", "copy.db")
	restored := filepath.Join(in.dir, "restored", "plane.db")
	consistent(t, restored)
	plane, err := serve(in.dir, "restored", in.env, []string{"serve", "plane", "--data-dir", "restored", "--listen", in.listen, "--ops-listen", ""})
	if err != nil {
		t.Fatal(err)
	}
	defer plane.kill()
	keys, emails := l.list(t)
	for _, w := range before {
		if !slices.Contains(keys, w.subject) && !slices.Contains(emails, w.subject) {
			t.Errorf("%s was acknowledged before the backup, and is not in it", w.subject)
		}
	}
	audited(t, restored, keys, emails)
	intact(t, restored)
}

// consistent proves that the plane's copy of the region is one that the region
// had: that its digest is the one which the link says it has.
func consistent(t *testing.T, database string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+database+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var count int64
	var sum, snapshot string
	if err := tx.QueryRow("SELECT digest_count, digest_sum, snapshot_id FROM links").Scan(&count, &sum, &snapshot); err != nil {
		t.Fatal(err)
	}
	if snapshot != "" {
		return // whose digest is compared when it is complete
	}
	rows, err := tx.Query("SELECT kind, id, rev, body FROM objects")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got cloud.Digest
	for rows.Next() {
		var o cloud.Object
		if err := rows.Scan(&o.Kind, &o.ID, &o.Rev, &o.Body); err != nil {
			t.Fatal(err)
		}
		got.Add(o)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if got.Count != count || got.Hex() != sum {
		t.Errorf("the copy has %d objects of digest %s; its link says %d of %s", got.Count, got.Hex(), count, sum)
	}
}

// unlimited sets limits that count the tests' requests, which come as fast as they
// can, and what these make, and stop none.
func unlimited(t *testing.T, dir string) []string {
	t.Helper()
	file := filepath.Join(dir, "bounds.yaml")
	text := []byte("bounds: {ssh_keys: 1000000, invitations: 1000000}\n")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"PENSTOCK_RATE_LIMIT=1000000", "PENSTOCK_IDENTITY=" + file}
}

// installation is a `penstock up` in a folder, always at the same addresses.
type installation struct {
	dir, listen, api string
	env, args        []string
}

func install(t *testing.T, args ...string) installation {
	t.Helper()
	in := installation{dir: t.TempDir()}
	in.env = append(unlimited(t, in.dir), "HOME="+in.dir)
	listen := make([]string, 2)
	for i := range listen {
		port, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		listen[i] = fmt.Sprint("127.0.0.1:", port)
	}
	in.listen, in.api = listen[0], "http://"+listen[0]+"/api/v1alpha1"
	in.args = []string{"up", "--data-dir", "data", "--listen", listen[0], "--region-listen", listen[1], "--ops-listen", ""}
	in.args = append(in.args, args...)
	return in
}

// admin runs a command of the operator's to its end, in the folder, and returns
// what it printed.
func (in installation) admin(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(), append([]string{"admin"}, args...)...)
	cmd.Dir, cmd.Env = in.dir, in.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("admin %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func (in installation) database(name string) string { return filepath.Join(in.dir, "data", name) }

// launch does not wait until it serves. The process does not outlive the test.
func (in installation) launch(t *testing.T) *process {
	t.Helper()
	p, err := launch(in.dir, "up", in.env, in.args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// start returns when the API is served. The process does not outlive the test.
func (in installation) start(t *testing.T) *process {
	t.Helper()
	p, err := serve(in.dir, "up", in.env, in.args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (in installation) token(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(in.dir, "data", "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// write is a change that a client asks for, under an Idempotency-Key of the
// same name as what it is about: a key's name, or somebody's address.
type write struct{ path, subject, body string }

// load is clients that write all the time.
type load struct {
	api, token string

	mu         sync.Mutex
	made       int
	done       []write // acknowledged
	unanswered []write
}

// writers are as many as make the database's one writer have a queue.
const writers = 6

// begin lets clients write until they get no more answers. It returns when so
// many writes were acknowledged; ended waits for the clients to end.
func (l *load) begin(t *testing.T, writes int) (ended func()) {
	t.Helper()
	enough := make(chan struct{})
	target := len(l.acknowledged()) + writes
	var clients sync.WaitGroup
	for range writers {
		clients.Go(func() {
			for {
				w := l.next(t)
				err := l.ask(w)
				l.mu.Lock()
				if err != nil {
					l.unanswered = append(l.unanswered, w)
					l.mu.Unlock()
					if refused := (refusedError{}); errors.As(err, &refused) {
						t.Error(refused)
					}
					return
				}
				l.done = append(l.done, w)
				if len(l.done) == target {
					close(enough)
				}
				l.mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(patience):
		t.Fatalf("only %d writes were acknowledged", len(l.acknowledged()))
	}
	return clients.Wait
}

// next makes up a write.
func (l *load) next(t *testing.T) write {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	return makeWrite(t, l.made)
}

// makeWrite makes up the write of a number.
func makeWrite(t *testing.T, n int) write {
	if n%2 == 0 {
		email := fmt.Sprintf("guest-%d@example.com", n)
		return write{"/invitations", email, fmt.Sprintf(`{"email":%q}`, email)}
	}
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Error(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Error(err)
	}
	name, line := fmt.Sprint("key-", n), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return write{"/user/keys", name, fmt.Sprintf(`{"name":%q,"key":%q}`, name, line)}
}

// refusedError is an answer that should have been another one.
type refusedError struct{ error }

// ask returns nil if the write was acknowledged, and a refusedError for any
// other answer.
func (l *load) ask(w write) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, l.api+w.path, strings.NewReader(w.body))
	if err != nil {
		return refusedError{err}
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", w.subject)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var said bytes.Buffer
	if _, err := said.ReadFrom(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return refusedError{fmt.Errorf("%s: got %s: %s", w.subject, resp.Status, said.String())}
	}
	return nil
}

// repeat asks again for what was not answered.
func (l *load) repeat(t *testing.T) {
	t.Helper()
	for _, w := range l.unanswered {
		if err := l.ask(w); err != nil {
			t.Error(err)
		}
	}
	l.done, l.unanswered = append(l.done, l.unanswered...), nil
}

func (l *load) acknowledged() []write {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.done)
}

// verify compares what was acknowledged with what is there.
func (l *load) verify(t *testing.T, database string) {
	t.Helper()
	var wantKeys, wantEmails []string
	for _, w := range l.done {
		if strings.Contains(w.subject, "@") {
			wantEmails = append(wantEmails, w.subject)
		} else {
			wantKeys = append(wantKeys, w.subject)
		}
	}
	keys, emails := l.list(t)
	slices.Sort(wantKeys)
	slices.Sort(wantEmails)
	if diff := gocmp.Diff(wantKeys, keys); diff != "" {
		t.Errorf("keys acknowledged, and there:\n%s", diff)
	}
	if diff := gocmp.Diff(wantEmails, emails); diff != "" {
		t.Errorf("invitations acknowledged, and there:\n%s", diff)
	}
	audited(t, database, keys, emails)
}

// list returns the names of the keys and the addresses of the invitations that
// the API has, sorted.
func (l *load) list(t *testing.T) (keys, emails []string) {
	t.Helper()
	for _, path := range []string{"/user/keys", "/invitations"} {
		q := question{method: http.MethodGet, url: l.api + path, header: http.Header{}, status: http.StatusOK, count: -1}
		q.authorize(l.token)
		got, err := q.ask()
		if err != nil {
			t.Fatal(err)
		}
		subjects, err := subjectsIn(got.body)
		if err != nil {
			t.Fatal(err)
		}
		if path == "/invitations" {
			emails = subjects
		} else {
			keys = subjects
		}
	}
	return keys, emails
}

// subjectsIn is what the writes were about that made a list, sorted.
func subjectsIn(body []byte) (subjects []string, err error) {
	var list []struct{ Name, Email string }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	for _, item := range list {
		subjects = append(subjects, cmp.Or(item.Email, item.Name))
	}
	slices.Sort(subjects)
	return subjects, nil
}

// audited is auditedIn, of a file.
func audited(t *testing.T, database string, keys, emails []string) {
	t.Helper()
	store, err := sqlite.OpenPlane(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	auditedIn(t, store, keys, emails)
}

// auditedIn proves that each of these, and nothing else, is in the audit once.
func auditedIn(t *testing.T, store cloud.Store, keys, emails []string) {
	t.Helper()
	var inAudit struct{ keys, emails []string }
	err := store.Read(t.Context(), func(tx cloud.Reader) error {
		organization, err := tx.FirstOrganization()
		if err != nil {
			return err
		}
		for _, of := range []cloud.ID{"", organization.ID} {
			entries, err := tx.Audit(of, cloud.AuditFilter{}, cloud.Page{})
			if err != nil {
				return err
			}
			for _, e := range entries {
				switch e.Action {
				case "key.register":
					inAudit.keys = append(inAudit.keys, e.Target)
				case "invitation.create":
					var after struct{ Email string }
					if err := json.Unmarshal([]byte(e.After), &after); err != nil {
						return err
					}
					inAudit.emails = append(inAudit.emails, after.Email)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(inAudit.keys)
	slices.Sort(inAudit.emails)
	if diff := gocmp.Diff(keys, inAudit.keys); diff != "" {
		t.Errorf("keys that are there, and in the audit:\n%s", diff)
	}
	if diff := gocmp.Diff(emails, inAudit.emails); diff != "" {
		t.Errorf("invitations that are there, and in the audit:\n%s", diff)
	}
}
