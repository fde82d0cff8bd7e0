package main

import (
	"log/slog"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/trusted"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// openTrusted returns the issuers that an operator trusts beside the plane, which
// is reached under a URL. None of them is asked before it is needed. CodeInvalid
// says what is wrong with one.
func openTrusted(entries []trustedEntry, plane string, log *slog.Logger) ([]auth.Trusted, error) {
	issuers := make([]trusted.Issuer, len(entries))
	for i, e := range entries {
		if strings.TrimSuffix(e.Issuer, "/") == strings.TrimSuffix(plane, "/") {
			return nil, cloud.Invalid("trusted_issuers: %s is the plane itself, whose tokens are good without that", plane)
		}
		issuers[i] = trusted.Issuer{
			URL: e.Issuer, Audience: e.Audience, SubjectClaim: e.Claims.Subject, Organizations: e.Organizations,
		}
	}
	opened, err := trusted.Open(trusted.Config{Issuers: issuers, Log: log, Now: time.Now})
	if err != nil {
		return nil, cloud.About("trusted_issuers", err)
	}
	return opened, nil
}
