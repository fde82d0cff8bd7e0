package managementapi_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// start is when every test begins. Neither whole seconds nor UTC, so that no
// test passes because of either.
var start = time.Date(2026, 3, 2, 15, 30, 0, 123456789, time.FixedZone("CET", 3600))

// Those who call. Their names say what they are.
const (
	anonymous = "" // sends no token
	badToken  = "badToken"
	viewer    = "viewer"
	editor    = "editor"
	admin     = "admin"
	guest     = "guest"    // a viewer beside them, whom nobody will miss
	stranger  = "stranger" // an admin, but of globex
	loner     = "loner"    // belongs to no organization
	several   = "several"  // an editor of acme and a viewer of globex
	bound     = "bound"    // the same person, with a token bound to acme

	program  = "program"  // the service account deployer, an editor of acme
	personal = "personal" // the admin, with the personal token adminToken
)

// The identities in the fixture.
const (
	acme   = "019cae00-0000-7000-8000-0000000000a1"
	globex = "019cae00-0000-7000-8000-0000000000a2"
	nobody = "019cae00-0000-7000-8000-0000000000ff" // no organization, user or project has it

	training  = "019cae00-0000-7000-8000-0000000000b1" // acme's projects
	serving   = "019cae00-0000-7000-8000-0000000000b2"
	rendering = "019cae00-0000-7000-8000-0000000000b3" // globex's

	pendingInvitation = "019cae00-0000-7000-8000-0000000000e1"
	foreignInvitation = "019cae00-0000-7000-8000-0000000000e2"
	expiredInvitation = "019cae00-0000-7000-8000-0000000000e3"
	ownInvitation     = "019cae00-0000-7000-8000-0000000000e4" // of globex, to the admin of acme

	deployer       = "019cae00-0000-7000-8000-0000000000f1" // acme's service account
	deployerSecret = "019cae00-0000-7000-8000-0000000000f2"
	foreignAccount = "019cae00-0000-7000-8000-0000000000f3" // globex's
	foreignSecret  = "019cae00-0000-7000-8000-0000000000f4"
	adminToken     = "019cae00-0000-7000-8000-0000000000f5" // the personal token of the admin
	strangerToken  = "019cae00-0000-7000-8000-0000000000f6"

	trainer = "019cae00-0000-7000-8000-000000000101" // one of acme's instances
	foreign = "019cae00-0000-7000-8000-000000000199" // globex's
)

var userIDs = map[string]cloud.ID{
	viewer:   "019cae00-0000-7000-8000-0000000000c1",
	editor:   "019cae00-0000-7000-8000-0000000000c2",
	admin:    "019cae00-0000-7000-8000-0000000000c3",
	guest:    "019cae00-0000-7000-8000-0000000000c4",
	stranger: "019cae00-0000-7000-8000-0000000000c5",
	loner:    "019cae00-0000-7000-8000-0000000000c6",
	several:  "019cae00-0000-7000-8000-0000000000c7",
}

// cast is a database in which everybody and everything is in place, and a
// token for everybody in it. It is made once; every test works on a copy.
type cast struct {
	database []byte // of SQLite
	keys     []cloud.SigningKey
	tokens   map[string]string
}

// enter puts the cast into an empty database.
func (c cast) enter(ctx context.Context, store cloud.Store) error {
	if err := begin(ctx, store); err != nil {
		return err
	}
	return store.Write(ctx, func(w cloud.Writer) error {
		for _, key := range c.keys {
			if err := w.CreateSigningKey(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// begin puts everybody and everything in place.
func begin(ctx context.Context, store cloud.Store) error {
	now := func() time.Time { return start }
	if err := control.New(store, now, nil, cloud.DefaultHealthPolicy).Start(ctx, "http://plane.example.com"); err != nil {
		return err
	}
	return store.Write(ctx, populate)
}

var theCast = sync.OnceValues(newCast)

func newCast() (c cast, err error) {
	dir, err := os.MkdirTemp("", "managementapi")
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(dir) // the system tidies up what is left
	ctx := context.Background()
	store, err := sqlite.OpenPlane(ctx, filepath.Join(dir, "plane.db"))
	if err != nil {
		return c, err
	}
	defer store.Close()
	now := func() time.Time { return start }
	if err := begin(ctx, store); err != nil {
		return c, err
	}
	keys := issuer.New(store, now, idsFrom(0xd00))
	if err := keys.EnsureKey(ctx); err != nil {
		return c, err
	}
	if err := store.Read(ctx, func(r cloud.Reader) (err error) {
		c.keys, err = r.SigningKeys()
		return err
	}); err != nil {
		return c, err
	}
	if c.tokens, err = mintAll(ctx, keys); err != nil {
		return c, err
	}
	whole := filepath.Join(dir, "whole.db")
	if err := store.Backup(ctx, whole); err != nil {
		return c, err
	}
	c.database, err = os.ReadFile(whole)
	return c, err
}

func mintAll(ctx context.Context, keys *issuer.Issuer) (map[string]string, error) {
	tokens := map[string]string{}
	mint := func(name string, claims issuer.Claims) error {
		claims.TTL = 30 * 24 * time.Hour
		token, _, err := keys.Mint(ctx, claims)
		tokens[name] = token.Reveal()
		return err
	}
	for name, id := range userIDs {
		if err := mint(name, issuer.Claims{UserID: id}); err != nil {
			return nil, err
		}
	}
	for name, claims := range map[string]issuer.Claims{
		program:  {UserID: deployer, OrganizationID: acme},
		personal: {UserID: userIDs[admin], OrganizationID: acme, Personal: true, TokenID: adminToken},
	} {
		if err := mint(name, claims); err != nil {
			return nil, err
		}
	}
	tokens[badToken] = tokens[admin][:len(tokens[admin])-8] + "AAAAAAAA"
	return tokens, mint(bound, issuer.Claims{UserID: userIDs[several], OrganizationID: acme})
}

// idsFrom returns a source of UUIDs of which each is higher than the one
// before, and which no test has to guess.
func idsFrom(first int64) func() cloud.ID {
	var n atomic.Int64
	return func() cloud.ID {
		return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", first+n.Add(1)-1))
	}
}

func populate(w cloud.Writer) error {
	for _, fill := range []func(cloud.Writer) error{people, programs, invitations, regions, fleet} {
		if err := fill(w); err != nil {
			return err
		}
	}
	return nil
}

func people(w cloud.Writer) error {
	founded := start.Add(-90 * 24 * time.Hour)
	for _, o := range []cloud.Organization{
		{ID: acme, Name: "acme", DisplayName: "Acme Research", CreatedAt: founded},
		{ID: globex, Name: "globex", DisplayName: "Globex", CreatedAt: founded.Add(time.Hour)},
	} {
		if err := w.CreateOrganization(o); err != nil {
			return err
		}
	}
	memberships := map[string]map[cloud.ID]cloud.Role{
		viewer:   {acme: cloud.RoleViewer},
		editor:   {acme: cloud.RoleEditor},
		admin:    {acme: cloud.RoleAdmin},
		guest:    {acme: cloud.RoleViewer},
		stranger: {globex: cloud.RoleAdmin},
		several:  {acme: cloud.RoleEditor, globex: cloud.RoleViewer},
	}
	for name, id := range userIDs {
		u := cloud.User{ID: id, Email: emailOf(name), Name: "The " + name, Kind: cloud.Person, CreatedAt: founded}
		if err := w.CreateUser(u); err != nil {
			return err
		}
		if err := w.CreateSSHKey(cloud.SSHKey{UserID: id, Name: "laptop", Line: publicKey(name), Fingerprint: fingerprint(name), CreatedAt: founded}); err != nil {
			return err
		}
		if name == admin || name == guest { // the others have never signed in
			if err := w.CreateIdentity(identityOf(name)); err != nil {
				return err
			}
		}
		for org, role := range memberships[name] {
			if err := w.AddMember(cloud.Member{OrganizationID: org, User: u, Role: role, JoinedAt: founded}); err != nil {
				return err
			}
		}
	}
	return nil
}

// programs puts in a service account of each organization, and personal tokens.
func programs(w cloud.Writer) error {
	day := start.Add(-24 * time.Hour)
	for _, a := range []struct {
		cloud.ServiceAccount
		organization string
		secret       cloud.ID
	}{
		{cloud.ServiceAccount{ID: deployer, OrganizationID: acme, Name: "deployer", Role: cloud.RoleEditor, CreatedBy: userIDs[admin]}, "acme", deployerSecret},
		{cloud.ServiceAccount{ID: foreignAccount, OrganizationID: globex, Name: "deployer", Role: cloud.RoleAdmin, CreatedBy: userIDs[stranger]}, "globex", foreignSecret},
	} {
		a.CreatedAt = day
		hash := cloud.NewSecret("pss_" + a.organization).Hash()
		key := cloud.SSHKey{UserID: a.ID, Name: "laptop", Line: publicKey(a.Name), Fingerprint: fingerprint(a.Name), CreatedAt: day}
		for _, err := range []error{
			w.CreateServiceAccount(a.ServiceAccount, cloud.ServiceEmail(a.Name, a.organization)),
			w.CreateServiceSecret(cloud.ServiceSecret{ID: a.secret, ServiceAccountID: a.ID, Hash: hash, CreatedAt: day}),
			w.CreateSSHKey(key),
		} {
			if err != nil {
				return err
			}
		}
	}
	for who, t := range map[string]cloud.PersonalToken{
		admin:    {ID: adminToken, OrganizationID: acme, Name: "laptop scripts"},
		stranger: {ID: strangerToken, OrganizationID: globex, Name: "laptop scripts", MaxRole: cloud.RoleViewer},
	} {
		t.UserID, t.CreatedAt, t.ExpiresAt = userIDs[who], start, start.Truncate(time.Second).Add(30*24*time.Hour)
		if err := w.CreatePersonalToken(t); err != nil {
			return err
		}
	}
	return nil
}

// identityOf is what somebody has who signed in by a code.
func identityOf(name string) cloud.Identity {
	return cloud.Identity{Issuer: cloud.MailIssuer, Subject: emailOf(name).Key(), UserID: userIDs[name], Email: emailOf(name), CreatedAt: start.Add(-time.Hour), LastUsedAt: start.Add(-time.Hour)}
}

func emailOf(name string) cloud.Email { return cloud.Email(name + "@example.com") }

// publicKey is an ed25519 key of which there is one for each text.
func publicKey(seed string) string {
	line := ssh.MarshalAuthorizedKey(sshKeyOf(seed))
	return string(line[:len(line)-1])
}

func fingerprint(seed string) string { return ssh.FingerprintSHA256(sshKeyOf(seed)) }

func sshKeyOf(seed string) ssh.PublicKey {
	sum := sha256.Sum256([]byte(seed))
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(sum[:]).Public())
	if err != nil {
		panic(err) // only for a type that is not a key's
	}
	return key
}

func invitations(w cloud.Writer) error {
	for _, i := range []cloud.Invitation{
		{ID: pendingInvitation, OrganizationID: acme, Email: "tomas@example.com", Role: cloud.RoleEditor, InvitedBy: userIDs[admin], CreatedAt: start.Add(-48 * time.Hour)},
		{ID: foreignInvitation, OrganizationID: globex, Email: "tomas@example.com", Role: cloud.RoleViewer, InvitedBy: userIDs[stranger], CreatedAt: start.Add(-time.Hour)},
		{ID: expiredInvitation, OrganizationID: acme, Email: "late@example.com", Role: cloud.RoleViewer, InvitedBy: userIDs[admin], CreatedAt: start.Add(-cloud.InvitationTTL - time.Hour)},
		{ID: ownInvitation, OrganizationID: globex, Email: "Admin@Example.com", Role: cloud.RoleEditor, InvitedBy: userIDs[stranger], CreatedAt: start.Add(-time.Hour)},
	} {
		i.Generation = 1
		i.ExpiresAt = i.CreatedAt.Add(cloud.InvitationTTL)
		if err := w.CreateInvitation(i); err != nil {
			return err
		}
	}
	return nil
}

// eastLink is what the plane knows of region east-1 at the start: an engine
// and probers that are heard of, and others for ever longer not.
func eastLink() cloud.Link {
	return cloud.Link{
		Region: "east-1", Incarnation: "019cae00-0000-7000-8000-0000000000d1", Epoch: 1, AppliedSeq: 40, SyncedAt: start.Add(-5 * time.Second),
		Sources: map[string]time.Time{
			"engine":       start.Add(-10 * time.Second),
			"host-stale":   start.Add(-4 * time.Minute),
			"host-gone":    start.Add(-20 * time.Minute),
			"prober":       start.Add(-20 * time.Second),
			"prober-stale": start.Add(-2 * time.Minute),
			"prober-gone":  start.Add(-10 * time.Minute),
		},
	}
}

// regions puts in east-1, and west-1 that said what it has but never that it
// is alive.
func regions(w cloud.Writer) error {
	for _, name := range []string{"east-1", "west-1"} {
		if err := w.CreateRegion(cloud.Region{Name: name, URL: "https://" + name + ".example.com", CreatedAt: start.Add(-80 * 24 * time.Hour)}); err != nil {
			return err
		}
	}
	if err := w.PutLink(eastLink()); err != nil {
		return err
	}
	return w.PutLink(cloud.Link{Region: "west-1", Incarnation: "019cae00-0000-7000-8000-0000000000d2", Epoch: 1})
}

// machine is an instance of the fixture.
type machine struct {
	n      int    // the end of its id
	region string // default east-1
	age    time.Duration
	held   cloud.HeldReason
	cloud.InstanceReport
}

func machines() []machine {
	tags := map[string]string{"team": "speech", "cost-center": "4711"}
	return []machine{
		{n: 1, age: 24 * time.Hour, InstanceReport: cloud.InstanceReport{Name: "trainer-01", State: cloud.InstanceRunning, IP: "10.20.0.1", Tags: tags}},
		{n: 2, age: time.Minute, InstanceReport: cloud.InstanceReport{Name: "trainer-02", State: cloud.InstanceCreating}},
		{n: 3, age: 20 * time.Minute, InstanceReport: cloud.InstanceReport{Name: "trainer-03", State: cloud.InstanceStarting, IP: "10.20.0.3"}},
		{n: 4, age: 16 * time.Minute, InstanceReport: cloud.InstanceReport{Name: "trainer-04", State: cloud.InstanceStopping, IP: "10.20.0.4"}},
		{n: 5, age: 72 * time.Hour, InstanceReport: cloud.InstanceReport{Name: "trainer-05", State: cloud.InstanceStopped}},
		{n: 6, age: 2 * time.Minute, InstanceReport: cloud.InstanceReport{Name: "trainer-06", State: cloud.InstanceDeleting, IP: "fd00::6"}},
		{n: 7, age: time.Hour, InstanceReport: cloud.InstanceReport{Name: "trainer-07", State: cloud.InstanceOutOfStock}},
		{n: 8, age: time.Hour, InstanceReport: cloud.InstanceReport{Name: "trainer-08", State: cloud.InstanceError}},
		{n: 9, age: time.Hour, InstanceReport: cloud.InstanceReport{Name: "trainer-09", State: cloud.InstanceRunning, IP: "10.20.0.9", Fault: "GPU 3 is lost"}},
		{n: 10, age: time.Hour, InstanceReport: cloud.InstanceReport{Name: "trainer-10", State: cloud.InstanceRunning, IP: "10.20.0.10", Source: "host-stale"}},
		{n: 11, age: time.Hour, InstanceReport: cloud.InstanceReport{Name: "trainer-11", State: cloud.InstanceError, Source: "host-gone"}},
		{n: 12, region: "west-1", age: time.Hour, InstanceReport: cloud.InstanceReport{Name: "server-12", State: cloud.InstanceRunning, ProjectID: serving, Preemptible: true, Ephemeral: true}},
		{n: 1, region: "west-1", age: time.Hour, held: cloud.HeldForeignID, InstanceReport: cloud.InstanceReport{Name: "impostor", State: cloud.InstanceRunning}},
		{n: 0x99, age: time.Hour, InstanceReport: cloud.InstanceReport{Name: "render-01", State: cloud.InstanceRunning, OrganizationID: globex, ProjectID: rendering}},
	}
}

func (m machine) stored() (cloud.StoredObject, error) {
	r := m.InstanceReport
	r.Type, r.Image = "h100-sxm5-80gb.8x", "ubuntu-24.04-cuda-12.8"
	r.OrganizationID, r.ProjectID = or(r.OrganizationID, acme), or(r.ProjectID, training)
	r.Source = or(r.Source, "engine")
	o := cloud.StoredObject{Region: or(m.region, "east-1"), State: string(r.State), Held: m.held}
	return m.fill(o, cloud.KindInstance, r, r.OrganizationID, r.ProjectID)
}

func (m machine) fill(o cloud.StoredObject, kind cloud.ObjectKind, report any, organization, project cloud.ID) (cloud.StoredObject, error) {
	body, err := json.Marshal(report)
	o.ObjectKey = cloud.ObjectKey{Kind: kind, ID: cloud.ID(fmt.Sprintf("019cae00-0000-7000-8000-0000000001%02x", m.n))}
	o.Rev, o.Body = uint64(m.n)+1, body // small
	o.OrganizationID, o.ProjectID = organization, project
	o.StateSince, o.UpdatedAt = start.Add(-m.age), start.Add(-m.age)
	return o, err
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func clusters() map[int]cloud.ClusterReport {
	return map[int]cloud.ClusterReport{
		0xc1: {Name: "training", Type: cloud.ClusterSlurm, Source: "prober"},
		0xc2: {Name: "notebooks", Type: cloud.ClusterKubernetes, Source: "prober-stale"},
		0xc3: {Name: "batch", Type: cloud.ClusterSlurm, Source: "prober-gone"},
		0xc4: {Name: "serving", Type: cloud.ClusterKubernetes, Source: "prober", ProjectID: serving, Down: true},
		0xcf: {Name: "render", Type: cloud.ClusterKubernetes, Source: "prober", OrganizationID: globex, ProjectID: rendering},
	}
}

func fleet(w cloud.Writer) error {
	var objects []cloud.StoredObject
	for _, m := range machines() {
		o, err := m.stored()
		if err != nil {
			return err
		}
		objects = append(objects, o)
	}
	for n, r := range clusters() {
		r.OrganizationID, r.ProjectID = or(r.OrganizationID, acme), or(r.ProjectID, training)
		o, err := machine{n: n, age: time.Hour}.fill(cloud.StoredObject{Region: "east-1", State: r.State()}, cloud.KindCluster, r, r.OrganizationID, r.ProjectID)
		if err != nil {
			return err
		}
		objects = append(objects, o)
	}
	return w.PutObjects("019cae00-0000-7000-8000-0000000000d1", "", objects)
}
