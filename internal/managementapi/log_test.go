package managementapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/observe"
)

// TestLog makes every operation succeed and fail, and proves that each request
// has its line, under its id, and that no line has a token or a key in it.
func TestLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[string]int{}
	for _, who := range []string{admin, badToken, anonymous, loner} {
		for _, request := range examples {
			r := w.call(who, request.method, request.path, request.body, "Idempotency-Key", "hunter2")
			want[r.header.Get(observe.RequestIDHeader)] = r.status
		}
	}
	private := "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----"
	for _, r := range []reply{
		w.call(admin, "POST", "/user/keys", newKey("hunter2", private)),
		w.call(anonymous, "GET", "/user", "", "Authorization", "Basic hunter2"),
		w.call(anonymous, "GET", "/user?access_token=hunter2", ""),
	} {
		want[r.header.Get(observe.RequestIDHeader)] = r.status
	}
	log, got := w.logged(), map[string]int{}
	for line := range strings.Lines(log) {
		var entry struct {
			Msg       string
			RequestID string `json:"request_id"`
			Status    int
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("%q is no JSON: %v", line, err)
		}
		if entry.Msg == "request" {
			got[entry.RequestID] = entry.Status
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-requests +lines):\n%s", diff)
	}
	_, blob, _ := strings.Cut(publicKey("desktop"), " ")
	for _, secret := range []string{w.tokens[admin], w.tokens[badToken], w.tokens[loner], "hunter2", blob, "PRIVATE KEY"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q in it:\n%s", secret, log)
		}
	}
}
