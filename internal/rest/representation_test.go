package rest

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"":                               false,
		"gzip":                           true,
		"GZip":                           true,
		"x-gzip":                         true,
		"gzip, deflate, br":              true,
		"deflate,gzip":                   true,
		"br;q=1.0, gzip;q=0.8, *;q=0.1":  true,
		"gzip;q=0":                       false,
		"gzip;q=0.000":                   false,
		"gzip; q=0":                      false,
		"gzip ; Q=0":                     false,
		"gzip;q=0.001":                   true,
		"gzip;q=1":                       true,
		"gzip;q=":                        false,
		"gzip;q=high":                    false,
		"gzip;q=-1":                      false,
		"gzip;q=NaN":                     false,
		"*":                              true,
		"*;q=0":                          false,
		"*;q=0, gzip":                    true,
		"gzip;q=0, *":                    false,
		"*, gzip;q=0":                    false,
		"identity":                       false,
		"identity;q=1, *;q=0":            false,
		"deflate":                        false,
		"gzipped":                        false,
		";;;,,,":                         false,
		strings.Repeat("a,", 4096) + "*": true,
	} {
		if got := acceptsGzip(accept); got != want {
			t.Errorf("Accept-Encoding: %.60s: got %v, want %v", accept, got, want)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	rep := &Representation{etag: "abc"}
	for _, c := range []struct {
		fields []string
		want   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{`"abc"`}, true},
		{[]string{`W/"abc"`}, true},
		{[]string{`"abc-gzip"`}, true},
		{[]string{`W/"abc-gzip"`}, true},
		{[]string{`*`}, true},
		{[]string{` * `}, true},
		{[]string{`"x", "abc" , "y"`}, true},
		{[]string{`"x"`, `"y"`, `W/"abc"`}, true},
		{[]string{`"x", "y"`}, false},
		{[]string{`abc`}, false},
		{[]string{`"abc`}, false},
		{[]string{`abc"`}, false},
		{[]string{`"ABC"`}, false},
		{[]string{`w/"abc"`}, false},
		{[]string{`"abc-gzip-gzip"`}, false},
		{[]string{`"`}, false},
		{[]string{`""`}, false},
		{[]string{`,,,`}, false},
	} {
		if got := rep.matches(c.fields); got != c.want {
			t.Errorf("If-None-Match: %q: got %v, want %v", c.fields, got, c.want)
		}
	}
}

func represent(t *testing.T, value any, link string) *Representation {
	t.Helper()
	rep, err := NewRepresentation(value, link)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// serve asks for a representation; headers come in pairs.
func serve(rep *Representation, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	rep.ServeHTTP(w, r)
	return w
}

// TestRepresentationEncodings proves that both encodings say the same, under
// tags of their own either of which is recognized for both.
func TestRepresentationEncodings(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("a fleet ", 1000)
	rep := represent(t, value, "")
	identity, zipped := serve(rep), serve(rep, "Accept-Encoding", "gzip")
	zr, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != identity.Body.String() || len(text) < len(value) {
		t.Error("the encodings do not say the same")
	}
	tags := []string{identity.Header().Get("ETag"), zipped.Header().Get("ETag")}
	if tags[0] == tags[1] {
		t.Errorf("one strong tag %s names two sequences of bytes", tags[0])
	}
	for _, tag := range tags {
		for _, accept := range []string{"", "gzip"} {
			again := serve(rep, "If-None-Match", tag, "Accept-Encoding", accept)
			if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
				t.Errorf("If-None-Match: %s with Accept-Encoding: %s: got %d and %d bytes", tag, accept, again.Code, again.Body.Len())
			}
			for _, name := range []string{"ETag", "Cache-Control", "Vary"} { // RFC 9110, 15.4.5
				if again.Header().Get(name) == "" {
					t.Errorf("a 304 without %s", name)
				}
			}
		}
	}
	if size := rep.Size(); size < len(text) {
		t.Errorf("it claims %d bytes for a body of %d", size, len(text))
	}
}

func TestSmallRepresentationIsNotCompressed(t *testing.T) {
	t.Parallel()
	w := serve(represent(t, "small", ""), "Accept-Encoding", "gzip")
	if got := w.Header().Get("Content-Encoding"); got != "" || w.Body.String() != "\"small\"\n" {
		t.Errorf("got %q of the encoding %q", w.Body, got)
	}
}

// TestTagNamesTheLinkToo proves that a page which gets a successor is another
// one than before, though its items are the same.
func TestTagNamesTheLinkToo(t *testing.T) {
	t.Parallel()
	last, middle := represent(t, []int{1}, ""), represent(t, []int{1}, `</next>; rel="next"`)
	if tag := serve(last).Header().Get("ETag"); serve(middle, "If-None-Match", tag).Code != http.StatusOK {
		t.Error("a client that has the last page would not learn that there is another one now")
	}
}
