package pgtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gofrs/flock"
)

// installation is where PostgreSQL's programs lie and who runs them.
type installation struct {
	folder     string
	credential *syscall.Credential // nil: whoever runs the tests
}

var errMissing = errors.New("needs PostgreSQL: install Debian's postgresql package, 15 or later, " +
	"or set PENSTOCK_TEST_POSTGRES to the URL of a role that may create databases")

// theInstallation is looked for, and made, once a process.
var theInstallation = sync.OnceValues(func() (*installation, error) {
	credential, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if folder, found := programs(); found {
		return &installation{folder, credential}, nil
	}
	if err := install(context.Background()); err != nil {
		return nil, err
	}
	// The package has brought a user with it.
	if credential, err = unprivileged(); err != nil {
		return nil, err
	}
	folder, found := programs()
	if !found {
		return nil, errMissing
	}
	return &installation{folder, credential}, nil
})

// require is theInstallation for a test, which ends here where there is none.
func require(t testing.TB) *installation {
	t.Helper()
	found, err := theInstallation()
	switch {
	case errors.Is(err, errMissing) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return found
}

// oldest is the first version that creates databases by its log and sorts by ICU.
const oldest = 15

// programs finds the folder of the newest server. Debian keeps them out of PATH.
func programs() (folder string, found bool) {
	servers, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // only a bad pattern is an error
	version := func(server string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(server))))
		return n
	}
	slices.SortFunc(servers, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	servers = slices.DeleteFunc(servers, func(server string) bool { return version(server) < oldest })
	if onPath, err := exec.LookPath("postgres"); err == nil {
		servers = append(servers, onPath)
	}
	for _, server := range servers {
		if _, err := os.Stat(filepath.Join(filepath.Dir(server), "initdb")); err == nil {
			return filepath.Dir(server), true
		}
	}
	return "", false
}

// unprivileged is who runs the servers for root, whom PostgreSQL refuses.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	someone, err := user.Lookup("postgres")
	if err != nil {
		if someone, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(someone.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(someone.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// withoutCluster, while it is there, keeps Debian's package from making and
// starting a server of its own.
const withoutCluster = "/etc/postgresql-common/createcluster.d/penstock-test.conf"

// install brings Debian's package. Of several processes one installs, and the
// others find what it has brought.
func install(ctx context.Context) error {
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return errMissing
	}
	lock := flock.New(filepath.Join(os.TempDir(), "penstock-test-install.lock"))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Close()
	if _, found := programs(); found {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(withoutCluster), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(withoutCluster, []byte("create_main_cluster = false\n"), 0o644); err != nil {
		return err
	}
	err := installPackage(ctx)
	return errors.Join(err, os.Remove(withoutCluster))
}

func installPackage(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "no PostgreSQL: installing Debian's package for the tests")
	for _, arguments := range []string{
		"-qq update",
		"-qq install --yes --no-install-recommends postgresql",
	} {
		command := exec.CommandContext(ctx, "apt-get", strings.Fields(arguments)...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%w (apt-get %s: %w: %s)", errMissing, arguments, err, output)
		}
	}
	return nil
}

// command is to run a program, one of PostgreSQL's by its name, in the given
// folder: not as root, deaf to PGHOST and its like, and out of reach of the
// terminal's Ctrl-C, which is for the tests to answer.
func (i *installation) command(ctx context.Context, folder, program string, arguments ...string) *exec.Cmd {
	if !filepath.IsAbs(program) {
		program = filepath.Join(i.folder, program)
	}
	c := exec.CommandContext(ctx, program, arguments...)
	c.Dir = folder
	c.Env = []string{"PATH=" + i.folder + ":/usr/bin:/bin", "HOME=" + folder, "LC_ALL=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: i.credential, Setpgid: true}
	return c
}

// run is command, run to its end.
func (i *installation) run(ctx context.Context, folder, program string, arguments ...string) error {
	output, err := i.command(ctx, folder, program, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, output)
	}
	return nil
}

// tempFolder makes a folder for a server, which its user owns.
func (i *installation) tempFolder() (string, error) {
	folder, err := os.MkdirTemp(tempParent(), "penstock-postgres-")
	if err != nil {
		return "", err
	}
	return folder, i.own(folder)
}

// tempParent is in memory where there is plenty: a database is hundreds of
// files, and making them on a disk takes ten times as long. TMPDIR overrules it.
func tempParent() string {
	const memory, plenty = "/dev/shm", 2 << 30
	var has syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(memory, &has) == nil && has.Bavail*uint64(has.Bsize) >= plenty {
		return memory
	}
	return os.TempDir()
}

// writeFile writes a file that the servers' user owns and alone reads.
func (i *installation) writeFile(name, content string) error {
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		return err
	}
	return i.own(name)
}

func (i *installation) own(name string) error {
	if i.credential == nil {
		return nil
	}
	return os.Chown(name, int(i.credential.Uid), int(i.credential.Gid))
}
