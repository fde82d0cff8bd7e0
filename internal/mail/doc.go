// Package mail sends what the plane has to say by mail: invitations and the
// codes of sign-ins.
//
// It owns the words of these mails, the way to the operator's SMTP server, and
// the [Postman] that empties the outbox of the store. Links and codes are made
// here, in the moment in which they are sent, and are kept nowhere.
//
// It does not own when a mail is due to be written: that is enqueued by the use
// case in its own transaction. Nor does it own what a link or code is good for.
package mail
