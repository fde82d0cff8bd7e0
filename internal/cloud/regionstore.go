package cloud

import (
	"context"
	"time"
)

// RegionStore keeps what a region owns: its projects, machines and filesystems,
// its objects, in the form in which they are reported, and the identity of its
// stream of changes. Errors and closures are as for Store; and no two
// transactions that write overlap, whatever the database.
type RegionStore interface {
	Read(ctx context.Context, fn func(RegionReader) error) error
	Write(ctx context.Context, fn func(RegionWriter) error) error
	Ping(ctx context.Context) error
	Close() error
}

// RegionIdentity identifies the stream of changes of one region's database.
type RegionIdentity struct {
	Incarnation ID     // made with the database; a new one after a restore
	Seq         uint64 // grows by one with every change, in its transaction
	Floor       uint64 // tombstones up to this seq have been pruned
	Digest      Digest // of everything at Seq
}

// Daemon is which process has a region's database, and whether it may go on.
type Daemon struct {
	Holder   ID        // the process that began last; "" before the first
	FencedAt time.Time // when it was fenced; zero for never
}

// KeptGrant is an answer of the plane that a region keeps for while the plane
// is away.
type KeptGrant struct {
	GrantKey
	Grant
	AskedAt time.Time // before the answer was given
}

// RegionReader reads one consistent state of a region.
type RegionReader interface {
	Identity() (RegionIdentity, error)
	Object(key ObjectKey) (Object, error)
	// Objects lists by kind and then id, after a key (zero begins), at most
	// limit.
	Objects(after ObjectKey, limit int) ([]Object, error)
	// Changes lists, by rev, at most limit objects and tombstones in all whose
	// rev is over after.
	Changes(after uint64, limit int) ([]Object, []Tombstone, error)
	CountObjects() (map[ObjectKind]int64, error)
	Daemon() (Daemon, error)
	Grants(since time.Time) ([]KeptGrant, error) // asked for at or after since, oldest first
	GrantRevision() (uint64, error)              // up to which changes of grants are known
	PlaneKeys() ([]byte, error)                  // as SetPlaneKeys got them; nil if it never did

	// What the region owns. Lists are by id, unless they say otherwise.
	Project(id ID) (Project, error)
	Projects(organization ID) ([]Project, error)
	Machine(id ID) (Machine, error)
	Machines(project ID) ([]Machine, error)
	CountMachines(project ID) (int64, error)
	// AllMachines lists those of all projects after an id ("" begins), at most
	// limit; 0 is no limit.
	AllMachines(after ID, limit int) ([]Machine, error)
	// YieldingMachines lists those that are placed and preemptible, or placed and
	// not wanted to run any more, newest first; of one time, the later id.
	YieldingMachines() ([]Machine, error)
	Filesystem(id ID) (Filesystem, error)
	Filesystems(project ID) ([]Filesystem, error)
	AllFilesystems() ([]Filesystem, error)
	Addresses() ([]string, error) // that machines have, as text sorts them
	// Hosts lists the hosts by name, with what of them is taken; their GPUs by
	// address.
	Hosts() ([]HostUse, error)
	AuditEntries(organization ID, page Page) ([]AuditEntry, error) // by id
	AuditStream() (AuditStream, error)
	AuditSeq(id ID) (uint64, error) // of an entry; CodeNotFound if it is not there
	// AuditAfter lists entries of all organizations, and of none, whose seq is
	// over after, by seq, at most limit.
	AuditAfter(after uint64, limit int) ([]RegionAuditEntry, error)
	// Spans lists a machine's usage, oldest first; it may outlive the machine.
	Spans(machine ID) ([]Span, error)
}

// RegionWriter changes a region's database.
type RegionWriter interface {
	RegionReader
	SetIdentity(id RegionIdentity) error
	PutObject(o Object) error                   // inserts or replaces, and clears its tombstone
	BuryObject(t Tombstone, at time.Time) error // deletes and leaves the tombstone

	// PruneTombstones forgets those of revs up to upTo that were buried before
	// since, and follow none that stays. floor is the highest rev pruned, 0 if
	// none.
	PruneTombstones(upTo uint64, since time.Time) (floor uint64, err error)

	BeginDaemon(holder ID) error // of which nothing is fenced
	// FenceDaemon notes that the holder was fenced, unless another one has begun
	// since.
	FenceDaemon(holder ID, at time.Time) error

	PutGrant(g KeptGrant) error     // inserts or replaces
	DeleteGrant(key GrantKey) error // nothing if there is none
	DeleteGrantsBefore(since time.Time) error
	SetGrantRevision(revision uint64) error
	// SetPlaneKeys keeps the public keys that the plane was last seen to publish,
	// which verify tokens while it is away: a text of whoever fetches them.
	SetPlaneKeys(document []byte) error

	PutProject(p Project) error // inserts or replaces
	// DeleteProject is CodeConflict while it has machines or filesystems.
	DeleteProject(id ID) error
	// PutMachine inserts or replaces. It takes from, and gives back to, the
	// machine's host what it holds now and did not before, or the other way
	// round: its share of the host and its GPUs while it is placed, and its
	// address for as long as it has one. CodeConflict if the host has not that
	// much left, if one of the GPUs is another's or not the host's, or if the
	// address is another's; then nothing has changed, and the transaction can go
	// on. CodeNotFound if there is no such project.
	PutMachine(m Machine) error
	// DeleteMachine gives back all that it held. Its usage stays.
	DeleteMachine(id ID) error
	// PutFilesystem inserts or replaces. CodeNotFound if there is no such project.
	PutFilesystem(f Filesystem) error
	DeleteFilesystem(id ID) error
	// SetHosts makes these the hosts, and leaves what is taken as it is; a host
	// that is not among them is forgotten once nothing is taken of it, and until
	// then has nothing to give.
	SetHosts(hosts []Host) error
	// CountInstances adds to how many instances of a type an organization has,
	// unless that is over most: then CodeConflict. It is how quotas hold. add is
	// below 0 for those that go, which no limit holds back; it is CodeConflict if
	// there are not so many.
	CountInstances(organization ID, typeName string, add, most int64) error
	PutSpan(s Span) error // inserts or replaces

	AppendAudit(e AuditEntry) error // as the next of the stream
	SetAuditReported(seq uint64) error
	// PruneAudit removes entries from before an instant, at most limit, but only
	// such as were reported, and not the last of these.
	PruneAudit(before time.Time, limit int) error
}
