package cloud

import (
	"errors"
	"fmt"
)

// Code is the closed set of reasons for which a request is refused. One place
// in each HTTP package maps a code to a status.
type Code string

// The codes. What is not one of them is an internal error, whose text is for
// the log and never for the caller.
const (
	CodeInvalid         Code = "invalid"         // the input is wrong; the message says how to mend it
	CodeUnauthenticated Code = "unauthenticated" // nobody we know is calling
	CodeForbidden       Code = "forbidden"       // the caller may not do this
	CodeNotFound        Code = "not_found"       // there is no such thing, or not for this caller
	CodeConflict        Code = "conflict"        // the state of the thing does not allow it
	CodeLimited         Code = "limited"         // the caller asks too often; later it helps
	CodeTooLarge        Code = "too_large"       // the input is over its bound
	CodeUnavailable     Code = "unavailable"     // a part that we depend on is away; trying again helps
	CodeUnimplemented   Code = "unimplemented"   // this deployment cannot do it
)

// Error is a refusal whose message is written for the caller.
type Error struct {
	Code    Code
	Message string
	cause   error
}

// Error returns the message for the caller.
func (e *Error) Error() string { return e.Message }

// Unwrap returns what lay behind the refusal, for the log; it may be nil.
func (e *Error) Unwrap() error { return e.cause }

// Explain returns the error as an operator gets to read it: with what lay behind
// the refusal.
func Explain(err error) error {
	var e *Error
	switch {
	case !errors.As(err, &e) || e.cause == nil:
		return err
	case err == error(e): //nolint:errorlint // nothing is wrapped around it
		return e.cause
	default:
		return fmt.Errorf("%w: %w", err, e.cause)
	}
}

// CodeOf returns the code of the first domain error in err's chain, or "" if
// there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// About says what an error is about; a refusal's caller gets to read it too.
func About(what string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return &Error{Code: e.Code, Message: what + ": " + e.Message, cause: e.cause}
}

// Invalid says what is wrong with the input and how to mend it.
func Invalid(format string, args ...any) error { return newError(CodeInvalid, format, args) }

// Unauthenticated says that the caller's proof of identity does not hold.
func Unauthenticated(format string, args ...any) error {
	return newError(CodeUnauthenticated, format, args)
}

// Forbidden says that a known caller may not do this.
func Forbidden(format string, args ...any) error { return newError(CodeForbidden, format, args) }

// NotFound says that the thing does not exist for this caller.
func NotFound(format string, args ...any) error { return newError(CodeNotFound, format, args) }

// Conflict says which state stands in the way.
func Conflict(format string, args ...any) error { return newError(CodeConflict, format, args) }

// Limited says that the caller asks too often, and when to come again.
func Limited(format string, args ...any) error { return newError(CodeLimited, format, args) }

// TooLarge says which bound was passed.
func TooLarge(format string, args ...any) error { return newError(CodeTooLarge, format, args) }

// Unimplemented says what this deployment cannot do.
func Unimplemented(format string, args ...any) error {
	return newError(CodeUnimplemented, format, args)
}

// Unavailable wraps the failure of a part that we depend on. The caller is
// told only to try again; the cause is for the log.
func Unavailable(cause error) error {
	return &Error{Code: CodeUnavailable, Message: "temporarily unavailable; try again shortly", cause: cause}
}

func newError(code Code, format string, args []any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
