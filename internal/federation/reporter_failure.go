package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

const (
	backoffBase = 500 * time.Millisecond
	backoffCap  = 30 * time.Second
	// slowRetry is the least pause where only a person can help; it is at most
	// twice as long.
	slowRetry = 30 * time.Second
	// maxRetryAfter bounds what a plane may ask for with Retry-After.
	maxRetryAfter = 5 * time.Minute
	// refusedOften is how long after one refusal another one counts as more of
	// the same, which trying again soon does not mend.
	refusedOften = 5 * time.Minute
)

// refusal is an answer of the plane other than success.
type refusal struct {
	status     int
	code       wire.ErrorCode
	message    string
	retryAfter time.Duration
}

func (e *refusal) Error() string {
	return fmt.Sprintf("the plane answered %d: %s", e.status, e.message)
}

// inDoubt reports whether a message that failed so may have had, or may yet
// have, its effect, and is worth sending again as it is.
func inDoubt(err error) bool {
	var r *refusal
	return !errors.As(err, &r) || r.status >= http.StatusInternalServerError || r.status == http.StatusTooManyRequests
}

func isFenced(err error) bool   { return isConflict(err, wire.ErrorCodeFenced) }
func isMismatch(err error) bool { return isConflict(err, wire.ErrorCodeMismatch) }

func isConflict(err error, code wire.ErrorCode) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusConflict && r.code == code
}

func isNotFound(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusNotFound
}

// afterFailure decides where to go on after an error, and how long to pause.
func (r *Reporter) afterFailure(ctx context.Context, err error) time.Duration {
	pause := r.backoff(r.failures, err)
	r.failures++
	var refused *refusal
	switch {
	case inDoubt(err) || isMismatch(err) || !errors.As(err, &refused):
		return pause
	case isNotFound(err) && r.state == ReporterSnapshot:
		return pause // it was abandoned; the next one begins
	case isFenced(err):
		// Who has the higher epoch may be nobody: a hello that was given up, by
		// this daemon or one that is gone, arrived after all. A daemon that lives
		// is told apart by its coming back, since this one does so only once.
		r.helloDoubt = time.Time{}
		r.state = ReporterConnecting
		return pause
	case refused.status == http.StatusUnauthorized:
		r.log.ErrorContext(ctx, "the plane does not know this region's credential; give the region the one that "+
			"`penstock admin region create` printed, or one made anew, and start it again")
		return r.slow()
	}
	// What was sent made no sense to the plane. A hello puts both ends on
	// common ground; if that does not help, a newer release might.
	r.state = ReporterConnecting
	before := r.refusedAt
	r.refusedAt = r.now()
	if !before.IsZero() && r.refusedAt.Sub(before) < refusedOften {
		return r.slow()
	}
	return pause
}

func (r *Reporter) slow() time.Duration {
	return slowRetry + time.Duration(r.jitter()*float64(slowRetry))
}

// backoff is the pause after so many failures before this one: exponential
// with full jitter, so that regions cut off together do not come back
// together; at least what the plane asked for.
func (r *Reporter) backoff(failures int, err error) time.Duration {
	ceiling := backoffCap
	if failures < 6 {
		ceiling = min(ceiling, backoffBase<<failures)
	}
	pause := time.Duration(r.jitter() * float64(ceiling))
	var refused *refusal
	if errors.As(err, &refused) {
		pause = max(pause, refused.retryAfter)
	}
	return pause
}

// retryAfter reads the header in its form of seconds (RFC 9110, 10.2.3).
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter) // 16 bits
}
