package cloud

import "time"

// MailKind is what a mail is about.
type MailKind string

// The kinds of mail.
const (
	MailInvitation MailKind = "invitation"
	MailCode       MailKind = "code"
)

// MailRetention is how long mails are kept after they are of no use: until then
// they are counted, and whoever asked for one sees what became of it.
const MailRetention = 24 * time.Hour

// MailState is what became of a mail.
type MailState string

// The states of a mail. Failed is one that was given up.
const (
	MailPending MailState = "pending"
	MailSent    MailState = "sent"
	MailFailed  MailState = "failed"
)

// Mail is one to be sent. It is written in the transaction of what it tells of.
// The link or code in it is made when it is sent, and stored nowhere.
type Mail struct {
	ID         ID
	Kind       MailKind
	Sender     ID // the user who had it sent; "" for nobody who is known
	Recipient  Email
	Reference  string // the invitation's ID, or the sign-in's hash
	Generation int64  // of the invitation's link
	CreatedAt  time.Time
	ExpiresAt  time.Time // after which it is of no use
	Attempts   int64     // that began
	DueAt      time.Time // when it is tried next; zero when it is done with
	State      MailState
	Error      string // why the last attempt failed; for the admin who asked for the mail
}
