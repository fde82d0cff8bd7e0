package resttest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Checked is a transport that holds every answer against a contract.
type Checked struct {
	T        testing.TB
	Contract *Contract
	Next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c Checked) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.Next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.Contract.Check(request, response, body); err != nil {
		c.T.Errorf("%s %s: %d is not as documented: %v", request.Method, request.URL.Path, response.StatusCode, err)
	}
	return response, nil
}

// InProcess is a transport to a handler. Over a network a connection may break
// before the answer to a body that is too long has been read.
type InProcess struct{ Handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (p InProcess) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	incoming := request.Clone(request.Context())
	incoming.RequestURI = request.URL.RequestURI()
	if incoming.Body == nil {
		incoming.Body = http.NoBody // as servers have it
	}
	p.Handler.ServeHTTP(recorder, incoming)
	response := recorder.Result()
	response.Request = request
	return response, nil
}
