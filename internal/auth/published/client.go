package published

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/auth/remote"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// maxDocument bounds each of the plane's documents, in bytes: about a thousand
// keys, where a plane that makes a new one each day has 366.
const maxDocument = 512 << 10

// client fetches the documents of a plane.
type client struct {
	base string // the plane's URL
	http remote.Client
}

func newClient(c Config) (client, error) {
	base, err := cloud.PlaneURL(c.Plane, c.Plaintext)
	if err != nil {
		return client{}, err
	}
	return client{base, remote.NewClient(c.Transport, c.Roots, maxDocument)}, nil
}

// fetch gets both documents. One that changes in between is seen next time.
func (c client) fetch(ctx context.Context) (documents, error) {
	d := documents{Plane: c.base}
	var err error
	if d.Discovery, err = c.http.Get(ctx, c.base+issuer.DiscoveryPath); err != nil {
		return d, err
	}
	d.JWKS, err = c.http.Get(ctx, c.base+issuer.JWKSPath)
	return d, err
}
