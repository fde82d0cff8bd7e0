package cloud

import (
	"net/netip"
	"net/url"
	"strings"
)

// PlaneURL checks where a region finds its plane, and returns it without a
// slash at the end. CodeInvalid unless it is https, or http on a loopback address
// or where plaintext permits that.
func PlaneURL(plane string, plaintext bool) (string, error) {
	u, err := url.Parse(plane)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", Invalid("the plane's URL must be like https://plane.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", Invalid("the plane's URL must have no user, query or fragment; got %s", u.Redacted())
	}
	if u.Scheme == "http" && !plaintext && !isLoopback(u.Hostname()) {
		return "", Invalid("the plane's URL must begin with https://, since the region's credential would travel to %s in the clear; --plane-plaintext permits it", u.Host)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
