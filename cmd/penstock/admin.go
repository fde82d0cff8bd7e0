package main

import (
	"context"
	"log/slog"
	"os/user"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/observe"
)

// adminCommand is the operator's commands. They work on the plane's database
// directly, beside a running server or without one; what they change is
// audited as the operator's.
type adminCommand struct {
	DataDir  string `type:"path" default:"${data_dir}" placeholder:"DIR" help:"The folder of the installation (default: ${default})."`
	Database string `placeholder:"DB" help:"The plane's database, instead of the one in the folder: a file, or postgres://…"`

	Org struct {
		Create  orgCreateCommand  `cmd:"" help:"Make an organization."`
		Suspend orgSuspendCommand `cmd:"" help:"Let an organization read only, and change nothing."`
		Resume  orgResumeCommand  `cmd:"" help:"End the suspension of an organization."`
	} `cmd:"" help:"Organizations."`
	User struct {
		Suspend userSuspendCommand `cmd:"" help:"Let a user read only, and change nothing, in all organizations."`
		Resume  userResumeCommand  `cmd:"" help:"End the suspension of a user."`
	} `cmd:"" help:"Users."`
	Region struct {
		Create regionCreateCommand `cmd:"" help:"Make a region, and print its credential this once."`
		List   regionListCommand   `cmd:"" help:"List the regions and the state of their links."`
		Show   regionShowCommand   `cmd:"" help:"Show all of a region: what is held and why, sources, credentials."`
		Accept regionAcceptCommand `cmd:"" help:"Remove what is held as missing, which the region no longer reports."`
		Rotate regionRotateCommand `cmd:"" help:"Make a second credential, and print it this once."`
		Revoke regionRevokeCommand `cmd:"" help:"Make a region's credentials, or one of them, worthless at once."`
		Allow  regionAllowCommand  `cmd:"" help:"Let an organization, or all, use a region."`
		Deny   regionDenyCommand   `cmd:"" help:"Let an organization, or all, no longer use a region."`
	} `cmd:"" help:"Regions."`
	Token struct {
		Create tokenCreateCommand `cmd:"" help:"Print a token for a member, made if needed."`
	} `cmd:"" help:"Tokens."`
	Identity struct {
		Link   identityLinkCommand   `cmd:"" help:"Let what an issuer calls somebody open an account."`
		Unlink identityUnlinkCommand `cmd:"" help:"Take that away, and sign the account's owner out everywhere."`
		List   identityListCommand   `cmd:"" help:"List what opens an account."`
	} `cmd:"" help:"What opens accounts: subjects of issuers."`
	Keys struct {
		Rotate keysRotateCommand `cmd:"" help:"Sign with a new key; tokens given out live on."`
	} `cmd:"" help:"The keys that sign tokens."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema up to date, before the planes of a new release start."`
	Backup  backupCommand  `cmd:"" help:"Copy the plane's database to a new file, also while it runs."`
	Restore restoreCommand `cmd:"" help:"Put a backup in the place of the plane's database, which is kept aside."`

	Restored restoredCommand `cmd:"" help:"Say that the tools of PostgreSQL restored the database: what was mailed before becomes worthless."`
}

// operate opens the database for one command.
func (a *adminCommand) operate(ctx context.Context, std streams, fn func(operator) error) error {
	found, err := existingDatabase(dataDir(a.DataDir), a.Database)
	if err != nil {
		return err
	}
	log, flush := observe.NewLogger(std.err, slog.LevelWarn)
	defer flush()
	store, err := found.openPlane(ctx, log)
	if err != nil {
		return err
	}
	defer store.Close() // what was acknowledged is durable already
	return fn(newOperator(store))
}

// operator is what the commands work with.
type operator struct {
	control.Operator
	issuer *issuer.Issuer
}

func newOperator(store cloud.Store) operator {
	use := control.New(store, time.Now, newID, cloud.DefaultHealthPolicy)
	return operator{
		Operator: use.As(cloud.Actor{Kind: cloud.ActorOperator, ID: loginName()}),
		issuer:   issuer.New(store, time.Now, newID),
	}
}

func newID() cloud.ID { return cloud.ID(uuid.Must(uuid.NewV7()).String()) }

// loginName is who the audit says it was: as far as the machine knows.
func loginName() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}
