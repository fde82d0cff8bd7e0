package stories

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite" // reads what the program wrote
)

// needsRoot skips a story that only root's tests can tell.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("skipped: it mounts, or changes what only root may, and this is not root")
	}
}

// mount mounts something at a folder until the test ends. A container may not
// let even root do that.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	needsRoot(t)
	if err := os.MkdirAll(target, 0o755); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount(source, target, kind, flags, data)
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("skipped: root may not mount here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// plane is a `penstock serve plane` in its folder, with one member.
type plane struct {
	*process
	load
}

func startPlane(t *testing.T, in installation) *plane {
	t.Helper()
	p := &plane{load: load{api: in.api}}
	p.serve(t, in)
	in.admin(t, "--data-dir", "data", "org", "create", "acme")
	p.token = strings.TrimSpace(in.admin(t, "--data-dir", "data", "token", "create", "--email", "ada@example.com", "--role", "admin"))
	return p
}

func (p *plane) serve(t *testing.T, in installation) {
	t.Helper()
	var err error
	if p.process, err = serve(in.dir, "plane", in.env, in.planeArgs()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
}

func (in installation) planeArgs() []string {
	return []string{"serve", "plane", "--data-dir", "data", "--listen", in.listen, "--ops-listen", ""}
}

// get asks, and wants the status.
func (p *plane) get(t *testing.T, path string, status int) answer {
	t.Helper()
	q := question{method: http.MethodGet, url: strings.TrimSuffix(p.api, "/api/v1alpha1") + path, header: http.Header{}, status: status, count: -1}
	q.authorize(p.token)
	got, err := q.ask()
	if err != nil {
		t.Error(err)
	}
	return got
}

// says waits until the log has a line like this.
func (p *plane) says(t *testing.T, pattern string) {
	t.Helper()
	if err := wait(func() error {
		if !regexp.MustCompile(pattern).Match(p.log()) {
			return fmt.Errorf("the plane does not log %s, but\n%s", pattern, p.log())
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// write asks until a write has another status than this, at most so often.
func (p *plane) write(t *testing.T, most int) (refusal error) {
	t.Helper()
	for range most {
		w := p.next(t)
		if err := p.ask(w); err != nil {
			p.unanswered = append(p.unanswered, w)
			return err
		}
		p.done = append(p.done, w)
	}
	return nil
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "got 503 ") {
		t.Errorf("%s: got %v; want a 503", what, err)
	}
}

// TestFullDisk fills the disk of a plane: reads go on, writes are refused, and
// when there is room again, everything is as if nothing had been.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	in := install(t)
	data := filepath.Join(in.dir, "data")
	mount(t, "tmpfs", data, "tmpfs", 0, "size=8m,mode=700")
	p := startPlane(t, in)
	if err := p.write(t, 10); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)
	wantUnavailable(t, "a write to a full disk", p.write(t, 2000)) // what SQLite has room for already is written
	p.says(t, `"request refused while a dependency is away".*database `+in.database("plane.db")+`: .*; make room on its disk, and writing goes on by itself"`)
	p.get(t, "/api/v1alpha1/user", http.StatusOK)
	p.get(t, "/api/v1alpha1/invitations", http.StatusOK)
	p.get(t, "/readyz", http.StatusOK)

	p.says(t, `"could not note that the plane runs; trying again","error":"the plane database .*make room`)
	refusedAs(t, in, nil, `; make room on its disk, and writing goes on by itself$`, "admin", "--data-dir", "data", "org", "create", "globex")

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.repeat(t)
	p.verify(t, in.database("plane.db"))
	intact(t, in.database("plane.db"))
}

// fill leaves no room on the disk that a file is on.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 16, 1 << 12} {
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, zeros{}, make([]byte, size))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("the disk does not fill: %v", err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestReadOnlyFolder starts a plane in a folder that nobody can write to, and
// in one that the user of the process may not: it stops with one line.
func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	in := install(t)
	p := startPlane(t, in)
	p.kill()
	data := filepath.Join(in.dir, "data")
	t.Run("read-only file system", func(t *testing.T) {
		target := filepath.Join(in.dir, "read-only")
		mount(t, data, target, "", syscall.MS_BIND, "")
		if err := syscall.Mount("", target, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		refusedAs(t, in, nil, `^open the plane database .*; let this user write to the file and its folder$`, "serve", "plane", "--data-dir", target, "--listen", in.listen)
		refusedAs(t, in, nil, `; let this user write to the file and its folder$`, "admin", "--data-dir", target, "org", "create", "globex")
	})
	t.Run("another user's folder", func(t *testing.T) {
		needsRoot(t)
		nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for _, dir := range []string{filepath.Dir(in.dir), in.dir, filepath.Dir(binary())} {
			if err := os.Chmod(dir, 0o755); err != nil { // so that nobody gets as far as data
				t.Fatal(err)
			}
		}
		refusedAs(t, in, nobody, `^--data-dir: .*permission denied$`, "serve", "plane", "--data-dir", data, "--listen", in.listen)
	})
}

// refusedAs runs a command to its end, which is one line of refusal.
func refusedAs(t *testing.T, in installation, who *syscall.SysProcAttr, pattern string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = in.dir, in.env, who
	out, err := cmd.CombinedOutput()
	said := refusal.FindSubmatch(out)
	if err == nil || said == nil || !regexp.MustCompile(pattern).Match(said[1]) {
		t.Errorf("got %v; want one line like %s\n%s", err, pattern, out)
	}
}

// immutable is chattr's attribute of a file that not even root may change.
func immutable(t *testing.T, file string, on bool) {
	t.Helper()
	needsRoot(t)
	sign := map[bool]string{true: "+i", false: "-i"}[on]
	out, err := exec.Command("chattr", sign, file).CombinedOutput()
	if err == nil {
		return
	}
	if on {
		t.Skipf("skipped: this file system has no immutable files: %s", out)
	}
	t.Error(string(out))
}

// TestImmutable makes the files of a database immutable under a plane that
// serves it, and before one starts.
func TestImmutable(t *testing.T) {
	t.Parallel()
	in := install(t)
	p := startPlane(t, in)
	for _, file := range []string{in.database("plane.db"), in.database("plane.db-wal")} {
		immutable(t, file, true)
		t.Cleanup(func() { immutable(t, file, false) })
	}
	wantUnavailable(t, "a write", p.write(t, 1))
	p.says(t, `"request refused while a dependency is away".*; the system refused to read or write it: `)
	p.get(t, "/api/v1alpha1/user", http.StatusOK)
	for _, file := range []string{in.database("plane.db"), in.database("plane.db-wal")} {
		immutable(t, file, false)
	}
	p.repeat(t)
	if err := p.write(t, 10); err != nil {
		t.Error(err)
	}
	p.verify(t, in.database("plane.db"))
	p.kill()

	immutable(t, in.database("plane.db"), true)
	refusedAs(t, in, nil, `^open the plane database .*; let this user write to the file and its folder$`, in.planeArgs()...)
	immutable(t, in.database("plane.db"), false)
	p.serve(t, in)
	p.verify(t, in.database("plane.db"))
}

// TestDamageWhileServing has garbage in the place of a table: what needs it is
// a 500 that its log line explains, and all else is served.
func TestDamageWhileServing(t *testing.T) {
	t.Parallel()
	in := install(t)
	p := startPlane(t, in)
	if err := p.write(t, 4); err != nil {
		t.Fatal(err)
	}
	p.kill()
	root, size := tableRoot(t, in.database("plane.db"), "invitations")
	f, err := os.OpenFile(in.database("plane.db"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("garbage ", size/8)), int64((root-1)*size)); err != nil {
		t.Fatal(err)
	}

	p.serve(t, in)
	got := p.get(t, "/api/v1alpha1/invitations", http.StatusInternalServerError)
	if strings.Contains(string(got.body), "malformed") || !strings.Contains(string(got.body), got.header.Get("X-Request-ID")) {
		t.Errorf("the caller is told %s", got.body)
	}
	p.says(t, `"request failed".*the plane database `+in.database("plane.db")+`: .*; the file is damaged: restore a backup with: penstock admin restore FILE`)
	p.get(t, "/api/v1alpha1/user/keys", http.StatusOK)
	refusedAs(t, in, nil, `; the file is damaged: restore a backup with: `, "admin", "--data-dir", "data", "backup", "copy.db")
}

// tableRoot folds the log in, and returns a table's first page and the size of
// pages.
func tableRoot(t *testing.T, database, table string) (root, size int) {
	t.Helper()
	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow("SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = "+strconv.Quote(table)).Scan(&root, &size); err != nil {
		t.Fatal(err)
	}
	return root, size
}
