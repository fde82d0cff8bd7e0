package federation

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// nonces issues and reads the nonces of the link. A nonce says when the plane
// issued it to which region, signed, so that the plane need not remember it:
// whoever echoes it was heard after that instant. Echoing an old one is
// allowed, and proves no more than that.
type nonces struct{ key cloud.Secret }

const (
	nonceLabel   = "penstock federation nonce 1"
	nonceTimeLen = 8 // microseconds since 1970, big-endian
	nonceLen     = nonceTimeLen + sha256.Size

	// replicaSkew is how far apart the clocks of one plane's replicas may be:
	// a nonce that one issued may reach another a little before its time.
	replicaSkew = 2 * time.Second
)

// issue returns the nonce that region is to echo next.
func (n nonces) issue(region string, now time.Time) string {
	b := make([]byte, 0, nonceLen)
	b = binary.BigEndian.AppendUint64(b, uint64(now.UnixMicro())) // read back by the same conversion
	return base64.RawURLEncoding.EncodeToString(n.sign(b, region))
}

// read returns when the nonce was issued, at most now. It refuses, as
// CodeInvalid, what was not issued to this region, and what was issued in the
// future: by a clock that was set back since, so that its age is unknown.
func (n nonces) read(region, nonce string, now time.Time) (time.Time, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceLen || !hmac.Equal(n.sign(b[:nonceTimeLen:nonceTimeLen], region), b) {
		return time.Time{}, cloud.Invalid("nonce is not one that was issued to this region; echo the last one, or say hello for a new one")
	}
	issued := time.UnixMicro(int64(binary.BigEndian.Uint64(b))) //nolint:gosec // written by the same conversion
	if issued.After(now.Add(replicaSkew)) {
		return time.Time{}, cloud.Invalid("nonce was issued before the control plane's clock was set back; say hello for a new one")
	}
	if issued.After(now) {
		return now, nil
	}
	return issued, nil
}

// sign appends the signature of the time for the region to the time.
func (n nonces) sign(at []byte, region string) []byte {
	mac := hmac.New(sha256.New, []byte(n.key.Reveal()))
	mac.Write([]byte(nonceLabel))
	mac.Write(at) // of fixed length, so nothing runs together
	mac.Write([]byte(region))
	return mac.Sum(at)
}
