package mailtest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
)

// Mail is one that came, as its recipient gets to read it.
type Mail struct {
	From, To string // of the envelope
	Header   mail.Header
	Subject  string // decoded
	Text     string
	HTML     string
	Raw      string
}

var (
	linkPattern = regexp.MustCompile(`https?://[^\s"<>]+/invitations/[A-Za-z0-9_-]+`)
	codePattern = regexp.MustCompile(`(?m)^\s*(\d{4}) ?(\d{4})\s*$`)
)

// Link returns the link of an invitation. The test fails unless both forms of
// the mail have one, and the same.
func (m Mail) Link(t testing.TB) string {
	t.Helper()
	text, html := linkPattern.FindString(m.Text), linkPattern.FindString(m.HTML)
	if text == "" || text != html {
		t.Fatalf("the mail %q has the links %q and %q in its text and its HTML", m.Subject, text, html)
	}
	return text
}

// Code returns the 8 digits of a code, which stand in a line of their own. The
// test fails if there are none.
func (m Mail) Code(t testing.TB) string {
	t.Helper()
	found := codePattern.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("the mail %q has no code", m.Subject)
	}
	return found[1] + found[2]
}

// parse reads a message of RFC 5322 whose parts are alternatives.
func parse(raw []byte) (Mail, error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	m := Mail{Header: msg.Header, Raw: string(raw)}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		return Mail{}, err
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		return Mail{}, err
	}
	if kind != "multipart/alternative" {
		return m, m.add(textproto.MIMEHeader(msg.Header), msg.Body)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return Mail{}, err
		}
		if err := m.add(part.Header, part); err != nil {
			return Mail{}, err
		}
	}
}

// add takes one part of the mail.
func (m *Mail) add(header textproto.MIMEHeader, body io.Reader) error {
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case err != nil:
		return err
	case !strings.EqualFold(params["charset"], "utf-8"):
		return fmt.Errorf("a part is of the charset %q", params["charset"])
	case kind == "text/plain":
		m.Text = text
	case kind == "text/html":
		m.HTML = text
	default:
		return fmt.Errorf("a part is of the type %q", kind)
	}
	return nil
}
