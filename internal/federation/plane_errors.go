package federation

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// conflict is a refusal that the region tells from others by its code.
type conflict struct {
	code wire.ErrorCode
	err  error
}

func (c *conflict) Error() string { return c.err.Error() }
func (c *conflict) Unwrap() error { return c.err }

var (
	errNoRegion = cloud.Unauthenticated("this needs the credential of a region: Authorization: Bearer …")
	errFenced   = &conflict{wire.ErrorCodeFenced, cloud.Conflict(
		"another daemon of this region said hello later; stop driving the engine, or take over with a new hello")}
	errMismatch = &conflict{wire.ErrorCodeMismatch, cloud.Conflict(
		"the pages of the snapshot do not add up to its digest; nothing was removed; begin a new snapshot")}
	errNoSnapshot = cloud.NotFound("no such snapshot is under way; begin a new one")
)
