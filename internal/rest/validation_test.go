package rest

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// TestExplain holds that a message says what is wrong and how to mend it.
func TestExplain(t *testing.T) {
	t.Parallel()
	rt := served(t)
	const list, create = "GET /api/v1/things", "POST /api/v1/things"
	for _, c := range []struct {
		request, body string
		headers       []string
		want          string
	}{
		{list, "", nil, "query sort is required"},
		{list + "?sort=id&limit=0", "", nil, "query limit: must be 1 to 100; got 0"},
		{list + "?sort=id&limit=101", "", nil, "query limit: must be 1 to 100; got 101"},
		{list + "?sort=id&limit=x", "", nil, "query limit is not well-formed: it must be of type integer"},
		{list + "?sort=id&limit=", "", nil, "query limit is not well-formed: it must be of type integer"},
		{list + "?sort=id&limit=1.5", "", nil, "query limit is not well-formed: it must be of type integer"},
		{list + "?sort=id&depth=1", "", nil, "query depth: must be at least 2; got 1"},
		{list + "?sort=id&breadth=10", "", nil, "query breadth: must be at most 9; got 10"},
		{list + "?sort=id&color=green", "", nil, `query color: must be one of red, blue; got "green"`},
		{list + "?sort=id", "", []string{"X-Project", "west"}, `header X-Project: must be a uuid; got "west"`},
		{list + "?sort=id", "", []string{"X-Key", "ab"}, "header X-Key: must have 3 to 5 characters"},
		{list + "?sort=id", "", []string{"X-Long", "ab"}, "header X-Long: must have at least 3 characters"},
		{"DELETE /api/v1/things/7", "", nil, `path id: must be a uuid; got "7"`},
		{create, "", nil, "a JSON body is required; see /docs for its fields"},
		{create, `{}`, nil, "name: is required"},
		{create, `null`, nil, "the body: must not be null"},
		{create, `[]`, nil, "the body: must be of type object; got []"},
		{create, `"name"`, nil, `the body: must be of type object; got "name"`},
		{create, `{"name":null}`, nil, "name: must not be null"},
		{create, `{"name":7}`, nil, "name: must be of type string; got 7"},
		{create, `{"name":""}`, nil, "name: must have 1 to 10 characters"},
		{create, `{"name":"a","size":10}`, nil, "size: must be 1 to 9; got 10"},
		{create, `{"name":"a","size":1.5}`, nil, "size: must be of type integer; got 1.5"},
		{create, `{"name":"a","color":"green"}`, nil, `color: must be one of red, blue; got "green"`},
		{create, `{"name":"a","born":"today"}`, nil, `born: must be a date-time; got "today"`},
		{create, `{"name":"a","parts":{"wheel":4}}`, nil, "parts.wheel: must be of type boolean; got 4"},
		{create, `{"name":"` + strings.Repeat("é", 99) + `","size":"` + strings.Repeat("é", 99) + `"}`, nil, "name: must have 1 to 10 characters"},
		{create, `{"name":"a","color":"` + strings.Repeat("é", 99) + `"}`, nil, `color: must be one of red, blue; got "` + strings.Repeat("é", 39) + "…"},
		{create, `{"name":"a"`, nil, "the body is not well-formed JSON"},
		{create, `{"name":"a"} {"name":"b"}`, nil, "the body is not well-formed JSON"},
		{create, `{"name":"a"}]`, nil, "the body is not well-formed JSON"},
		{create, strings.Repeat("[", 400), nil, "the body is not well-formed JSON"},
		{create, `{"name":"a"}`, []string{"Content-Type", "text/plain"}, "send the body as JSON with the header Content-Type: application/json"},
		{create, `{"name":"a"}`, []string{"Content-Type", ""}, "send the body as JSON with the header Content-Type: application/json"},
		{create, `name=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}, "send the body as JSON with the header Content-Type: application/json"},
		{create, `{"name":"` + strings.Repeat("a", 512) + `"}`, nil, "the body must be at most 512 bytes"},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		headers := append([]string{"Content-Type", "application/json"}, c.headers...)
		w := ask(rt, method, target, c.body, headers...)
		var got struct{ Message string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s %.40s: %d %s: %v", c.request, c.body, w.Code, w.Body, err)
			continue
		}
		if got.Message != c.want || w.Code != 400 && !strings.Contains(c.want, "at most 512") {
			t.Errorf("%s %.40s: got %d %q; want %q", c.request, c.body, w.Code, got.Message, c.want)
		}
	}
}

// TestValidRequestsPass proves what is not refused: fields that the document
// does not know, and read-only ones.
func TestValidRequestsPass(t *testing.T) {
	t.Parallel()
	rt := served(t)
	for _, body := range []string{
		`{"name":"a"}`,
		" \n{\"name\":\"a\"}\r\n\t",
		`{"name":"a","future":{"x":[1]},"serial":"ignored"}`,
		`{"name":"ab","size":9,"color":"red","born":"2026-03-02T15:00:00Z","parts":{"wheel":true}}`,
	} {
		if w := ask(rt, "POST", "/api/v1/things", body, "Content-Type", "application/json; charset=utf-8"); w.Code != 200 || w.Body.String() != "CreateThing "+body {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	}
}

// TestBodyThatBreaksOff is about a caller whose connection ends within the body.
func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/api/v1/things", io.MultiReader(strings.NewReader(`{"name":`), brokenReader{}))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	served(t).ServeHTTP(w, r)
	if w.Code != 400 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestExplainKnowsOnlyRequests(t *testing.T) {
	t.Parallel()
	if got := Explain(io.EOF); cloud.CodeOf(got) != cloud.CodeInvalid || strings.Contains(got.Error(), "EOF") {
		t.Errorf("got %v", got)
	}
}
