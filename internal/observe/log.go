package observe

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// NewLogger returns a logger of JSON lines, one per record, times in UTC, with
// the request id of the context. Records below Warn may wait for a tenth of a
// second, so that a busy server writes many at once; flush writes what waits,
// and belongs at the end of main.
func NewLogger(w io.Writer, level slog.Leveler) (log *slog.Logger, flush func()) {
	b := &buffer{w: w}
	b.timer = time.AfterFunc(time.Hour, b.Flush)
	b.timer.Stop()
	return slog.New(handler{
		Handler: slog.NewJSONHandler(b, &slog.HandlerOptions{Level: level}),
		flush:   b.Flush,
	}), b.Flush
}

// handler adds to each record what the house wants of all.
type handler struct {
	slog.Handler
	flush func()
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		r = explained(r)
	}
	r.Time = r.Time.UTC()
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.flush() // it may be the last that is heard of us
	}
	return err
}

// explained has what lies behind errors, which their callers do not get to read.
func explained(r slog.Record) slog.Record {
	with := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.AnyValue(cloud.Explain(err))
		}
		with.AddAttrs(a)
		return true
	})
	return with
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.flush}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.flush}
}

const (
	bufferSize  = 64 << 10
	bufferDelay = 100 * time.Millisecond
)

// buffer gathers lines so that a request does not pay for a system call.
type buffer struct {
	w     io.Writer
	timer *time.Timer

	mu    sync.Mutex
	lines []byte
}

// Write implements io.Writer; p is a whole line.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) == 0 {
		b.timer.Reset(bufferDelay)
	}
	b.lines = append(b.lines, p...)
	if len(b.lines) >= bufferSize {
		b.flush()
	}
	return len(p), nil
}

// Flush writes what waits.
func (b *buffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
}

func (b *buffer) flush() {
	if len(b.lines) == 0 {
		return
	}
	b.timer.Stop()
	_, _ = b.w.Write(b.lines) // there is nowhere to tell that the log is gone
	b.lines = b.lines[:0]
}
