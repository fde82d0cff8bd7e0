package published

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// maxDocument bounds each of the plane's documents, in bytes: about a thousand
// keys, where a plane that makes a new one each day has 366.
const maxDocument = 512 << 10

// client fetches the documents of a plane.
type client struct {
	base string // the plane's URL
	http *http.Client
}

func newClient(c Config) (client, error) {
	base, err := cloud.PlaneURL(c.Plane, c.Plaintext)
	if err != nil {
		return client{}, err
	}
	transport := c.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
		transport = t
	}
	return client{base, &http.Client{
		Transport: transport,
		// A redirect would make whatever it points to the one to be believed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// fetch gets both documents. One that changes in between is seen next time.
func (c client) fetch(ctx context.Context) (documents, error) {
	d := documents{Plane: c.base}
	var err error
	if d.Discovery, err = c.get(ctx, issuer.DiscoveryPath); err != nil {
		return d, err
	}
	d.JWKS, err = c.get(ctx, issuer.JWKSPath)
	return d, err
}

func (c client) get(ctx context.Context, path string) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
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
		return nil, fmt.Errorf("%s redirects to %.200q, which is not followed; if the plane is there, that is the URL to give", path, resp.Header.Get("Location"))
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s is answered with %d; is this the plane's URL?", path, resp.StatusCode)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxDocument))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, fmt.Errorf("%s has over %d bytes", path, maxDocument)
	}
	return body, err
}
