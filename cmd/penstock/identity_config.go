package main

import (
	"cmp"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/mail"
)

// identityFile is what an operator writes down of how people and programs get in.
// docs/identity.md describes it.
type identityFile struct {
	Mail           *mailEntry      `json:"mail"`
	Providers      []providerEntry `json:"providers"`
	TrustedIssuers []trustedEntry  `json:"trusted_issuers"`
	AuditDays      *int            `json:"audit_days"`
	Bounds         boundsEntry     `json:"bounds"`
}

// boundsEntry is how much there is at most of what people make; 0 for as much as
// there is without an entry.
type boundsEntry struct {
	SSHKeys         int64 `json:"ssh_keys"`
	Organizations   int64 `json:"organizations"`
	ServiceAccounts int64 `json:"service_accounts"`
	Invitations     int64 `json:"invitations"`
}

// mailEntry is the way on which mails leave.
type mailEntry struct {
	SMTP         string        `json:"smtp"`
	Security     mail.Security `json:"security"`
	Plaintext    bool          `json:"plaintext"`
	Username     string        `json:"username"`
	PasswordFile string        `json:"password_file"`
	From         string        `json:"from"`

	config mail.Config // what it comes to
}

// providerEntry is an OpenID Connect provider with which people sign in.
type providerEntry struct {
	Name             string   `json:"name"`
	Title            string   `json:"title"`
	Issuer           string   `json:"issuer"`
	ClientID         string   `json:"client_id"`
	ClientSecretFile string   `json:"client_secret_file"`
	Domains          []string `json:"domains"`
	AssumeVerified   bool     `json:"assume_verified"`

	clientSecret cloud.Secret // "" for a public client
}

// trustedEntry is an issuer whose tokens the APIs accept.
type trustedEntry struct {
	Issuer        string     `json:"issuer"`
	Audience      string     `json:"audience"`
	Organizations []cloud.ID `json:"organizations"`
	Claims        struct {
		Subject string `json:"subject"`
	} `json:"claims"`
}

const (
	// maxIdentityFile bounds what is read of a configuration, and maxSecretFile of
	// a secret, in bytes.
	maxIdentityFile = 1 << 20
	maxSecretFile   = 4 << 10

	defaultAuditDays = 400
	maxAuditDays     = 36500
)

// readIdentityFile reads a configuration with the secrets that it names; "" for
// none, with which nobody gets mail. A field that is not known is refused: it
// would be one that does not hold.
func readIdentityFile(name string) (identityFile, error) {
	var f identityFile
	if name == "" {
		return f, nil
	}
	text, err := readBounded(name, maxIdentityFile)
	if err != nil {
		return f, fmt.Errorf("--identity: %w", err)
	}
	if err := yaml.UnmarshalStrict(text, &f); err != nil {
		return f, fmt.Errorf("--identity %s: %w", name, err)
	}
	if err := f.complete(filepath.Dir(name)); err != nil {
		return f, fmt.Errorf("--identity %s: %w", name, err)
	}
	return f, nil
}

// readBounded reads a file that has no more than limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is over %d bytes", name, limit)
	}
	return os.ReadFile(name)
}

// auditFor is how long the audit is kept.
func (f identityFile) auditFor() time.Duration {
	days := defaultAuditDays
	if f.AuditDays != nil {
		days = *f.AuditDays
	}
	return time.Duration(days) * 24 * time.Hour
}

// complete checks the configuration, and fills in what it leaves out and what
// stands in other files, beside it in dir.
func (f *identityFile) complete(dir string) error {
	if f.Mail != nil {
		if err := f.Mail.complete(dir); err != nil {
			return cloud.About("mail", err)
		}
	}
	if err := f.completeProviders(dir); err != nil {
		return err
	}
	if err := f.completeTrusted(); err != nil {
		return err
	}
	if err := f.Bounds.check(); err != nil {
		return cloud.About("bounds", err)
	}
	if days := f.AuditDays; days != nil && (*days < 1 || *days > maxAuditDays) {
		return cloud.Invalid("audit_days is 1 to %d; got %d", maxAuditDays, *days)
	}
	return nil
}

func (b boundsEntry) check() error {
	for _, bound := range []int64{b.SSHKeys, b.Organizations, b.ServiceAccounts, b.Invitations} {
		if bound < 0 || bound > cloud.MaxBound {
			return cloud.Invalid("each is 1 to %d; got %d", cloud.MaxBound, bound)
		}
	}
	return nil
}

// bounds are those that hold.
func (b boundsEntry) bounds() cloud.Bounds {
	return cloud.Bounds{
		SSHKeys:         cmp.Or(b.SSHKeys, cloud.DefaultBounds.SSHKeys),
		Organizations:   cmp.Or(b.Organizations, cloud.DefaultBounds.Organizations),
		ServiceAccounts: cmp.Or(b.ServiceAccounts, cloud.DefaultBounds.ServiceAccounts),
		Invitations:     cmp.Or(b.Invitations, cloud.DefaultBounds.Invitations),
	}
}

func (m *mailEntry) complete(dir string) error {
	host, port, err := splitSMTP(m.SMTP)
	if err != nil {
		return err
	}
	if m.Security == "" {
		m.Security = mail.StartTLS
	}
	if m.Security == mail.StartTLS && port == 465 {
		return cloud.Invalid("security: servers speak TLS on port 465 from the first byte on (RFC 8314); say tls, or use port 587")
	}
	from, err := netmail.ParseAddress(m.From)
	if err != nil {
		return cloud.Invalid("from must be an address such as cloud@example.com or Penstock <cloud@example.com>; got %q", m.From)
	}
	password, err := readSecretFile(dir, "password_file", m.PasswordFile)
	if err != nil {
		return err
	}
	if (m.Username == "") != (m.PasswordFile == "") {
		return cloud.Invalid("give both username and password_file, or neither for a server that asks for none")
	}
	m.config = mail.Config{
		Host: host, Port: port, Security: m.Security, Plaintext: m.Plaintext,
		Username: m.Username, Password: password, From: *from,
	}
	return m.config.Validate()
}

func splitSMTP(text string) (host string, port int, err error) {
	host, service, err := net.SplitHostPort(text)
	if err == nil {
		port, err = strconv.Atoi(service)
	}
	if err != nil || host == "" {
		return "", 0, cloud.Invalid("smtp must be a host and a port, such as mail.example.com:587; got %q", text)
	}
	return host, port, nil
}

// readSecretFile reads the secret that a field names the file of, without the
// line's end; "" for no file.
func readSecretFile(dir, field, name string) (cloud.Secret, error) {
	if name == "" {
		return cloud.NewSecret(""), nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	text, err := readBounded(name, maxSecretFile)
	if err != nil {
		return cloud.Secret{}, fmt.Errorf("%s: %w", field, err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n\x00") {
		return cloud.Secret{}, cloud.Invalid("%s: %s must have the secret in it, in one line", field, name)
	}
	return cloud.NewSecret(secret), nil
}

func (f *identityFile) completeProviders(dir string) error {
	names, issuers, domains := map[string]bool{}, map[string]bool{}, map[string]string{}
	for i := range f.Providers {
		p := &f.Providers[i]
		about := func(err error) error { return cloud.About(fmt.Sprintf("providers[%d]", i), err) }
		if err := p.complete(dir); err != nil {
			return about(err)
		}
		if names[p.Name] || issuers[p.Issuer] {
			return about(cloud.Invalid("every provider has a name and an issuer of its own; %s and %s are another's too", p.Name, p.Issuer))
		}
		names[p.Name], issuers[p.Issuer] = true, true
		for j, domain := range p.Domains {
			domain, err := checkDomain(domain)
			if err != nil {
				return about(err)
			}
			if other, taken := domains[domain]; taken {
				return about(cloud.Invalid("domains: %s is bound to %s already; a domain's people sign in with one provider", domain, other))
			}
			domains[domain], p.Domains[j] = p.Name, domain
		}
	}
	return nil
}

func (p *providerEntry) complete(dir string) error {
	if err := cloud.CheckName("name", p.Name); err != nil {
		return err
	}
	if p.Title == "" {
		p.Title = p.Name
	}
	if err := cloud.CheckIssuer(p.Issuer); err != nil {
		return err
	}
	if p.ClientID == "" {
		return cloud.Invalid("client_id is missing; the provider gives it to whoever registers this cloud there")
	}
	if p.AssumeVerified && len(p.Domains) == 0 {
		return cloud.Invalid("assume_verified needs domains, whose addresses the provider gives to their owners only; else it could let anybody in as anybody")
	}
	secret, err := readSecretFile(dir, "client_secret_file", p.ClientSecretFile)
	p.clientSecret = secret
	return err
}

// checkDomain returns a domain in the form in which those of addresses compare.
func checkDomain(domain string) (string, error) {
	email, err := cloud.ParseEmail("somebody@" + domain)
	if err != nil || !strings.Contains(domain, ".") {
		return "", cloud.Invalid("domains are what follows the @ of addresses, such as example.com; got %q", domain)
	}
	return email.Domain(), nil
}

func (f *identityFile) completeTrusted() error {
	seen := map[string]bool{}
	for i := range f.TrustedIssuers {
		t := &f.TrustedIssuers[i]
		err := t.complete()
		if err == nil && seen[t.Issuer] {
			err = cloud.Invalid("%s is there already; name all its organizations in one entry", t.Issuer)
		}
		if err != nil {
			return cloud.About(fmt.Sprintf("trusted_issuers[%d]", i), err)
		}
		seen[t.Issuer] = true
	}
	return nil
}

func (t *trustedEntry) complete() error {
	if err := cloud.CheckIssuer(t.Issuer); err != nil {
		return err
	}
	if t.Audience == "" {
		return cloud.Invalid("audience is missing; without it, tokens that are meant for somebody else would be good here")
	}
	if len(t.Organizations) == 0 {
		return cloud.Invalid("organizations is missing; name the ids of those that the issuer may speak for, as GET /api/v1alpha1/organizations has them")
	}
	for j, id := range t.Organizations {
		parsed, err := cloud.ParseID(string(id))
		if err != nil {
			return cloud.About(fmt.Sprintf("organizations[%d]", j), err)
		}
		t.Organizations[j] = parsed
	}
	if t.Claims.Subject == "" {
		t.Claims.Subject = "sub"
	}
	return nil
}
