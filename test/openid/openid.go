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

// files are the provider's program and what it is made of.
//
//go:embed package.json package-lock.json provider.mjs
var files embed.FS

var errMissing = errors.New("needs Node.js 20 or later, with npm, for a real OpenID Connect provider")

// theProgram is got once a process.
var theProgram = sync.OnceValues(func() (string, error) {
	if err := exec.CommandContext(context.Background(), "node", "-e", "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)").Run(); err != nil {
		return "", errMissing
	}
	return install(context.Background())
})

// install lays the provider out in the user's cache, once for all processes.
func install(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	contents := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json", "provider.mjs"} {
		if contents[name], err = files.ReadFile(name); err != nil {
			return "", err
		}
		sum.Write(contents[name])
	}
	folder := filepath.Join(cache, "penstock-test", "openid-"+hex.EncodeToString(sum.Sum(nil)[:6]))
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", err
	}
	one := flock.New(filepath.Join(folder, "lock"))
	if err := one.Lock(); err != nil {
		return "", err
	}
	defer func() { _ = one.Unlock() }() // it ends with the process anyhow
	program, done := filepath.Join(folder, "provider.mjs"), filepath.Join(folder, "installed")
	if _, err := os.Stat(done); err == nil {
		return program, nil
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
	return program, os.WriteFile(done, nil, 0o600)
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
	node := exec.CommandContext(context.WithoutCancel(t.Context()), "node", program, string(argument))
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
