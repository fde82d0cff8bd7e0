package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
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

	now := time.Now()
	i := cloud.Invitation{ID: newID(), OrganizationID: newID(), Email: "ada@example.com", Role: cloud.RoleViewer, InvitedBy: newID(), CreatedAt: now, ExpiresAt: now.Add(cloud.InvitationTTL), Generation: 1}
	err = p.store.Write(ctx, func(tx cloud.Writer) error {
		return errors.Join(
			tx.CreateOrganization(cloud.Organization{ID: i.OrganizationID, Name: "engines", DisplayName: "Engines", CreatedAt: now}),
			tx.CreateUser(cloud.User{ID: i.InvitedBy, Email: "charles@example.com", Name: "Charles", Kind: cloud.Person, CreatedAt: now}),
			tx.CreateInvitation(i),
			tx.EnqueueMail(cloud.Mail{
				ID: newID(), Kind: cloud.MailInvitation, Recipient: i.Email, Reference: string(i.ID), Generation: 1,
				CreatedAt: now, ExpiresAt: i.ExpiresAt, DueAt: now, State: cloud.MailPending,
			}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	p.postman.Wake()
	if link := server.Await(t, "ada@example.com").Link(t); !strings.HasPrefix(link, "https://plane.example.com/invitations/") {
		t.Errorf("the link is %s", link)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	err = p.store.Read(t.Context(), func(tx cloud.Reader) (err error) {
		i, err = tx.InvitationByID(i.ID, now)
		return err
	})
	if err != nil || i.Mail != cloud.MailSent {
		t.Errorf("the mail is %q, %v", i.Mail, err)
	}
}
