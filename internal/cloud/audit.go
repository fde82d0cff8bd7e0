package cloud

import "time"

// ActorKind says what sort of caller made a change.
type ActorKind string

// The kinds of actors.
const (
	ActorUser     ActorKind = "user"
	ActorOperator ActorKind = "operator" // at the command line, on the database
	ActorRegion   ActorKind = "region"
	ActorSystem   ActorKind = "system" // the program itself, at its first start
)

// Actor is who made a change.
type Actor struct {
	Kind ActorKind
	ID   string // a user's ID, an operator's login name, a region's name
}

// AuditEntry records one change, in the transaction of that change. Before and
// After are JSON, and never hold a secret.
type AuditEntry struct {
	ID             ID
	At             time.Time
	OrganizationID ID // "" for what belongs to none
	Actor          Actor
	Action         string // "member.update", "key.register", …
	Target         string // the ID or name of what was changed
	Before, After  string
	Origin         Origin
}

// AuditTTL is how long entries are kept unless the operator says otherwise.
const AuditTTL = 400 * 24 * time.Hour

// AuditFilter picks entries; what is zero does not matter.
type AuditFilter struct {
	ActorID string
	Action  string
	Target  string
	Since   time.Time // at or after
	Until   time.Time // before
}

// maxAuditText bounds what a filter names, in bytes; no entry has anything
// longer.
const maxAuditText = 255

// Check refuses a filter that no entry can pass.
func (f AuditFilter) Check() error {
	for _, text := range []struct{ name, value string }{{"actor", f.ActorID}, {"action", f.Action}, {"target", f.Target}} {
		if len(text.value) > maxAuditText || !printable(text.value) {
			return Invalid("%s must be at most %d printable characters", text.name, maxAuditText)
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return Invalid("since must be before until")
	}
	return nil
}
