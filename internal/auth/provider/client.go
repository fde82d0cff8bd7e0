package provider

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// The bounds of one request to a provider.
const (
	timeout      = 10 * time.Second
	maxBody      = 1 << 20 // bytes; key sets of large providers have some 10 KiB
	maxRedirects = 3
)

// newClient speaks to one provider, and to nobody in the clear but on this
// machine.
func newClient(next http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout:   timeout,
		Transport: bounded{next},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return fmt.Errorf("more than %d redirects", maxRedirects)
			case req.URL.Host != via[0].URL.Host:
				return fmt.Errorf("a redirect to another host, %.100q, is not followed", req.URL.Host)
			default:
				return nil
			}
		},
	}
}

// bounded refuses plaintext and answers that are too long.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkURL(req.URL); err != nil {
		return nil, err
	}
	resp, err := b.next.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	}
	return resp, err
}

// checkURL permits https, and http on this machine.
func checkURL(u *url.URL) error {
	switch {
	case u.Host == "" || u.User != nil:
		return errors.New("a provider's URL must have a host and no user")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	default:
		return fmt.Errorf("%.100q must begin with https://", u.Host)
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
