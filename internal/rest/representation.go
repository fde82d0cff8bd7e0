package rest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Representation is the answer to a GET, encoded once and served often. It is
// immutable and safe for concurrent use.
type Representation struct {
	etag          string // without quotes
	plain, zipped form   // zipped has no body where compression does not pay
	link          []string
}

// form is a representation in one encoding. Headers are kept as net/http keeps
// them, so that serving makes none anew.
type form struct {
	body     func() []byte
	tag      []string // ETag
	encoding []string // Content-Encoding; nil for none
}

// minGzip is the size, in bytes, from which compression pays.
const minGzip = 1024

// NewRepresentation encodes a value as JSON. link is the value of the Link
// header, or "".
func NewRepresentation(value any, link string) (*Representation, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n') // for whoever reads it in a terminal
	rep := &Representation{etag: tagOf(link, body)}
	if link != "" {
		rep.link = []string{link}
	}
	// A strong tag names one sequence of bytes, so each encoding has its own.
	rep.plain = form{body: func() []byte { return body }, tag: []string{`"` + rep.etag + `"`}}
	if len(body) >= minGzip {
		rep.zipped = form{
			body:     sync.OnceValue(func() []byte { return compress(body) }),
			tag:      []string{`"` + rep.etag + `-gzip"`},
			encoding: []string{"gzip"},
		}
	}
	return rep, nil
}

// tagOf names a body and the link beside it: a page that gets a successor is
// another one than before.
func tagOf(link string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(link))
	h.Write(body)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// Size is how much memory it takes, in bytes, once both forms were served.
func (rep *Representation) Size() int {
	n := len(rep.plain.body())
	return representationSize + n + n/4
}

// representationSize is about what a representation takes beside its body, in
// bytes.
const representationSize = 512

func compress(body []byte) []byte {
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	_, _ = zw.Write(body) // a bytes.Buffer never fails
	_ = zw.Close()
	return out.Bytes()
}

// What the headers of every representation say: it is the caller's own and to
// be asked for anew each time; and these are the request headers on which it
// depends.
var (
	cacheControl = []string{"private, no-cache"}
	vary         = []string{"Authorization, X-ORG-ID, X-PROJECT-ID, Accept-Encoding"}
	contentType  = []string{"application/json"}
)

// ServeHTTP answers a GET or HEAD: 304 if the caller has the representation
// already (RFC 9110, 13.1.2), else 200, compressed if the caller takes it.
func (rep *Representation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := &rep.plain
	if rep.zipped.body != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		f = &rep.zipped
	}
	h := w.Header()
	h["Cache-Control"], h["Vary"], h["Etag"] = cacheControl, vary, f.tag
	if rep.link != nil {
		h["Link"] = rep.link
	}
	if rep.matches(r.Header["If-None-Match"]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if f.encoding != nil {
		h["Content-Encoding"] = f.encoding
	}
	body := f.body()
	h["Content-Type"], h["Content-Length"] = contentType, []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body) // the caller may be gone; there is nobody else to tell
}

// matches compares weakly, as If-None-Match asks: either encoding's tag means
// that the caller has this representation.
func (rep *Representation) matches(fields []string) bool {
	for _, fieldValue := range fields {
		for tag := range strings.SplitSeq(fieldValue, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == "*" {
				return true
			}
			if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
				continue
			}
			if strings.TrimSuffix(tag[1:len(tag)-1], "-gzip") == rep.etag {
				return true
			}
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip or * with a
// weight other than zero; an explicit gzip decides before *.
func acceptsGzip(accept string) bool {
	accepted := false
	for part := range strings.SplitSeq(strings.ToLower(accept), ",") {
		coding, params, _ := strings.Cut(part, ";")
		weight := true
		if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			value, err := strconv.ParseFloat(q, 64)
			weight = err == nil && value > 0
		}
		switch strings.TrimSpace(coding) {
		case "gzip", "x-gzip":
			return weight
		case "*":
			accepted = weight
		}
	}
	return accepted
}
