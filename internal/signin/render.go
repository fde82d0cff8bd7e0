package signin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed style.css
var style []byte

// stylePath is named after what the style says, so that browsers keep it.
var stylePath = "/sign-in/style-" + shortHash(style) + ".css"

func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(style) // a browser that is gone
}

// templates holds each page within the layout.
var templates = parseTemplates("account", "agree", "code", "device", "error", "hop", "invitation", "message", "signin", "signout")

func parseTemplates(names ...string) map[string]*template.Template {
	functions := template.FuncMap{
		"style": func() string { return stylePath },
		"day":   func(t time.Time) string { return t.UTC().Format("2 January 2006") },
		"when":  func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
	}
	layout := template.Must(template.New("layout.html").Funcs(functions).ParseFS(templateFiles, "templates/layout.html"))
	parsed := make(map[string]*template.Template, len(names))
	for _, name := range names {
		parsed[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return parsed
}

// frame is what every page has.
type frame struct {
	Title string
	User  *cloud.User // who is signed in; nil for nobody
	Error string      // what was refused, above the form that mends it
	Data  any         // the page's own
}

func render(w http.ResponseWriter, status int, name string, f frame) error {
	var page bytes.Buffer
	if err := templates[name].Execute(&page, f); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // a browser that is gone
	return nil
}

// hop sends a browser on to another site. A redirect would not do: after a
// form, browsers hold each stop on the way against the policy of where forms may
// go, and whoever signs people in may send them through hosts that we do not
// know.
func hop(w http.ResponseWriter, to, where string) error {
	w.Header().Set("Refresh", "0;url="+to)
	return render(w, http.StatusOK, "hop", frame{Title: "One moment", Data: map[string]string{"To": to, "Where": where}})
}

// fail shows a page that says what was refused. What is our own fault, or a
// provider's, is for the log. The path is not: it may hold what an invitation
// is accepted with.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, message := s.explain(w, r, err)
	if err := render(w, status, "error", frame{Title: "That did not work", Error: message}); err != nil {
		s.config.Log.ErrorContext(r.Context(), "a page could not be made", "page", r.Pattern, "error", err)
		http.Error(w, message, http.StatusInternalServerError)
	}
}

// explain returns what is told of an error, and notes the rest.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, err error) (status int, message string) {
	var refusal *cloud.Error
	if !errors.As(err, &refusal) {
		if r.Context().Err() == nil {
			s.config.Log.ErrorContext(r.Context(), "a page failed", "page", r.Pattern, "error", err)
		}
		return http.StatusInternalServerError, "something went wrong here; try again, and tell whoever runs this cloud the id of this request: " + w.Header().Get("X-Request-Id")
	}
	if refusal.Code == cloud.CodeUnavailable && r.Context().Err() == nil {
		w.Header().Set("Retry-After", "5")
		s.config.Log.WarnContext(r.Context(), "a page was refused while a dependency is away", "page", r.Pattern, "error", refusal.Unwrap())
	}
	return rest.Status(refusal.Code), refusal.Message
}
