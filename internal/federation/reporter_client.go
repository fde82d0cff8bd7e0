package federation

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

const (
	// requestTimeout bounds a message with its answer.
	requestTimeout = 30 * time.Second
	// maxAnswer bounds the body of an answer, in bytes. The largest is a grant
	// with many keys, which JSON may write in up to six times their bytes.
	maxAnswer = 512 << 10
	// maxRefusalText bounds, in bytes, what is logged of a refusal's message.
	maxRefusalText = 500
)

// planeClient sends the messages of the protocol and sorts the answers into
// values and errors; a *refusal is an answer other than success.
type planeClient struct{ api *wire.ClientWithResponses }

func newPlaneClient(c ReporterConfig) (*planeClient, error) {
	plane, err := cloud.PlaneURL(c.Plane, c.Plaintext)
	if err != nil {
		return nil, err
	}
	transport := c.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
		transport = t
	}
	client := &http.Client{
		Transport: boundedTransport{transport},
		Timeout:   requestTimeout,
		// A redirect would take the credential to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	credential := c.Credential
	api, err := wire.NewClientWithResponses(plane+BasePath, wire.WithHTTPClient(client),
		wire.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+credential.Reveal())
			req.Header.Set("Accept", "application/json")
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("make a client for the plane: %w", err)
	}
	return &planeClient{api}, nil
}

// boundedTransport bounds the answers, so that nothing in the plane's place
// can fill the region's memory.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

func (c *planeClient) hello(ctx context.Context, m wire.HelloRequest) (wire.Welcome, error) {
	resp, err := c.api.HelloWithResponse(ctx, m)
	switch {
	case err != nil:
		return wire.Welcome{}, err
	case resp.JSON200 == nil:
		return wire.Welcome{}, newRefusal(resp.HTTPResponse, resp.Body)
	case !resp.JSON200.Next.Valid():
		return wire.Welcome{}, fmt.Errorf("the plane says to go on with %q, which this release does not know", resp.JSON200.Next)
	}
	return *resp.JSON200, nil
}

func (c *planeClient) sync(ctx context.Context, m wire.SyncRequest) (wire.SyncAnswer, error) {
	resp, err := c.api.SyncWithResponse(ctx, m)
	switch {
	case err != nil:
		return wire.SyncAnswer{}, err
	case resp.JSON200 == nil:
		return wire.SyncAnswer{}, newRefusal(resp.HTTPResponse, resp.Body)
	case !resp.JSON200.Outcome.Valid():
		return wire.SyncAnswer{}, fmt.Errorf("the plane answers with outcome %q, which this release does not know", resp.JSON200.Outcome)
	}
	return *resp.JSON200, nil
}

func (c *planeClient) reportAudit(ctx context.Context, m wire.AuditReport) (wire.AuditAnswer, error) {
	resp, err := c.api.ReportAuditWithResponse(ctx, m)
	if err != nil {
		return wire.AuditAnswer{}, err
	}
	if resp.JSON200 == nil {
		return wire.AuditAnswer{}, newRefusal(resp.HTTPResponse, resp.Body)
	}
	return *resp.JSON200, nil
}

func (c *planeClient) grant(ctx context.Context, m wire.GetGrantParams) (wire.Grant, error) {
	resp, err := c.api.GetGrantWithResponse(ctx, &m)
	if err != nil {
		return wire.Grant{}, err
	}
	if resp.JSON200 == nil {
		return wire.Grant{}, newRefusal(resp.HTTPResponse, resp.Body)
	}
	return *resp.JSON200, nil
}

func (c *planeClient) identity(ctx context.Context, m wire.GetIdentityParams) (wire.Identity, error) {
	resp, err := c.api.GetIdentityWithResponse(ctx, &m)
	if err != nil {
		return wire.Identity{}, err
	}
	if resp.JSON200 == nil {
		return wire.Identity{}, newRefusal(resp.HTTPResponse, resp.Body)
	}
	return *resp.JSON200, nil
}

func (c *planeClient) beginSnapshot(ctx context.Context, m wire.SnapshotRequest) (wire.SnapshotBegun, error) {
	resp, err := c.api.BeginSnapshotWithResponse(ctx, m)
	if err != nil {
		return wire.SnapshotBegun{}, err
	}
	if resp.JSON201 == nil {
		return wire.SnapshotBegun{}, newRefusal(resp.HTTPResponse, resp.Body)
	}
	return *resp.JSON201, nil
}

func (c *planeClient) putPage(ctx context.Context, snapshot string, number int, m wire.SnapshotPage) error {
	resp, err := c.api.PutSnapshotPageWithResponse(ctx, snapshot, number, m)
	if err != nil {
		return err
	}
	return noContent(resp.HTTPResponse, resp.Body)
}

func (c *planeClient) commitSnapshot(ctx context.Context, snapshot string, m wire.SnapshotCommit) error {
	resp, err := c.api.CommitSnapshotWithResponse(ctx, snapshot, m)
	if err != nil {
		return err
	}
	return noContent(resp.HTTPResponse, resp.Body)
}

func noContent(resp *http.Response, body []byte) error {
	if resp.StatusCode == http.StatusNoContent {
		return nil
	}
	return newRefusal(resp, body)
}

// newRefusal reads an answer other than success, which may come from the
// plane or from whatever stands in front of it.
func newRefusal(resp *http.Response, body []byte) error {
	r := &refusal{status: resp.StatusCode, retryAfter: retryAfter(resp.Header)}
	var e wire.Error
	switch err := json.Unmarshal(body, &e); {
	case err == nil && e.Message != "":
		r.message = strings.ToValidUTF8(e.Message[:min(len(e.Message), maxRefusalText)], "")
	case resp.StatusCode < http.StatusBadRequest:
		r.message = "not an answer of the federation API; is this the plane's URL?"
	default:
		r.message = http.StatusText(resp.StatusCode)
	}
	if e.Code != nil {
		r.code = *e.Code
	}
	return r
}
