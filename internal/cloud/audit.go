package cloud

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

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
	Reported       Reported // zero for what the plane did itself
}

// Reported is where an entry comes from that a region brought to the plane. The
// entry's ID and At are the plane's, of when it came; so no region's clock has a
// say in the order of the audit, or in how long it is kept. All the rest is what
// the region said.
type Reported struct {
	Region string // whose word it is
	ID     ID     // that it has there: one of a region comes but once
	At     time.Time
}

// RegionAuditEntry is an entry as its region has it.
type RegionAuditEntry struct {
	AuditEntry
	Seq uint64 // grows with every entry, in the order of commits
}

// AuditStream is how far a region's audit has got.
type AuditStream struct {
	Seq      uint64 // of the last entry; 0 before the first
	Reported uint64 // up to which the plane has them
}

// AuditTTL is how long entries are kept unless the operator says otherwise.
const AuditTTL = 400 * 24 * time.Hour

// AuditFilter picks entries; what is zero does not matter.
type AuditFilter struct {
	ActorID string
	Action  string
	Target  string
	Region  string    // that reported it
	Since   time.Time // at or after
	Until   time.Time // before
}

const (
	// maxAuditText bounds what a filter names, in bytes; no entry has anything
	// longer.
	maxAuditText = 255
	// MaxAuditSide bounds what an entry says of before, and of after, in bytes.
	MaxAuditSide = 64 << 10
)

// Check refuses what does not make an entry, whoever may say it.
func (e AuditEntry) Check() error {
	switch e.Actor.Kind {
	case ActorUser, ActorOperator, ActorRegion, ActorSystem:
	default:
		return Invalid("the kind of an actor is user, operator, region or system; got %s", quoted(string(e.Actor.Kind)))
	}
	if e.Action == "" {
		return Invalid("an action must be named")
	}
	for _, text := range []struct{ name, value string }{
		{"actor", e.Actor.ID}, {"action", e.Action}, {"target", e.Target}, {"request_id", e.Origin.RequestID}, {"address", e.Origin.Address},
	} {
		if err := checkAuditText(text.name, text.value); err != nil {
			return err
		}
	}
	if err := checkAuditSide("before", e.Before); err != nil {
		return err
	}
	return checkAuditSide("after", e.After)
}

func checkAuditText(name, value string) error {
	if len(value) > maxAuditText || !printable(value) {
		return Invalid("%s must be at most %d printable characters", name, maxAuditText)
	}
	return nil
}

func checkAuditSide(name, text string) error {
	switch {
	case text == "":
		return nil
	case len(text) > MaxAuditSide:
		return Invalid("%s must be at most %d bytes; got %d", name, MaxAuditSide, len(text))
	case text[0] != '{' || !utf8.ValidString(text) || !json.Valid([]byte(text)):
		return Invalid("%s must be a JSON object", name)
	}
	return nil
}

// Check refuses a filter that no entry can pass.
func (f AuditFilter) Check() error {
	for _, text := range []struct{ name, value string }{{"actor", f.ActorID}, {"action", f.Action}, {"target", f.Target}, {"region", f.Region}} {
		if err := checkAuditText(text.name, text.value); err != nil {
			return err
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return Invalid("since must be before until")
	}
	return nil
}
