package oauth

import (
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// organizationScope, with an id after it, binds tokens to one organization of
// the person's.
const organizationScope = "org:"

// supportedScopes are those that mean something, beside organizationScope.
var supportedScopes = []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, oidc.ScopeOfflineAccess}

// parseScopes keeps what we know of the scopes that a client asks for (RFC 6749,
// 3.3): each once, in their order.
func parseScopes(asked []string) ([]string, error) {
	scopes := []string{}
	bound := false
	for _, scope := range asked {
		if id, ok := strings.CutPrefix(scope, organizationScope); ok {
			organization, err := cloud.ParseID(id)
			if err != nil {
				return nil, oidc.ErrInvalidScope().WithDescription("the scope %sID must name an organization by its UUID", organizationScope)
			}
			scope = organizationScope + string(organization)
			if bound && !slices.Contains(scopes, scope) {
				return nil, oidc.ErrInvalidScope().WithDescription("at most one organization can be asked for")
			}
			bound = true
		} else if !slices.Contains(supportedScopes, scope) {
			continue
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// organizationOf returns the organization to which scopes bind; "" for none.
func organizationOf(scopes []string) cloud.ID {
	for _, scope := range scopes {
		if id, ok := strings.CutPrefix(scope, organizationScope); ok {
			return cloud.ID(id)
		}
	}
	return ""
}

// narrow returns the scopes that a refreshed token has: those asked for, which
// must be among those granted (RFC 6749, 6). None asked for means all. What
// binds the tokens stays.
func narrow(granted, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return granted, nil
	}
	asked, err := parseScopes(asked)
	if err != nil {
		return nil, err
	}
	for _, scope := range asked {
		if !slices.Contains(granted, scope) {
			return nil, oidc.ErrInvalidScope().WithDescription("a scope was not granted to begin with")
		}
	}
	if bound := organizationOf(granted); bound != "" && organizationOf(asked) == "" {
		asked = append(asked, organizationScope+string(bound))
	}
	return asked, nil
}
