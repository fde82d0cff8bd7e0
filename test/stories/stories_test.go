package stories

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts' goldens")

// built is the program, built as it is released.
var built string

// binary is where the program is. The go command, which keeps the results of
// tests, does not know that these depend on it; it knows the files that they
// look at, so they look at those that the program is built from.
func binary() string {
	lookAtSources()
	return built
}

var lookAtSources = sync.OnceFunc(func() {
	for _, tree := range []string{"api", "cmd", "internal", "go.mod"} {
		err := filepath.WalkDir(filepath.Join("../..", tree), func(file string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(file)
			}
			return err
		})
		if err != nil {
			panic(err)
		}
	}
})

// main is apart from TestMain for its deferred calls.
func TestMain(m *testing.M) {
	commands := map[string]func(){}
	if _, err := exec.LookPath("curl"); err != nil {
		commands["curl"] = curl
	}
	testscript.Main(builder{m}, commands)
}

// builder builds the program before the tests run.
type builder struct{ *testing.M }

func (b builder) Run() int {
	flag.Parse()
	// Stories wait for servers more than they work.
	if err := flag.Set("test.parallel", fmt.Sprint(max(8, runtime.GOMAXPROCS(0)))); err != nil {
		return failed(err)
	}
	dir, err := os.MkdirTemp("", "penstock-stories")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir) // the system cleans its temporary folder
	built = filepath.Join(dir, "penstock")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", built, "github.com/penstock-cloud/penstock/cmd/penstock")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return failed(fmt.Errorf("go build: %w\n%s", err, out))
	}
	return b.M.Run()
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               setUp,
		Cmds:                scriptCommands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
	})
}

// story is what the commands of one script share.
type story struct {
	dir     string
	env     []string
	servers map[string]*process
	proxies map[string]*proxy
	said    *stderrs
}

type storyKey struct{}

func setUp(env *testscript.Env) error {
	s := &story{dir: env.WorkDir, servers: map[string]*process{}, proxies: map[string]*proxy{}, said: &stderrs{dir: env.WorkDir}}
	for _, v := range env.Vars {
		if !strings.HasPrefix(v, "PENSTOCK_") {
			s.env = append(s.env, v)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	env.Setenv("ROOT", root)
	env.Values[storyKey{}] = s
	env.Defer(func() {
		for _, p := range s.servers {
			p.kill()
			env.T().Log(p.name + " logged:\n" + string(p.log()))
		}
		for _, p := range s.proxies {
			p.end()
		}
		if err := s.said.leak(); err != nil {
			env.T().Fatal(err)
		}
	})
	return nil
}

func storyOf(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

// environment takes the leading NAME=VALUE off the arguments.
func (s *story) environment(args []string) (env, rest []string) {
	env = s.env[:len(s.env):len(s.env)]
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	return env, args
}

func TestSecretsAreRecognized(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want bool
	}{
		{`{"msg":"hello","token":"eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.c2ln"}`, true},
		{"Bearer psr_7Jt5kq0Zl3xR9w", true},
		{`{"secret":"pss_7Jt5kq0Zl3xR9w"}`, true},
		{"-----BEGIN PRIVATE KEY-----", true},
		{`{"msg":"request","request_id":"01a20ae9-b6b8-7360-bfba-a75f1086300e"}`, false},
	} {
		said := &stderrs{dir: t.TempDir()}
		if _, err := said.Write([]byte("a line before\n" + c.text + "\n")); err != nil {
			t.Fatal(err)
		}
		if err := said.leak(); (err != nil) != c.want {
			t.Errorf("%s: got %v", c.text, err)
		}
	}
}
