package signin

import (
	"net/url"
	"path"
	"strings"
)

// accountPath is where a browser goes that has nowhere else to go.
const accountPath = "/account"

// maxPath bounds a path to return to, in bytes.
const maxPath = 1000

// returnPath is where a browser goes on: a path of ours, whatever was asked
// for. Browsers take a backslash for a slash, and two slashes for another host.
func returnPath(asked string) string {
	u, err := url.Parse(asked)
	switch {
	case err != nil, len(asked) > maxPath, u.Scheme != "", u.Host != "", u.User != nil, u.Opaque != "":
		return accountPath
	case !strings.HasPrefix(u.Path, "/"), strings.ContainsFunc(u.Path+u.RawQuery, odd), path.Clean(u.Path) != u.Path:
		return accountPath
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

func odd(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }

func withReturn(page, to string) string {
	return page + "?" + url.Values{"return_to": {to}}.Encode()
}
