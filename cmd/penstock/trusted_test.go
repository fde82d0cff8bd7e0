package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestTrustedIssuersOfARegion(t *testing.T) {
	t.Parallel()
	const id = "019cae00-0000-7000-8000-0000000000a1"
	for name, c := range map[string]struct{ yaml, says string }{
		"one":             {"{issuer: https://login.example.com, audience: gpu-cloud, organizations: [" + id + "], claims: {subject: oid}}", ""},
		"no audience":     {"{issuer: https://login.example.com, organizations: [" + id + "]}", "trusted_issuers: issuer https://login.example.com: audience is missing"},
		"in the clear":    {"{issuer: http://login.example.com, audience: gpu-cloud, organizations: [" + id + "]}", "http only on this machine"},
		"the plane":       {"{issuer: https://plane.example.com/, audience: gpu-cloud, organizations: [" + id + "]}", "is the plane itself"},
		"a wrong id":      {"{issuer: https://login.example.com, audience: gpu-cloud, organizations: [acme]}", "organizations[0]"},
		"a wrong field":   {"{issuer: https://login.example.com, audience: gpu-cloud, organisations: [" + id + "]}", "organisations"},
		"no issuer":       {"{audience: gpu-cloud, organizations: [" + id + "]}", "an issuer is a URL"},
		"no organization": {"{issuer: https://login.example.com, audience: gpu-cloud}", "organizations are the ids"},
	} {
		file := filepath.Join(t.TempDir(), "region.yaml")
		text := string(defaultSiteFile) + "\ntrusted_issuers:\n  - " + c.yaml + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := readSiteFile(file)
		if err == nil {
			opened, openErr := openTrusted(read.TrustedIssuers, "https://plane.example.com", slog.New(slog.DiscardHandler))
			if err = openErr; err == nil && (len(opened) != 1 || opened[0].SubjectClaim != "oid" || opened[0].Organizations[0] != cloud.ID(id)) {
				t.Errorf("%s: got %+v", name, opened)
			}
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v; want it to say %q", name, err, c.says)
		}
	}
}
