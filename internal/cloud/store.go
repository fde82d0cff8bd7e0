package cloud

import (
	"context"
	"time"
)

// Store keeps what the plane owns and its copy of what regions report.
//
// Every implementation passes the suite in internal/store/storetest. Errors
// are domain errors where the caller can do something about them: CodeNotFound
// for a row that is not there, CodeConflict for one that is there already,
// CodeUnavailable for a database that is away, busy beyond its time-out, full
// or read-only. Everything else is an internal error.
type Store interface {
	// Standing is the one read on every request's way: the user, where they
	// belong, and the revisions of what they may list. CodeNotFound if there is
	// no such user.
	Standing(ctx context.Context, user ID) (Standing, error)

	// Read runs fn on one consistent state. fn may run more than once, as in Write.
	Read(ctx context.Context, fn func(Reader) error) error

	// Write runs fn in one transaction, durable when Write returns nil. If fn
	// returns an error nothing of it happened. fn may run more than once, so it
	// has no effects beyond the Writer and variables that it sets anew.
	Write(ctx context.Context, fn func(Writer) error) error

	// Backup writes a consistent copy to a new file while the store is in use.
	// CodeConflict if the file exists; CodeInvalid for a shared database, whose
	// server has tools for that.
	Backup(ctx context.Context, file string) error

	// Ping reports whether the database can be reached.
	Ping(ctx context.Context) error

	// Shared reports whether other processes may serve the same database.
	Shared() bool

	Close() error
}

// Reader reads one consistent state. Lists are ordered by the key that Page
// continues from (named at each), and are empty rather than an error.
type Reader interface {
	PeopleReader

	Organization(id ID) (Organization, error)
	OrganizationByName(name string) (Organization, error)
	FirstOrganization() (Organization, error)                   // the oldest
	OrganizationsOf(user ID, page Page) ([]Organization, error) // by id
	CountFounded(user ID) (int64, error)                        // that the user made

	User(id ID) (User, error)
	UserByEmail(email Email) (User, error) // compared without case

	Member(organization, user ID) (Member, error)
	Members(organization ID, page Page) ([]Member, error) // by the user's id
	CountAdmins(organization ID) (int64, error)

	// An invitation that has expired at now is as good as gone.
	Invitation(organization, id ID, now time.Time) (Invitation, error)
	Invitations(organization ID, now time.Time, page Page) ([]Invitation, error) // by id

	SSHKey(user ID, name string) (SSHKey, error)
	SSHKeys(user ID, page Page) ([]SSHKey, error) // by name

	Region(name string) (Region, error)
	Regions(page Page) ([]Region, error) // by name
	RegionByCredential(hash SecretHash) (Region, error)
	RegionCredentials(region string) ([]RegionCredential, error) // oldest first
	Access(region string) (Access, error)
	Link(region string) (Link, error) // the zero Link, with its name, before the first hello
	Links() ([]Link, error)
	CountObjects(region string) (map[ObjectKind]int64, error) // held and missing ones too
	CountAside(region string) (Aside, error)
	ObjectsAside(region string, after ObjectKey, limit int) ([]StoredObject, error) // held or missing, by key
	OrganizationsIn(region string) ([]ID, error)                                    // of its objects, in their order

	// Held objects are not among these. project "" means all.
	Instance(organization, id ID) (Instance, error)
	Instances(organization, project ID, page Page) ([]Instance, error) // by id
	Clusters(organization, project ID, page Page) ([]Cluster, error)   // by id

	// StoredObjects returns those of the keys that the region has, held ones
	// too. Owners returns the regions in whose names ids are shown.
	StoredObjects(region string, keys []ObjectKey) (map[ObjectKey]StoredObject, error)
	Owners(keys []ObjectKey) (map[ObjectKey]string, error)
	// ReasonsGone returns held objects of the region, without missing ones, whose
	// id nobody has any longer, or whose organization there is by now.
	ReasonsGone(region string, limit int) ([]StoredObject, error)
	// KnownOrganizations returns those of the ids that are organizations'.
	KnownOrganizations(ids []ID) (map[ID]bool, error)

	// GrantChanges lists which patterns of grants changed after a revision, in the order in
	// which they did last, at most limit; of revisions that are more than
	// MaxGrantChanges in the past it knows nothing.
	GrantChanges(after uint64, limit int) ([]GrantKey, error)

	Plane() (Plane, error)
	SigningKeys() ([]SigningKey, error)                            // newest first
	Outcome(caller ID, key string, now time.Time) (Outcome, error) // CodeNotFound after OutcomeTTL
	// Audit lists entries, the newest first: page.After is the id before which it
	// goes on. organization "" means those of none.
	Audit(organization ID, filter AuditFilter, page Page) ([]AuditEntry, error)
}

// Writer changes what Reader reads. Creating what exists is CodeConflict, and
// changing or deleting what does not is CodeNotFound, unless it says otherwise.
type Writer interface {
	Reader
	PeopleWriter

	// LockOrganization holds the organization's row until the end of the
	// transaction, before anything in it is counted.
	LockOrganization(id ID) error
	CreateOrganization(o Organization) error // CodeConflict on its name
	CreateUser(u User) error                 // CodeConflict on its email

	// TouchGrants notes that grants changed, a pattern of them, and moves their
	// revision. What changes a membership or a user's keys does so by itself.
	TouchGrants(pattern GrantKey) error

	AddMember(m Member) error
	SetRole(organization, user ID, role Role) error
	RemoveMember(organization, user ID) error

	// CreateInvitation replaces an expired one for the same address.
	CreateInvitation(i Invitation) error // CodeConflict while one for the address is pending
	// RenewInvitation moves its end and its generation to the next one, which it
	// returns; CodeNotFound for one that has expired at now.
	RenewInvitation(organization, id ID, now, expires time.Time) (Invitation, error)
	// TakeInvitation removes one to be accepted: CodeNotFound unless it is pending
	// at now and of that generation. Of several takers one gets it.
	TakeInvitation(id ID, generation int64, now time.Time) (Invitation, error)
	DeleteInvitation(organization, id ID) error

	CreateSSHKey(k SSHKey) error // CodeConflict on the name, or on the fingerprint
	DeleteSSHKey(user ID, name string) error

	CreateRegion(r Region) error
	SetRegionURL(name, url string) error
	CreateRegionCredential(c RegionCredential) error
	DeleteRegionCredential(region string, id ID) error
	SetAccess(region string, a Access) error
	PutLink(l Link) error

	// PutObjects inserts or replaces by region and key, as part of the region's
	// present incarnation, and marks them as seen in the snapshot ("" for none)
	// and as not missing.
	PutObjects(incarnation, snapshot ID, objects []StoredObject) error
	DeleteObjects(region string, keys []ObjectKey) error // missing ones are skipped
	// What the region has beyond a snapshot is unseen. HoldUnseen marks it as
	// missing, DeleteUnseen deletes it, each as far as it is not missing yet;
	// DeleteMissing deletes what has been since an instant. They return the
	// organizations whose objects these are.
	CountUnseen(region string, snapshot ID) (int64, error)
	HoldUnseen(region string, snapshot ID, since time.Time) ([]ID, error)
	DeleteUnseen(region string, snapshot ID) ([]ID, error)
	DeleteMissing(region string, until time.Time) ([]ID, error)
	SetBackMissing(region string, by time.Duration) error // moves the instants since when something is missing
	// AllowObjects and DenyObjects show and hold what the region has of an
	// organization, and return how many objects that changes.
	AllowObjects(region string, organization ID) (int64, error)
	DenyObjects(region string, organization ID) (int64, error)

	// TouchFleet and TouchHealth move the revisions on which kept lists depend.
	// They come last in a transaction that holds anything else; ids are touched
	// in their order.
	TouchFleet(organizations []ID) error
	TouchHealth() error

	MarkAlive(now time.Time) error
	// RecordOutage forgets those that ended more than a week before, and those
	// that end later: they were noted before the clock was set back.
	RecordOutage(o Outage) error
	SetNonceKey(key Secret) error // of 32 bytes; what the former one signed counts no more
	SetMailKey(key Secret) error  // the same of the links and codes in mails
	SetIssuer(url string) error   // makes it the current one; idempotent
	CreateSigningKey(k SigningKey) error
	RetireSigningKey(id string, at, expires time.Time) error
	DeleteExpiredSigningKeys(now time.Time) error

	SaveOutcome(o Outcome) error // CodeConflict while there is one that is not over

	// ClaimJob reports whether a job is due, and puts it off until it is due
	// again. The work belongs into the same transaction: so it is done once,
	// however many claim the job, and not lost with one who dies over it.
	ClaimJob(job Job, now time.Time) (bool, error)
	DeleteExpiredInvitations(now time.Time) error
	DeleteExpiredOutcomes(now time.Time) error
	AppendAudit(e AuditEntry) error
}
