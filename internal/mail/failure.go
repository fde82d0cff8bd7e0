package mail

import (
	"errors"
	"fmt"

	gomail "github.com/wneessen/go-mail"
)

// Failure is why a mail was not sent.
type Failure struct {
	// Cause is for the admin who asked for the mail, who may not be the operator:
	// short, and without addresses, secrets, or what a server wrote.
	Cause string
	Final bool // trying again would not help
	// OfServer says that it is not about this mail: others would fail as well.
	OfServer bool

	detail error // for the operator's log
}

// Error returns what the operator needs to know. It names no recipient, and
// holds nothing of a mail's content.
func (f *Failure) Error() string {
	if f.detail == nil {
		return f.Cause
	}
	return f.Cause + ": " + f.detail.Error()
}

// Unwrap returns what lay behind it; it may be nil.
func (f *Failure) Unwrap() error { return f.detail }

// ofServer is the failure of everything until a server listens to us.
func ofServer(err error) *Failure {
	return &Failure{Cause: "the mail server cannot be used just now; the operator's log says why", OfServer: true, detail: err}
}

// permanent is the first code of SMTP that says never (RFC 5321, 4.2.1).
const permanent = 500

// ofMessage sorts the failure of a mail that the server was given. Servers repeat
// in their answers what they were told, addresses and links, so once they were
// told them only the codes are taken from there.
func ofMessage(err error) *Failure {
	var refused *gomail.SendError
	if !errors.As(err, &refused) {
		return ofServer(errors.New("the connection broke")) // whatever it is, its text may have anything in it
	}
	final := refused.ErrorCode() >= permanent
	switch refused.Reason {
	case gomail.ErrSMTPRcptTo:
		return &Failure{Cause: "the mail server does not take mail for this address" + codes(refused), Final: final}
	case gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		if refused.ErrorCode() != 0 {
			return &Failure{Cause: "the mail server does not take this mail" + codes(refused), Final: final}
		}
	case gomail.ErrSMTPMailFrom:
		if refused.ErrorCode() != 0 {
			return ofServer(fmt.Errorf("it does not take mail from our address%s; see mail.from", codes(refused)))
		}
	default:
	}
	return ofServer(fmt.Errorf("the connection broke while %s", refused.Reason))
}

// codes are the numbers of a refusal: " (550 5.1.1)".
func codes(e *gomail.SendError) string {
	switch {
	case e.ErrorCode() == 0:
		return ""
	case e.EnhancedStatusCode() == "":
		return fmt.Sprintf(" (%d)", e.ErrorCode())
	default:
		return fmt.Sprintf(" (%d %s)", e.ErrorCode(), e.EnhancedStatusCode())
	}
}
