package control

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Operator is the use cases of whoever runs the cloud, at the command line and
// on its database: beyond roles, but audited like everybody.
type Operator struct {
	*Control
	actor cloud.Actor
}

// As returns the operator's use cases, audited as the actor's.
func (c *Control) As(actor cloud.Actor) Operator { return Operator{c, actor} }

func (o Operator) audit(tx cloud.Writer, ch change) error {
	return o.Control.audit(tx, o.actor, cloud.Origin{}, ch)
}

// Audited returns a hook for a change that another package makes in its own
// transaction, such as a rotation of keys.
func (o Operator) Audited(action, target string) func(cloud.Writer) error {
	return func(tx cloud.Writer) error { return o.audit(tx, change{action: action, target: target}) }
}

// NoteToken notes that a token was made for a user.
func (o Operator) NoteToken(ctx context.Context, user cloud.ID, expires time.Time) error {
	return o.store.Write(ctx, func(tx cloud.Writer) error {
		return o.audit(tx, change{
			action: "token.create", target: string(user), after: map[string]any{"expires_at": expires.UTC()},
		})
	})
}

// Backup writes a copy of the plane's database to a new file, and notes it.
func (o Operator) Backup(ctx context.Context, file string) error {
	if err := o.store.Backup(ctx, file); err != nil {
		return err
	}
	return o.store.Write(ctx, o.Audited("database.backup", file))
}

// NoteRestore notes, in a restored database, which backup it comes from. What was
// mailed before counts no more, nor what regions were told: the database has
// forgotten which invitations were taken back, and which codes were used.
func (o Operator) NoteRestore(ctx context.Context, backup string) error {
	return o.store.Write(ctx, func(tx cloud.Writer) error {
		if err := tx.SetNonceKey(cloud.DrawKey()); err != nil {
			return err
		}
		if err := tx.SetMailKey(cloud.DrawKey()); err != nil {
			return err
		}
		return o.Audited("database.restore", backup)(tx)
	})
}
