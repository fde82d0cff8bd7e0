package observe_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
)

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkMiddleware shows what observing adds to a request: bare is the mux
// and the handler alone, and the others differ in where the log goes.
func BenchmarkMiddleware(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /instances", func(w http.ResponseWriter, r *http.Request) {
		observe.NoteUser(r.Context(), "0198a1b2-0000-7000-8000-000000000001")
		_, _ = io.WriteString(w, "[]")
	})
	newID := func() cloud.ID { return cloud.ID(uuid.Must(uuid.NewV7()).String()) }
	observed := func(log *slog.Logger) http.Handler {
		return observe.Middleware(observe.Config{
			API:        "management",
			Operations: map[string]string{"GET /instances": "ListInstances"},
			Metrics:    observe.NewMetrics("test"),
			Log:        log,
			Now:        time.Now,
			NewID:      newID,
		}, mux)
	}
	file := func(b *testing.B) *os.File {
		f, err := os.Create(filepath.Join(b.TempDir(), "log"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = f.Close() })
		return f
	}
	run := func(b *testing.B, h http.Handler) {
		w := discard{http.Header{}}
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/instances", nil)
		b.ReportAllocs()
		for b.Loop() {
			h.ServeHTTP(w, r)
		}
	}
	b.Run("bare", func(b *testing.B) { run(b, mux) })
	b.Run("log off", func(b *testing.B) { run(b, observed(slog.New(slog.DiscardHandler))) })
	b.Run("log to nothing", func(b *testing.B) {
		log, flush := observe.NewLogger(io.Discard, slog.LevelInfo)
		defer flush()
		run(b, observed(log))
	})
	b.Run("log to a file", func(b *testing.B) {
		log, flush := observe.NewLogger(file(b), slog.LevelInfo)
		defer flush()
		run(b, observed(log))
	})
	b.Run("log to a file, unbuffered slog", func(b *testing.B) {
		run(b, observed(slog.New(slog.NewJSONHandler(file(b), nil))))
	})
}
