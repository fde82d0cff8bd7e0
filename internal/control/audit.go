package control

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// AuditedChange is an entry of the audit, with whom its actor is known as.
type AuditedChange struct {
	cloud.AuditEntry
	By cloud.User // zero where the actor is no user, or one who is gone; see actor
}

// Audit lists what was changed in the caller's organization, the newest first,
// at most cloud.MaxPage at a time. CodeInvalid for a filter that nothing can
// pass.
func (c *Control) Audit(ctx context.Context, caller cloud.Caller, filter cloud.AuditFilter, page cloud.Page) (Listing[AuditedChange], error) {
	if err := filter.Check(); err != nil {
		return Listing[AuditedChange]{}, err
	}
	if page.Limit == 0 {
		page.Limit = cloud.MaxPage
	}
	return read(ctx, c, func(tx cloud.Reader) (Listing[AuditedChange], error) {
		users := map[auditedActor]cloud.User{}
		return list(page, func(p cloud.Page) ([]AuditedChange, error) {
			entries, err := tx.Audit(caller.Relation.OrganizationID, filter, p)
			if err != nil {
				return nil, err
			}
			changes := make([]AuditedChange, len(entries))
			for i, e := range entries {
				changes[i].AuditEntry = e
				if changes[i].By, err = actor(tx, e, users); err != nil {
					return nil, err
				}
			}
			return changes, nil
		}, func(a AuditedChange) string { return string(a.ID) })
	})
}

// actor looks the user up who did something, once for all of their entries. A
// region may name whom it likes: of those who are no members, nobody learns from
// it what they are called.
func actor(tx cloud.Reader, e cloud.AuditEntry, known map[auditedActor]cloud.User) (cloud.User, error) {
	key := auditedActor{e.Actor.ID, e.Reported.Region != ""}
	user, ok := known[key]
	if ok || e.Actor.Kind != cloud.ActorUser {
		return user, nil
	}
	var err error
	if key.reported {
		var member cloud.Member
		member, err = tx.Member(e.OrganizationID, cloud.ID(key.id))
		user = member.User
	} else {
		user, err = tx.User(cloud.ID(key.id))
	}
	if err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
		return user, err
	}
	known[key] = user
	return user, nil
}

type auditedActor struct {
	id       string
	reported bool // by a region
}

const (
	// auditBatch is how many entries go in one transaction, so that it holds
	// nobody up.
	auditBatch = 1000
	// auditBatches bounds how many go at a time; the rest goes next time.
	auditBatches = 100
)

// forgetAudit removes entries that are older than they are kept.
func (c *Control) forgetAudit(ctx context.Context, now time.Time) error {
	for range auditBatches {
		var n int64
		if err := c.store.Write(ctx, func(tx cloud.Writer) (err error) {
			n, err = tx.DeleteAudit(now.Add(-c.auditTTL), auditBatch)
			return err
		}); err != nil || n < auditBatch {
			return err
		}
	}
	return nil
}
