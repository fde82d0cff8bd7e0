package pgtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
)

func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func execute(t *testing.T, c *pgx.Conn, statement string) {
	t.Helper()
	if _, err := c.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func query[T any](t *testing.T, c *pgx.Conn, statement string) T {
	t.Helper()
	var value T
	if err := c.QueryRow(t.Context(), statement).Scan(&value); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := connect(t, pgtest.Database(t)), connect(t, pgtest.Database(t))
	execute(t, a, "CREATE TABLE things (name TEXT)")
	execute(t, b, "CREATE TABLE things (name TEXT)")
}

// The environment is the whole process's: no test runs beside this one.
func TestServerOfTheEnvironment(t *testing.T) {
	s := pgtest.NewServer(t)
	execute(t, connect(t, s.SuperuserURL()), "CREATE ROLE operator LOGIN CREATEDB PASSWORD 'of the operator'")
	named, err := url.Parse(s.SuperuserURL())
	if err != nil {
		t.Fatal(err)
	}
	named.User = url.UserPassword("operator", "of the operator")
	t.Setenv("PENSTOCK_TEST_POSTGRES", named.String())
	c := connect(t, pgtest.Database(t))
	execute(t, c, "CREATE TABLE things (name TEXT)")
	if user := query[string](t, c, "SELECT CAST(current_user AS TEXT)"); user != "operator" {
		t.Errorf("the test's database is used by %s, want operator", user)
	}
}

func TestOwnerIsNoSuperuser(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.NewServer(t).Database(t))
	if query[bool](t, c, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") {
		t.Error("the owner of a test's database is a superuser")
	}
}

func TestDatabaseIsDroppedInUse(t *testing.T) {
	t.Parallel()
	var database string
	t.Run("story", func(t *testing.T) {
		database = pgtest.Database(t)
		connect(t, database)
	})
	c, err := pgx.Connect(t.Context(), database)
	if err == nil {
		c.Close(t.Context())
	}
	const noSuchDatabase = "3D000"
	if !hasCode(err, noSuchDatabase) {
		t.Errorf("connecting after the test: %v", err)
	}
}

func TestPasswordCounts(t *testing.T) {
	t.Parallel()
	s := pgtest.NewServer(t)
	config, err := pgx.ParseConfig(s.SuperuserURL())
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "wrong"
	_, err = pgx.ConnectConfig(t.Context(), config)
	const wrongPassword = "28P01"
	if !hasCode(err, wrongPassword) {
		t.Errorf("connecting with a wrong password: %v", err)
	}
}

func hasCode(err error, code string) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == code
}

func TestServerComesBack(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*pgtest.Server, testing.TB){"stopped": (*pgtest.Server).Stop, "killed": (*pgtest.Server).Kill}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pgtest.NewServer(t)
			database := s.Database(t)
			execute(t, connect(t, database), "CREATE TABLE things (name TEXT)")
			end(s, t)
			if c, err := pgx.Connect(t.Context(), database); err == nil {
				c.Close(t.Context())
				t.Error("a server that is gone takes connections")
			}
			s.Start(t)
			execute(t, connect(t, database), "INSERT INTO things VALUES ('kept')")
			s.Restart(t)
			if n := query[int](t, connect(t, database), "SELECT count(*) FROM things"); n != 1 {
				t.Errorf("%d rows are there again, want 1", n)
			}
		})
	}
}

// Processes that end by themselves take leave of their clients, with an error or
// a warning, where a machine without power takes leave of nobody.
func TestKilledServerSaysNothing(t *testing.T) {
	t.Parallel()
	s := pgtest.NewServer(t)
	config, err := pgx.ParseConfig(s.SuperuserURL())
	if err != nil {
		t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) { t.Errorf("the server says: %s", notice.Message) }
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	s.Kill(t)
	err = c.Ping(t.Context())
	var said *pgconn.PgError
	if err == nil || errors.As(err, &said) {
		t.Errorf("a killed server answers: %v", err)
	}
}

func TestFrozenServer(t *testing.T) {
	t.Parallel()
	s := pgtest.NewServer(t)
	c := connect(t, s.SuperuserURL())
	s.Freeze(t)
	for !strings.Contains(status(t, c.PgConn().PID()), "T (stopped)") {
		runtime.Gosched()
	}
	s.Thaw(t)
	execute(t, c, "SELECT 1")
}

// status is what the system says of a process.
func status(t *testing.T, pid uint32) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCommitsWaitForTheStandby(t *testing.T) {
	t.Parallel()
	p := pgtest.NewPair(t)
	writer, watcher := connect(t, p.URL()), connect(t, p.PrimaryURL())
	p.Standby.Stop(t)
	acknowledged := make(chan error, 1)
	go func() {
		_, err := writer.Exec(t.Context(), "CREATE TABLE things (name TEXT)")
		acknowledged <- err
	}()
	for query[int](t, watcher, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 0 {
		select {
		case err := <-acknowledged:
			t.Fatalf("acknowledged without the standby: %v", err)
		default:
		}
	}
	p.Standby.Start(t)
	if err := <-acknowledged; err != nil {
		t.Error(err)
	}
}

func TestPromotedStandbyHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	p := pgtest.NewPair(t)
	c := connect(t, p.URL())
	execute(t, c, "CREATE TABLE things (name TEXT)")
	execute(t, c, "INSERT INTO things VALUES ('acknowledged')")
	p.KillPrimary(t)
	p.Promote(t)
	c = connect(t, p.URL())
	execute(t, c, "INSERT INTO things VALUES ('later')")
	if n := query[int](t, c, "SELECT count(*) FROM things"); n != 2 {
		t.Errorf("%d rows are there, want 2", n)
	}
}

// heldVariable tells this test binary, run again, to hold a server until it is
// killed.
const heldVariable = "PENSTOCK_TEST_HOLD"

func TestKilledProcessLeavesNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv(heldVariable) != "" {
		fmt.Println(pgtest.NewServer(t).SuperuserURL())
		<-t.Context().Done()
	}
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o711); err != nil { // the server's user has to get in
		t.Fatal(err)
	}
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	holder.Env = append(os.Environ(), heldVariable+"=1", "TMPDIR="+folder)
	output, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	server := strings.TrimSpace(line)
	connect(t, server)
	holder.Process.Kill()
	holder.Wait()
	for left := 1; left > 0; {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		left = len(entries)
	}
	if c, err := pgx.Connect(t.Context(), server); err == nil {
		c.Close(t.Context())
		t.Error("the server outlives the process that has started it")
	}
}
