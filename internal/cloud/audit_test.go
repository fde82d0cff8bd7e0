package cloud_test

import (
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestAuditEntriesAreBounded(t *testing.T) {
	t.Parallel()
	side := func(bytes int) string { return `{"x":"` + strings.Repeat("x", bytes-len(`{"x":""}`)) + `"}` }
	for name, c := range map[string]struct {
		mend func(*cloud.AuditEntry)
		fine bool
	}{
		"as it is":                 {func(*cloud.AuditEntry) {}, true},
		"the longest texts":        {func(e *cloud.AuditEntry) { e.Action, e.Target = strings.Repeat("x", 255), strings.Repeat("é", 127) }, true},
		"the longest sides":        {func(e *cloud.AuditEntry) { e.Before, e.After = side(cloud.MaxAuditSide), side(cloud.MaxAuditSide) }, true},
		"no target":                {func(e *cloud.AuditEntry) { e.Target = "" }, true},
		"no action":                {func(e *cloud.AuditEntry) { e.Action = "" }, false},
		"a longer text":            {func(e *cloud.AuditEntry) { e.Target = strings.Repeat("x", 256) }, false},
		"before, longer":           {func(e *cloud.AuditEntry) { e.Before = side(cloud.MaxAuditSide + 1) }, false},
		"after, longer":            {func(e *cloud.AuditEntry) { e.After = side(cloud.MaxAuditSide + 1) }, false},
		"an actor of another kind": {func(e *cloud.AuditEntry) { e.Actor.Kind = "plane" }, false},
		"a control character":      {func(e *cloud.AuditEntry) { e.Origin.Address = "\x7f" }, false},
		"before that is a list":    {func(e *cloud.AuditEntry) { e.Before = "[]" }, false},
		"after that ends early":    {func(e *cloud.AuditEntry) { e.After = `{"x":` }, false},
	} {
		e := cloud.AuditEntry{Actor: cloud.Actor{Kind: cloud.ActorSystem, ID: "penstock"}, Action: "x", Target: "y", After: "{}"}
		c.mend(&e)
		if err := e.Check(); (err == nil) != c.fine || err != nil && cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
