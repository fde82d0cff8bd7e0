package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/mail/mailtest"
	"github.com/penstock-cloud/penstock/internal/observe"
)

// TestAPIAnswersForAllBelowIt proves of the plane as it is put together that
// paths which a ServeMux would redirect get the API's own answer.
func TestAPIAnswersForAllBelowIt(t *testing.T) {
	t.Parallel()
	p, err := openPlane(t.Context(), planeConfig{
		database: database(filepath.Join(t.TempDir(), "plane.db")), url: "http://plane.example.com", policy: cloud.DefaultHealthPolicy,
		log: slog.New(slog.DiscardHandler), metrics: observe.NewMetrics("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for _, path := range []string{"/api/v1alpha1//user", "/api/v1alpha1/./user", "/api/v1alpha1/x/../user", "/api/../healthz", "/api/v1alpha1/user/", "/api/v2/user", "/api/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, "BREW"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(method, "/", nil)
			r.URL.Path = path
			p.handler.ServeHTTP(w, r)
			if w.Code != http.StatusNotFound || !strings.HasPrefix(w.Body.String(), `{"message":`) || w.Header().Get(observe.RequestIDHeader) == "" {
				t.Errorf("%s %s: %d %s %v", method, path, w.Code, w.Body, w.Header())
			}
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/openapi.yaml": 200, "/docs": 301, "/docs/": 200, "/api/v1alpha1/user": 401, "/nothing": 404} {
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d %s; want %d", path, w.Code, w.Body, want)
		}
	}
}

// TestPlaneSendsMail proves of the plane as it is put together that what is in
// its outbox leaves, with a link to itself.
func TestPlaneSendsMail(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	file, err := identity(t, fmt.Sprintf("mail: {smtp: \"%s:%d\", security: none, from: cloud@example.com}", server.Host, server.Port))
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPlane(t.Context(), planeConfig{
		database: database(filepath.Join(t.TempDir(), "plane.db")), url: "https://plane.example.com", policy: cloud.DefaultHealthPolicy,
		identity: file, log: slog.New(slog.DiscardHandler), metrics: observe.NewMetrics("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.sendMail(ctx) }()

	operator := p.control.As(system)
	if _, err := operator.CreateOrganization(ctx, "engines", "Engines"); err != nil {
		t.Fatal(err)
	}
	charles, err := operator.EnsureMember(ctx, "charles@example.com", "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	caller, err := p.control.Admit(ctx, cloud.Principal{UserID: charles.User.ID}, cloud.ActionManageInvitations, "")
	if err != nil {
		t.Fatal(err)
	}
	i, err := p.control.CreateInvitation(ctx, caller, "", control.NewInvitation{Email: "ada@example.com"})
	if err != nil || i.Mail != cloud.MailPending || i.Link != "" {
		t.Fatalf("got %+v, %v; want a mail that is pending, and no link", i, err)
	}
	token, ours := strings.CutPrefix(server.Await(t, "ada@example.com").Link(t), "https://plane.example.com/invitations/")
	if !ours {
		t.Error("the link leads elsewhere")
	}
	if offer, err := p.control.InvitationByToken(ctx, cloud.NewSecret(token)); err != nil || offer.ID != i.ID {
		t.Errorf("the link opens %q, %v; want %s", offer.ID, err, i.ID)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	err = p.store.Read(t.Context(), func(tx cloud.Reader) (err error) {
		i.Invitation, err = tx.InvitationByID(i.ID, time.Now())
		return err
	})
	if err != nil || i.Mail != cloud.MailSent {
		t.Errorf("the mail is %q, %v", i.Mail, err)
	}
}

// TestPlaneGivesOutTokens proves that the OAuth server is where its metadata says,
// and that nothing else of its library is.
func TestPlaneGivesOutTokens(t *testing.T) {
	t.Parallel()
	p, err := openPlane(t.Context(), planeConfig{
		database: database(filepath.Join(t.TempDir(), "plane.db")), url: "http://plane.example.com", policy: cloud.DefaultHealthPolicy,
		log: slog.New(slog.DiscardHandler), metrics: observe.NewMetrics("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	var metadata map[string]any
	if err := json.Unmarshal(ask(http.MethodGet, issuer.DiscoveryPath).Body.Bytes(), &metadata); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"authorization_endpoint": 400, "token_endpoint": 400, "device_authorization_endpoint": 400,
		"revocation_endpoint": 400, "userinfo_endpoint": 401, "end_session_endpoint": 302,
	} {
		url, _ := metadata[name].(string)
		path, ours := strings.CutPrefix(url, "http://plane.example.com")
		w := ask(http.MethodPost, path)
		if !ours || w.Code != want || w.Header().Get(observe.RequestIDHeader) == "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s at %s: %d %s %v; want %d", name, url, w.Code, w.Body, w.Header(), want)
		}
	}
	for _, path := range []string{"/ready", "/keys", "/oauth/introspect", "/oauth/", "/authorize"} {
		if w := ask(http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := ask(http.MethodGet, "/oauth/token?grant_type=client_credentials"); w.Code < 400 || w.Code >= 500 {
		t.Errorf("a token by GET: %d %s", w.Code, w.Body)
	}
}
