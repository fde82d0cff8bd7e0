package openid

import (
	"bufio"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/flock"
)

// Account is somebody whom the provider knows by a login; any password is
// right.
type Account struct {
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name,omitempty"`
}

// Config is what a provider knows.
type Config struct {
	Accounts map[string]Account // by login, which is the subject too
	ClientID string
	Secret   string
	Redirect string // where it sends browsers back to
	InToken  bool   // who it is stands in the ID token; else only in the userinfo
}

// files are the provider's program and what it is made of, and the Node.js that
// runs it where the system's is too old, as Debian 12's is.
//
//go:embed package.json package-lock.json provider.mjs node/package.json node/package-lock.json
var files embed.FS

var errMissing = errors.New("needs npm, for a real OpenID Connect provider: install Debian's nodejs and npm, or as root run make test, which does")

// theProgram is the command line of the provider, got once a process.
var theProgram = sync.OnceValues(func() ([]string, error) {
	ctx := context.Background()
	if _, err := exec.LookPath("npm"); err != nil {
		return nil, errMissing
	}
	program, err := install(ctx, "openid", "package.json", "package-lock.json", "provider.mjs")
	if err != nil || recent(ctx, "node") {
		return []string{"node", filepath.Join(program, "provider.mjs")}, err
	}
	runtime, err := install(ctx, "node", "node/package.json", "node/package-lock.json")
	if err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(runtime, "node_modules", "node-linux-*", "bin", "node"))
	if err != nil || len(found) == 0 || !recent(ctx, found[0]) {
		return nil, fmt.Errorf("there is no Node.js 20 or later, and none for this machine from npm: %v, %w", found, err)
	}
	return []string{found[0], filepath.Join(program, "provider.mjs")}, nil
})

// recent tells whether a Node.js is there that runs the provider.
func recent(ctx context.Context, node string) bool {
	return exec.CommandContext(ctx, node, "-e", "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)").Run() == nil
}

// install lays packages out in a folder of the user's cache, once for all
// processes.
func install(ctx context.Context, what string, names ...string) (folder string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	contents := map[string][]byte{}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return "", err
		}
		contents[path.Base(name)] = text
		sum.Write(text)
	}
	folder = filepath.Join(cache, "penstock-test", what+"-"+hex.EncodeToString(sum.Sum(nil)[:6]))
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", err
	}
	one := flock.New(filepath.Join(folder, "lock"))
	if err := one.Lock(); err != nil {
		return "", err
	}
	defer func() { _ = one.Unlock() }() // it ends with the process anyhow
	done := filepath.Join(folder, "installed")
	if _, err := os.Stat(done); err == nil {
		return folder, nil
	}
	for name, text := range contents {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return "", err
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = folder
	if said, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, said)
	}
	return folder, os.WriteFile(done, nil, 0o600)
}

// Start starts a provider, which ends with the test, and returns its issuer
// and how to stop it before. Where there is no Node.js the test is skipped; in CI
// it fails.
func Start(t testing.TB, c Config) (issuer string, stop func()) {
	t.Helper()
	program, err := theProgram()
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	argument, err := json.Marshal(map[string]any{
		"accounts": c.Accounts, "idToken": c.InToken,
		"client": map[string]string{"id": c.ClientID, "secret": c.Secret, "redirect": c.Redirect},
	})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(context.WithoutCancel(t.Context()), program[0], program[1], string(argument))
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	node.Stderr = &complaints
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = stdin.Close() // at which it ends
		_ = node.Wait()
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stop()
		t.Fatalf("the provider says no URL: %v\n%s", err, complaints.String())
	}
	return strings.TrimSpace(line), stop
}
