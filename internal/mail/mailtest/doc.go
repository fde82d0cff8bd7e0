// Package mailtest gives tests a real SMTP server on loopback, which keeps the
// mails that it gets, and reads them as a recipient's program does.
//
//	server := mailtest.Start(t, mailtest.Options{})
//	// … have the plane send to server.Host and server.Port, without security …
//	mail := server.Await(t, "ada@example.com")
//	page.Navigate(mail.Link(t)) // of an invitation
//	page.Type(mail.Code(t))     // of a sign-in
//
// It owns the server and the reading of mails. It knows nothing of what sends
// them, nor of what they should say.
package mailtest
