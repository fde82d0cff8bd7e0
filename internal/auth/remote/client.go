package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Client fetches documents of a bounded size. It follows no redirect, which
// would make whatever it points to the one to be believed.
type Client struct {
	http *http.Client
	most int64
}

// NewClient returns a client of documents of at most so many bytes. A transport
// that is nil means a new one of net/http, and roots that are nil the system's.
func NewClient(transport http.RoundTripper, roots *x509.CertPool, most int64) Client {
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		transport = t
	}
	return Client{&http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, most}
}

// Get fetches one document. Its errors say what of the URL is wrong, and are no
// domain errors yet.
func (c Client) Get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, fmt.Errorf("%s redirects to %.200q, which is not followed; if that is the place, that is the URL to give", url, resp.Header.Get("Location"))
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s is answered with %d; is the URL right?", url, resp.StatusCode)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, c.most))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, fmt.Errorf("%s has over %d bytes", url, c.most)
	}
	return body, err
}
