package cloud

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"
)

// ObjectKind is a kind of thing that a region reports.
type ObjectKind string

// The kinds.
const (
	KindInstance ObjectKind = "instance"
	KindCluster  ObjectKind = "cluster"
)

// ObjectKinds lists the kinds in the order in which a snapshot sends them.
var ObjectKinds = []ObjectKind{KindCluster, KindInstance}

// MaxObjectBody bounds the body of one reported object, in bytes.
const MaxObjectBody = 64 << 10

// ObjectKey names a reported object.
type ObjectKey struct {
	Kind ObjectKind
	ID   ID
}

// Object is a thing that a region reports, in the form in which it travels and
// is digested. Body is the JSON of an InstanceReport or a ClusterReport,
// byte for byte as its region wrote it.
type Object struct {
	ObjectKey
	Rev  uint64 // the seq of its last change at its region
	Body []byte
}

// Tombstone says that an object is gone since the seq Rev.
type Tombstone struct {
	ObjectKey
	Rev uint64
}

// StoredObject is the plane's copy of an object: what its region said, and
// what the plane noted when it accepted that.
type StoredObject struct {
	Object
	Region         string
	OrganizationID ID
	ProjectID      ID
	State          string
	StateSince     time.Time // when the plane first accepted this state
	UpdatedAt      time.Time // when the plane accepted this rev
	Held           HeldReason
	MissingSince   time.Time // since when a held snapshot lacks it; zero if none does
}

// HeldReason says why an object is kept aside and not shown to tenants; "" is
// the ordinary case.
type HeldReason string

// The reasons, of which the first that applies is given.
const (
	HeldUnknownOrganization HeldReason = "unknown-organization"
	HeldDenied              HeldReason = "organization-denied"
	HeldForeignID           HeldReason = "foreign-id" // another region reported it first
)

// HeldReasons lists the reasons.
var HeldReasons = []HeldReason{HeldUnknownOrganization, HeldDenied, HeldForeignID}

// Text says the reason in words.
func (r HeldReason) Text() string {
	switch r {
	case HeldUnknownOrganization:
		return "its organization does not exist"
	case HeldDenied:
		return "its organization is not admitted"
	case HeldForeignID:
		return "its id belongs to another region"
	}
	return string(r)
}

// Aside counts what of a region's objects needs an operator's attention.
type Aside struct {
	Held         map[HeldReason]int64
	Missing      int64
	MissingSince time.Time // the earliest; zero if nothing is missing
}

// Digest sums up a set of objects, so that two ends can compare their copies:
// the count, and the sum modulo 2^256 of SHA-256 over each. Adding and
// removing is cheap and needs no order. The zero value is the empty set's.
type Digest struct {
	Count int64
	Sum   [32]byte // big-endian
}

// Add puts an object into the set.
func (d *Digest) Add(o Object) { d.combine(o, 1) }

// Remove takes an object out that was put in with the same rev and body.
func (d *Digest) Remove(o Object) { d.combine(o, -1) }

var two256 = new(big.Int).Lsh(big.NewInt(1), 256)

func (d *Digest) combine(o Object, sign int64) {
	h := o.digest()
	term := new(big.Int).SetBytes(h[:])
	if sign < 0 {
		term.Neg(term)
	}
	sum := new(big.Int).SetBytes(d.Sum[:])
	sum.Add(sum, term).Mod(sum, two256).FillBytes(d.Sum[:])
	d.Count += sign
}

// digest hashes kind, id, rev and body, each with its length, so that no two
// different objects run together.
func (o Object) digest() [32]byte {
	h := sha256.New()
	var length [8]byte
	for _, part := range [][]byte{[]byte(o.Kind), []byte(o.ID), binary.BigEndian.AppendUint64(nil, o.Rev), o.Body} {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return [32]byte(h.Sum(nil))
}

// Hex returns the sum as 64 hexadecimal digits.
func (d Digest) Hex() string { return hex.EncodeToString(d.Sum[:]) }

// ParseDigest reads what Hex wrote.
func ParseDigest(count int64, sum string) (Digest, error) {
	d := Digest{Count: count}
	if n, err := hex.Decode(d.Sum[:], []byte(sum[:min(len(sum), 64)])); err != nil || n != 32 || len(sum) != 64 {
		return Digest{}, Invalid("digest must be 64 hexadecimal digits; got %s", quoted(sum))
	}
	if count < 0 {
		return Digest{}, Invalid("digest count must not be negative; got %d", count)
	}
	return d, nil
}

// String shows count and the first digits, for logs.
func (d Digest) String() string { return fmt.Sprintf("%d:%x", d.Count, d.Sum[:4]) }
