package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"

	"github.com/penstock-cloud/penstock/internal/mail"
)

// identity writes a configuration, and the secrets that docs/identity.md names,
// and reads it.
func identity(t *testing.T, text string) (identityFile, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"identity.yaml": text, "smtp-password": "hunter2\n", "company-secret": "hush", "empty": "\n", "lines": "a\nb\n", "large": strings.Repeat("x", maxSecretFile+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return readIdentityFile(filepath.Join(dir, "identity.yaml"))
}

// identityExample is the configuration in docs/identity.md.
func identityExample(t *testing.T) (example, page string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/identity.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n(mail:.*?)```").FindStringSubmatch(string(text))
	if found == nil {
		t.Fatal("docs/identity.md has no example")
	}
	return found[1], string(text)
}

// TestIdentityPageKnowsTheConfiguration holds docs/identity.md to the code: every
// field is described there.
func TestIdentityPageKnowsTheConfiguration(t *testing.T) {
	t.Parallel()
	_, page := identityExample(t)
	fields := fieldsOf(reflect.TypeFor[identityFile]())
	if len(fields) < 20 {
		t.Fatalf("found only the fields %q; this test looks at the wrong place", fields)
	}
	for _, field := range fields {
		if !regexp.MustCompile("`" + field + "[`:]|\n" + field + ":").MatchString(page) {
			t.Errorf("docs/identity.md says nothing of %s", field)
		}
	}
}

func TestIdentityExampleIsRight(t *testing.T) {
	t.Parallel()
	example, _ := identityExample(t)
	f, err := identity(t, example)
	if err != nil {
		t.Fatal(err)
	}
	if c := f.Mail.config; c.Host != "mail.example.com" || c.Port != 587 || c.Security != mail.StartTLS || c.Password.Reveal() != "hunter2" || c.From.String() != `"Penstock" <cloud@example.com>` {
		t.Errorf("mail is %+v", c)
	}
	if len(f.Providers) != 1 || f.Providers[0].clientSecret.Reveal() != "hush" || len(f.TrustedIssuers) != 1 || f.auditFor() != 400*24*time.Hour {
		t.Errorf("got %+v", f)
	}
}

func TestIdentityDefaults(t *testing.T) {
	t.Parallel()
	f, err := identity(t, `
mail: {smtp: "[2001:db8::1]:587", from: cloud@example.com}
providers: [{name: company, issuer: "http://127.0.0.1:5556/dex", client_id: penstock, domains: [Example.COM]}]
trusted_issuers: [{issuer: "https://ci.example.com/", audience: cloud, organizations: [0198c0de-0000-7000-8000-00000000000a]}]
`)
	if err != nil {
		t.Fatal(err)
	}
	p, trusted := f.Providers[0], f.TrustedIssuers[0]
	if f.Mail.config.Host != "2001:db8::1" || f.Mail.config.Security != mail.StartTLS || p.Title != "company" || p.clientSecret.Reveal() != "" ||
		!cmp.Equal(p.Domains, []string{"example.com"}) || trusted.Claims.Subject != "sub" || f.Bounds.bounds() != cloud.DefaultBounds || f.auditFor() != 400*24*time.Hour {
		t.Errorf("got %+v", f)
	}
	for _, text := range []string{"", "{}"} {
		if f, err := identity(t, text); err != nil || f.Mail != nil || f.auditFor() != 400*24*time.Hour {
			t.Errorf("%q: got %+v, %v", text, f, err)
		}
	}
	if f, err := readIdentityFile(""); err != nil || f.Mail != nil {
		t.Errorf("without a file: %+v, %v", f, err)
	}
}

// TestProvidersAreAssumedToVerify proves that the setting gets to who decides by
// it.
func TestProvidersAreAssumedToVerify(t *testing.T) {
	t.Parallel()
	f, err := identity(t, `
providers:
  - {name: silent, issuer: "https://silent.example.com", client_id: x, domains: [silent.example.com], assume_verified: true}
  - {name: company, issuer: "https://company.example.com", client_id: x, domains: [company.example.com]}
`)
	if err != nil {
		t.Fatal(err)
	}
	_, rules, err := newProviders(planeConfig{url: "https://cloud.example.com", identity: f})
	if err != nil || len(rules) != 2 || !rules[0].AssumeVerified || rules[1].AssumeVerified {
		t.Errorf("got %+v, %v", rules, err)
	}
}

// TestIdentityIsChecked changes the example by one line each, and looks for what
// the operator is told.
func TestIdentityIsChecked(t *testing.T) {
	t.Parallel()
	example, _ := identityExample(t)
	const second = "providers:\n  - {name: other, issuer: \"https://other.example.com\", client_id: x, domains: [EXAMPLE.com]}"
	for _, tt := range []struct{ old, replacement, want string }{
		{"audit_days: 400", "audit_days: 0", "audit_days is 1 to"},
		{"audit_days: 400", "audit_days: 4000000", "audit_days is 1 to"},
		{"audit_days: 400", "audit_day: 400", `unknown field "audit_day"`},
		{"audit_days: 400", "mail: {}", "already set"},
		{"ssh_keys: 100", "ssh_keys: -1", "bounds: each is 1 to 1000000; got -1"},
		{"invitations: 500", "invitations: 1000001", "bounds: each is 1 to 1000000"},
		{"invitations: 500", "members: 500", `unknown field "members"`},
		{":587", "", "mail: smtp must be a host and a port"},
		{":587", ":smtp", "mail: smtp must be a host and a port"},
		{":587", ":0", "mail: the SMTP server must be"},
		{":587", ":465", "mail: security: servers speak TLS on port 465"},
		{"security: starttls", "security: ssl", "mail: security must be starttls, tls or none"},
		{"security: starttls", "security: none", "plaintext: true"},
		{"username: penstock", "", "both username and password_file"},
		{"password_file: smtp-password", "", "both username and password_file"},
		{"password_file: smtp-password", "password: hunter2", `unknown field "password"`},
		{"smtp-password", "nowhere", "mail: password_file: "},
		{"smtp-password", "empty", "must have the secret in it"},
		{"smtp-password", "lines", "in one line"},
		{"smtp-password", "large", "is over 4096 bytes"},
		{"Penstock <cloud@example.com>", "Penstock", "mail: from must be an address"},
		{"Penstock <cloud@example.com>", "cloud@example", ""}, // such as on a company's own network
		{"name: company", "name: Example Company", "providers[0]: name must be"},
		{"issuer: https://login.example.com", "issuer: login.example.com", "providers[0]: an issuer is a URL"},
		{"issuer: https://login.example.com", "issuer: https://login.example.com/?x=1", "providers[0]: an issuer is a URL"},
		{"issuer: https://login.example.com", "issuer: http://login.example.com", "providers[0]: an issuer is a URL"},
		{"client_id: penstock", "", "providers[0]: client_id is missing"},
		{"company-secret", "nowhere", "providers[0]: client_secret_file: "},
		{"[example.com]", "[example]", "providers[0]: domains are what follows the @"},
		{"[example.com]", "['@example.com']", "providers[0]: domains are what follows the @"},
		{"[example.com]", "['*.example.com']", "providers[0]: domains are what follows the @"},
		{"domains: [example.com]", "assume_verified: true", "providers[0]: assume_verified needs domains"},
		{"providers:", second, "providers[1]: domains: example.com is bound to other already"},
		{"providers:", strings.Replace(second, "other,", "company,", 1), "providers[1]: every provider has a name and an issuer of its own"},
		{"audience: https://cloud.example.com", "", "trusted_issuers[0]: audience is missing"},
		{"issuer: https://ci.example.com", "issuer: http://ci.example.com", "trusted_issuers[0]: an issuer is a URL"},
		{"[0198c0de-0000-7000-8000-00000000000a]", "[]", "trusted_issuers[0]: organizations is missing"},
		{"[0198c0de-0000-7000-8000-00000000000a]", "[engines]", "trusted_issuers[0]: organizations[0]: "},
		{"trusted_issuers:", "trusted_issuers:\n  - {issuer: \"https://ci.example.com\", audience: x, organizations: [0198c0de-0000-7000-8000-00000000000a]}", "is there already"},
	} {
		changed := strings.Replace(example, tt.old, tt.replacement, 1)
		if changed == example {
			t.Fatalf("%q is not in the example", tt.old)
		}
		_, err := identity(t, changed)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.replacement, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "--identity ")):
			t.Errorf("%s instead of %s: got %v; want %s", tt.replacement, tt.old, err, tt.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error tells the password: %v", tt.replacement, err)
		}
	}
	if _, err := readIdentityFile(filepath.Join(t.TempDir(), "nowhere")); err == nil || !strings.HasPrefix(err.Error(), "--identity: ") {
		t.Errorf("no such file: %v", err)
	}
}
