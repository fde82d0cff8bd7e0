package stories

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// scriptCommands are described in doc.go. Where testscript has a command of the
// same name (stop, kill), that one would run.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"penstock":    cmdPenstock,
	"refused":     positive(cmdRefused),
	"start":       cmdStart,
	"interrupt":   cmdInterrupt,
	"crash":       cmdCrash,
	"ended":       cmdEnded,
	"logged":      positive(cmdLogged),
	"http":        positive(cmdHTTP),
	"token":       positive(cmdToken),
	"take":        positive(cmdTake),
	"fill":        positive(cmdFill),
	"pages":       positive(cmdPages),
	"certificate": positive(cmdCertificate),
	"audit":       positive(cmdAudit),
	"narrow":      positive(cmdNarrow),
	"mode":        positive(cmdMode),
	"ports":       positive(cmdPorts),
	"proxy":       positive(cmdProxy),
	"cut":         positive(cmdCut),
	"slow":        positive(cmdSlow),
	"mend":        positive(cmdMend),
	"shows":       positive(cmdShows),
	"believed":    positive(cmdBelieved),
}

// positive makes a command of a function for which ! has no meaning.
func positive(fn func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, negated bool, args []string) {
		if negated {
			ts.Fatalf("this command knows no !")
		}
		fn(ts, args)
	}
}

func need(ts *testscript.TestScript, ok bool, usage string) {
	if !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

// judge compares what a command told the shell with what the script expects.
func judge(ts *testscript.TestScript, negated bool, code int) {
	if negated && code <= 0 {
		ts.Fatalf("got exit code %d; want a failure", code)
	}
	if !negated && code != 0 {
		ts.Fatalf("got exit code %d; want 0", code)
	}
}

func cmdPenstock(ts *testscript.TestScript, negated bool, args []string) {
	code, _, _ := run(ts, args)
	judge(ts, negated, code)
}

// refusal is how the program says, in one line, why it does not go on.
var refusal = regexp.MustCompile(`^penstock: (.+)\n$`)

func cmdRefused(ts *testscript.TestScript, args []string) {
	need(ts, len(args) > 1, "refused REGEXP [NAME=VALUE…] ARG…")
	code, stdout, stderr := run(ts, args[1:])
	judge(ts, true, code)
	said := refusal.FindStringSubmatch(stderr)
	if said == nil || !regexp.MustCompile(args[0]).MatchString(said[1]) || stdout != "" {
		ts.Fatalf("want nothing but a refusal like %s", args[0])
	}
}

// run runs a command to its end.
func run(ts *testscript.TestScript, args []string) (code int, stdout, stderr string) {
	s := storyOf(ts)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	env, args := s.environment(args)
	var out, err strings.Builder
	cmd := exec.CommandContext(ctx, binary(), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), env, &out, &err
	failure := cmd.Run()
	fmt.Fprint(ts.Stdout(), out.String())
	fmt.Fprint(ts.Stderr(), err.String())
	_, _ = s.said.Write([]byte(err.String()))
	if exit := (*exec.ExitError)(nil); failure != nil && !errors.As(failure, &exit) {
		ts.Fatalf("%v", failure)
	}
	ts.Logf("[stdout]\n%s[stderr]\n%s", out.String(), err.String())
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func cmdStart(ts *testscript.TestScript, negated bool, args []string) {
	need(ts, len(args) > 1, "start NAME [NAME=VALUE…] ARG…")
	s := storyOf(ts)
	name := args[0]
	if old := s.servers[name]; old != nil {
		ts.Fatalf("%s runs already", name)
	}
	env, args := s.environment(args[1:])
	p, err := serve(s.dir, name, env, args)
	if negated {
		if err == nil {
			p.kill()
			ts.Fatalf("%s serves; want a failure", name)
		}
		return
	}
	ts.Check(err)
	s.servers[name] = p
}

func (s *story) take(ts *testscript.TestScript, args []string) *process {
	need(ts, len(args) == 1 && s.servers[args[0]] != nil, "COMMAND NAME, of a server that was started")
	p := s.servers[args[0]]
	delete(s.servers, args[0])
	return p
}

func cmdInterrupt(ts *testscript.TestScript, negated bool, args []string) {
	p := storyOf(ts).take(ts, args)
	ts.Check(p.interrupt())
	code, err := p.end()
	ts.Check(err)
	judge(ts, negated, code)
}

func cmdCrash(ts *testscript.TestScript, _ bool, args []string) { storyOf(ts).take(ts, args).kill() }

func cmdEnded(ts *testscript.TestScript, negated bool, args []string) {
	need(ts, len(args) == 1 || len(args) == 2, "ended NAME [CODE]")
	code, err := storyOf(ts).take(ts, args[:1]).end()
	ts.Check(err)
	if len(args) == 2 && args[1] != fmt.Sprint(code) {
		ts.Fatalf("got exit code %d; want %s", code, args[1])
	}
	judge(ts, negated, code)
}

func cmdLogged(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 2 && storyOf(ts).servers[args[0]] != nil, "logged NAME REGEXP")
	p, pattern := storyOf(ts).servers[args[0]], regexp.MustCompile("(?m)"+args[1])
	ts.Check(wait(func() error {
		if text := p.log(); !pattern.Match(text) {
			return fmt.Errorf("%s has not logged %s, but\n%s", p.name, pattern, text)
		}
		return nil
	}))
}

func cmdTake(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 3, "take NAME FILE REGEXP")
	pattern := regexp.MustCompile("(?m)" + args[2])
	text := ts.ReadFile(args[1])
	found := pattern.FindStringSubmatch(text)
	if len(found) != 2 {
		ts.Fatalf("%s is not in %s:\n%s", pattern, args[1], text)
	}
	ts.Setenv(args[0], found[1])
}

func cmdFill(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 1, "fill FILE")
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// cmdToken reads a token as nobody who has to trust it may: unverified.
func cmdToken(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 1, "token FILE")
	var claims jwt.RegisteredClaims
	token, _, err := jwt.NewParser().ParseUnverified(strings.TrimSpace(ts.ReadFile(args[0])), &claims)
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), "key", token.Header["kid"])
	fmt.Fprintln(ts.Stdout(), "issuer", claims.Issuer)
	fmt.Fprintln(ts.Stdout(), "life", claims.ExpiresAt.Sub(claims.IssuedAt.Time))
}

func cmdAudit(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 1 || len(args) == 2, "audit DATABASE [ORGANIZATION]")
	ctx := context.Background()
	store, err := sqlite.OpenPlane(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer store.Close()
	ts.Check(store.Read(ctx, func(tx cloud.Reader) error {
		var of cloud.ID
		if len(args) == 2 {
			organization, err := tx.OrganizationByName(args[1])
			if err != nil {
				return err
			}
			of = organization.ID
		}
		entries, err := tx.Audit(of, cloud.AuditFilter{}, cloud.Page{})
		for _, e := range slices.Backward(entries) {
			fmt.Fprintln(ts.Stdout(), e.Actor.Kind, e.Actor.ID, e.Action, e.Target, e.Before, e.After)
		}
		return err
	}))
}

// columns is the width of a terminal as it always was.
const columns = 80

func cmdNarrow(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 1, "narrow FILE")
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > columns {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

func cmdMode(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 2, "mode FILE PERMISSIONS")
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s; want %s", args[0], got, args[1])
	}
}

var (
	givenMu sync.Mutex
	given   = map[int]bool{}
)

// cmdPorts is for servers that are to come back where they were. The ports lie
// below those that the system gives out by itself, so that nobody gets one of
// them while its server is down.
func cmdPorts(ts *testscript.TestScript, args []string) {
	for _, name := range args {
		port, err := freePort()
		ts.Check(err)
		ts.Setenv(name, fmt.Sprint(port))
	}
}

func freePort() (int, error) {
	givenMu.Lock()
	defer givenMu.Unlock()
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		if given[port] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		given[port] = true
		return port, l.Close()
	}
	return 0, errors.New("found no free port")
}
