package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
)

// TestStrangersAreLimited proves of the plane as it is put together that an
// address which asks too often is refused: by the OAuth server in the form that
// its clients read, by the pages with a page, and by the API with a message. Each
// counts for the others; another address is not concerned.
func TestStrangersAreLimited(t *testing.T) {
	t.Parallel()
	p, err := openPlane(t.Context(), planeConfig{
		database: database(filepath.Join(t.TempDir(), "plane.db")), url: "http://plane.example.com", policy: cloud.DefaultHealthPolicy,
		rate: 1, log: slog.New(slog.DiscardHandler), metrics: observe.NewMetrics("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	ask := func(from, method, path string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = from + ":4711"
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, r)
		return w
	}
	guess := url.Values{"grant_type": {"client_credentials"}, "client_id": {"019cae00-0000-7000-8000-000000000001"}, "client_secret": {"guessed"}}
	if w := ask("192.0.2.1", http.MethodPost, oauth.TokenPath, guess); w.Code != http.StatusUnauthorized {
		t.Fatalf("the first guess: %d %s", w.Code, w.Body)
	}
	// While a request takes a second, another one is permitted.
	insist := func(operation string, form url.Values) (w *httptest.ResponseRecorder) {
		method, path, _ := strings.Cut(operation, " ")
		for range 100 {
			if w = ask("192.0.2.1", method, path, form); w.Code == http.StatusTooManyRequests {
				break
			}
		}
		return w
	}
	for _, pattern := range p.oauth.Patterns() {
		w := insist(pattern, guess)
		var said struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code != http.StatusTooManyRequests ||
			said.Error != "slow_down" || !strings.Contains(said.Description, "try again in") || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s %v", pattern, w.Code, w.Body, w.Header())
		}
	}
	for _, page := range []string{"GET /sign-in", "POST /sign-in", "GET /invitations/x", "GET /device"} {
		if w := insist(page, nil); w.Code != http.StatusTooManyRequests || !strings.HasPrefix(w.Body.String(), "<!") || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %.100s %v", page, w.Code, w.Body, w.Header())
		}
	}
	if w := insist("GET /api/v1alpha1/user", nil); w.Code != http.StatusTooManyRequests || !strings.HasPrefix(w.Body.String(), `{"message":`) {
		t.Errorf("the API: %d %s", w.Code, w.Body)
	}
	if w := ask("192.0.2.2", http.MethodGet, "/sign-in", nil); w.Code != http.StatusOK {
		t.Errorf("from another address: %d %s", w.Code, w.Body)
	}
}

// TestClientsReadThatTheyAreLimited asks with a client of OAuth's.
func TestClientsReadThatTheyAreLimited(t *testing.T) {
	t.Parallel()
	p, err := openPlane(t.Context(), planeConfig{
		database: database(filepath.Join(t.TempDir(), "plane.db")), url: "http://plane.example.com", policy: cloud.DefaultHealthPolicy,
		rate: 1, log: slog.New(slog.DiscardHandler), metrics: observe.NewMetrics("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	web := httptest.NewServer(p.handler)
	defer web.Close()
	client := oauth2.Config{
		ClientID: oauth.ClientCLI, RedirectURL: "http://127.0.0.1:1/callback",
		Endpoint: oauth2.Endpoint{TokenURL: web.URL + oauth.TokenPath, AuthStyle: oauth2.AuthStyleInParams},
	}
	var refused *oauth2.RetrieveError
	for range 100 {
		_, err := client.Exchange(t.Context(), "guessed", oauth2.VerifierOption(oauth2.GenerateVerifier()))
		if !errors.As(err, &refused) {
			t.Fatalf("got %v", err)
		}
		if refused.ErrorCode == "slow_down" {
			return
		}
	}
	t.Errorf("after 100 guesses: %v", refused)
}
