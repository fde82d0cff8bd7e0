package mail

import (
	"embed"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

//go:embed templates
var templates embed.FS

var (
	texts = texttemplate.Must(texttemplate.New("").ParseFS(templates, "templates/*.txt"))
	pages = htmltemplate.Must(htmltemplate.New("").ParseFS(templates, "templates/*.html"))
)

// invitationWords are what the mail of an invitation is filled with.
type invitationWords struct {
	Subject, Site string
	Recipient     cloud.Email
	Inviter       string // "" if nobody knows any longer
	Organization  string
	Role          cloud.Role
	May           string
	Link          string
	Until         string
}

// codeWords are what the mail with a code is filled with. The subject does not
// have the code: subjects stand in the logs of servers, and on locked screens.
type codeWords struct {
	Subject, Site string
	Code          string
	AskedAt       string
	Minutes       int
}

// may says what a role permits, to somebody who has never seen it.
var may = map[cloud.Role]string{
	cloud.RoleViewer: "you may look at what it runs",
	cloud.RoleEditor: "you may launch, change and stop what it runs",
	cloud.RoleAdmin:  "you may manage its members as well as what it runs",
}

// moment is an instant as mails tell it.
func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// write fills the templates of a kind of mail.
func write(kind cloud.MailKind, words any) (text, html string, err error) {
	var t, h strings.Builder
	if err := texts.ExecuteTemplate(&t, string(kind)+".txt", words); err != nil {
		return "", "", err
	}
	err = pages.ExecuteTemplate(&h, string(kind)+".html", words)
	return t.String(), h.String(), err
}
