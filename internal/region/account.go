package region

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// AccountPlane is whom a region asks whose account an external issuer's subject
// is.
type AccountPlane interface {
	// AccountOf returns the user; CodeNotFound for nobody, CodeUnavailable while
	// the plane is away, and another error if it does not answer this region.
	AccountOf(ctx context.Context, issuer, subject string) (cloud.ID, error)
}

// Accounts knows whose account an external issuer's subject is, from the plane's
// answers: as young as those to grants, and as old where the plane is away. They
// are in memory only; after a start with the plane away such tokens wait for it.
// It is safe for concurrent use.
type Accounts struct {
	plane  AccountPlane
	now    func() time.Time
	known  *lru.Cache[foreigner, knownAccount]
	flight singleflight.Group
}

// foreigner is somebody as an issuer calls them.
type foreigner struct{ issuer, subject string }

// knownAccount is an answer of the plane.
type knownAccount struct {
	user  cloud.ID // "" for nobody
	asked time.Time
}

// maxAccounts bounds what is remembered, to about 10 MiB. Only subjects of tokens
// that hold are asked for.
const maxAccounts = 16384

// NewAccounts returns what knows nothing yet.
func NewAccounts(plane AccountPlane, now func() time.Time) *Accounts {
	known, err := lru.New[foreigner, knownAccount](maxAccounts)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Accounts{plane: plane, now: now, known: known}
}

// AccountOf returns the user: the plane's last answer, if that is young enough, or
// else a new one. While the plane is away it is the last answer, as long as that
// is no older than a day. CodeNotFound for nobody; CodeUnavailable where the plane
// would have to say.
func (a *Accounts) AccountOf(ctx context.Context, issuer, subject string) (cloud.ID, error) {
	who := foreigner{issuer, subject}
	if k, ok := a.known.Get(who); ok && a.within(k, grantTTL) {
		return k.answer()
	}
	asked := a.flight.DoChan(fmt.Sprintf("%q %q", issuer, subject), func() (any, error) {
		return a.ask(context.WithoutCancel(ctx), who) // whoever asked first may hang up
	})
	select {
	case <-ctx.Done():
		return "", cloud.Unavailable(context.Cause(ctx))
	case result := <-asked:
		if result.Err != nil {
			return "", result.Err
		}
		return result.Val.(knownAccount).answer()
	}
}

func (a *Accounts) ask(ctx context.Context, who foreigner) (knownAccount, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	k := knownAccount{asked: a.now()}
	var err error
	k.user, err = a.plane.AccountOf(ctx, who.issuer, who.subject)
	switch {
	case err == nil, cloud.CodeOf(err) == cloud.CodeNotFound:
		a.known.Add(who, k)
		return k, nil
	case cloud.CodeOf(err) == cloud.CodeUnavailable:
		if last, ok := a.known.Get(who); ok && last.user != "" && a.within(last, lastGrantTTL) {
			return last, nil
		}
		return k, err
	default: // it refuses to answer, and is not away
		a.known.Remove(who)
		return k, cloud.Unavailable(err)
	}
}

func (k knownAccount) answer() (cloud.ID, error) {
	if k.user == "" {
		return "", errNoAccount
	}
	return k.user, nil
}

var errNoAccount = cloud.NotFound("this subject opens no account that this region may serve")

func (a *Accounts) within(k knownAccount, ttl time.Duration) bool {
	age := a.now().Sub(k.asked)
	return age >= 0 && age < ttl
}
