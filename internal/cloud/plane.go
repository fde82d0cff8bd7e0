package cloud

import "time"

// Plane is what the global plane knows of itself.
type Plane struct {
	HealthRevision int64     // see Standing
	GrantRevision  uint64    // grows when a membership or a user's keys change
	AliveAt        time.Time // when a plane last noted that it runs
	Outages        Outages
	Issuers        []string // every URL that its issuer has had, the current one first
	NonceKey       Secret   // signs the nonces of the federation link; 32 bytes
	MailKey        Secret   // of the links and codes that are sent by mail; 32 bytes
}
