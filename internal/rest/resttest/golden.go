package resttest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/observe"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Golden compares a text with the one in a file, or, with -update, writes it
// there.
func Golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; `go test -update` writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what it was; `go test -update` if it should not be (-was +is):\n%s", file, diff)
	}
}

// passing are the headers that differ from one answer to the next.
var passing = []string{"Date", "Content-Length", observe.RequestIDHeader, "Ratelimit", "Ratelimit-Policy"}

// Answer is an answer as golden files have it: with the headers that are the
// API's own, and the body in lines.
func Answer(status int, header http.Header, body string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d %s\n", status, http.StatusText(status))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if !slices.Contains(passing, name) {
			fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(header[name], ", "))
		}
	}
	var lines bytes.Buffer
	if json.Indent(&lines, []byte(strings.TrimSpace(body)), "", "  ") != nil {
		lines.WriteString(body)
	}
	if lines.Len() > 0 {
		fmt.Fprintf(&out, "\n%s\n", lines.String())
	}
	return out.String()
}
