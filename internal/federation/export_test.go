package federation

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// Through makes the reporter speak to the plane by other means than HTTP.
func (r *Reporter) Through(api wire.ClientInterface) {
	r.plane = &planeClient{&wire.ClientWithResponses{ClientInterface: api}}
}

// RefusalBody is the body of an answer other than success.
var RefusalBody = refusalBody

// IssueNonce is a nonce that a plane with this key issues to the region at that time.
func IssueNonce(key cloud.Secret, region string, now time.Time) string {
	return nonces{key}.issue(region, now)
}
