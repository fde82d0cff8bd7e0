package oauth

import (
	"net/http"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/penstock-cloud/penstock/internal/auth"
)

const (
	maxForm  = 64 << 10 // bytes of a body
	maxQuery = 16 << 10 // bytes of an URL's query
)

// limits are the longest values of the parameters that we read, in bytes. Others
// are ignored (RFC 6749, 3.1 and 3.2), such as audience, which some clients send:
// there is one audience.
var limits = map[string]int{
	"acr_values":               256,
	"client_assertion":         auth.MaxToken,
	"client_assertion_type":    128,
	"client_id":                128,
	"client_secret":            256,
	"code":                     128,
	"code_challenge":           128, // RFC 7636, 4.2
	"code_challenge_method":    16,
	"code_verifier":            128, // RFC 7636, 4.1
	"device_code":              128,
	"display":                  16,
	"grant_type":               128,
	"id_token_hint":            auth.MaxToken,
	"login_hint":               320,
	"logout_hint":              320,
	"max_age":                  10,
	"nonce":                    512,
	"post_logout_redirect_uri": 1024,
	"prompt":                   64,
	"redirect_uri":             1024,
	"refresh_token":            128,
	"request":                  auth.MaxToken,
	"response_mode":            32,
	"response_type":            64,
	"scope":                    1024,
	"state":                    512,
	"token":                    auth.MaxToken,
	"token_type_hint":          64,
	"ui_locales":               128,
}

// readForm reads a request's parameters and refuses what is too much. Secrets do
// not belong into URLs, which are logged: where a client sends them, only the
// body counts, and for access tokens only the header.
func readForm(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return r, oidc.ErrInvalidRequest().WithDescription("the query must be at most %d bytes", maxQuery)
	}
	switch r.URL.Path {
	case TokenPath, DevicePath, RevokePath:
		bare := *r.URL
		bare.RawQuery = ""
		r.URL = &bare
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return r, oidc.ErrInvalidRequest().WithDescription("the parameters must be a form of at most %d bytes", maxForm)
	}
	r.Form.Del("access_token")
	return r, checkForm(r.Form)
}

func checkForm(form url.Values) error {
	for name, values := range form {
		limit, read := limits[name]
		switch {
		case len(values) == 1 && values[0] == "":
			form.Del(name) // as if it were not there (RFC 6749, 3.1 and 3.2)
		case !read:
		case len(values) > 1:
			return oidc.ErrInvalidRequest().WithDescription("%s must be given once", name)
		case len(values[0]) > limit:
			return oidc.ErrInvalidRequest().WithDescription("%s must be at most %d bytes", name, limit)
		}
	}
	return nil
}
