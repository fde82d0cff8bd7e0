package oauth

import (
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
)

// Discovery serves the server's metadata (OpenID Connect Discovery 1.0, 3) at
// issuer.DiscoveryPath, in the name of the issuer's current URL.
func Discovery(source auth.KeySource, fail issuer.Fail) http.Handler {
	return issuer.Publish(source, fail, func(keys *auth.KeySet) (any, error) {
		if len(keys.Issuers) == 0 {
			return nil, errNoURL
		}
		return metadata(keys.Issuers[0]), nil
	})
}

func metadata(url string) oidc.DiscoveryConfiguration {
	methods := []oidc.AuthMethod{oidc.AuthMethodNone, oidc.AuthMethodBasic, oidc.AuthMethodPost}
	return oidc.DiscoveryConfiguration{
		Issuer:                                 url,
		AuthorizationEndpoint:                  at(url, AuthorizePath),
		TokenEndpoint:                          at(url, TokenPath),
		DeviceAuthorizationEndpoint:            at(url, DevicePath),
		RevocationEndpoint:                     at(url, RevokePath),
		UserinfoEndpoint:                       at(url, UserinfoPath),
		EndSessionEndpoint:                     at(url, EndSessionPath),
		JwksURI:                                at(url, issuer.JWKSPath),
		ScopesSupported:                        supportedScopes,
		ResponseTypesSupported:                 []string{string(oidc.ResponseTypeCode)},
		ResponseModesSupported:                 []string{string(oidc.ResponseModeQuery)},
		GrantTypesSupported:                    []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode, oidc.GrantTypeClientCredentials},
		SubjectTypesSupported:                  []string{"public"},
		IDTokenSigningAlgValuesSupported:       []string{auth.RS256},
		TokenEndpointAuthMethodsSupported:      methods,
		RevocationEndpointAuthMethodsSupported: methods,
		ClaimsSupported:                        []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "azp", "at_hash", "name", "email", "email_verified"},
		CodeChallengeMethodsSupported:          []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
	}
}
