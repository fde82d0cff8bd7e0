package federation

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// Bounds on a message, as api/federation.yaml states them.
const (
	maxBatch      = 1000 // objects, and tombstones, in one message
	maxSources    = 10_000
	maxSourceName = 253 // bytes
	maxSourceAge  = 365 * 24 * time.Hour
	maxSeq        = math.MaxInt64
)

// upsert is a reported object, checked and understood.
type upsert struct {
	cloud.Object
	organization, project cloud.ID
	state, source         string
}

// report is a sync, checked as far as that needs no state.
type report struct {
	wire.SyncRequest
	upserts    []upsert
	tombstones []cloud.ObjectKey
	ages       map[string]time.Duration
	digest     *cloud.Digest
	seq        uint64    // that the region is at; 0 if it did not tell
	clock      time.Time // of the region; zero if it did not tell
}

// heartbeat reports whether it tells of no change.
func (r report) heartbeat() bool { return r.From == r.To }

func parseHello(req wire.HelloRequest) (cloud.Digest, error) {
	if err := checkID("incarnation", req.Incarnation); err != nil {
		return cloud.Digest{}, err
	}
	if err := checkSeqs(req.Seq); err != nil {
		return cloud.Digest{}, err
	}
	return cloud.ParseDigest(req.Digest.Count, req.Digest.Sum)
}

func parseSync(req wire.SyncRequest) (r report, err error) {
	r.SyncRequest = req
	if err := checkSeqs(req.From, req.To); err != nil {
		return r, err
	}
	if req.From > req.To {
		return r, cloud.Invalid("from must not be after to; got %d and %d", req.From, req.To)
	}
	if r.heartbeat() && len(req.Upserts)+len(req.Tombstones) > 0 {
		return r, cloud.Invalid("from and to are both %d, between which nothing can have changed", req.From)
	}
	if req.Seq != nil {
		r.seq = *req.Seq
	}
	if err := checkSeqs(r.seq); err != nil {
		return r, err
	}
	if req.ClockMs != nil {
		r.clock = parseClock(*req.ClockMs)
	}
	if r.ages, err = parseSources(req.Sources); err != nil {
		return r, err
	}
	if req.Digest != nil {
		digest, err := cloud.ParseDigest(req.Digest.Count, req.Digest.Sum)
		if err != nil {
			return r, err
		}
		r.digest = &digest
	}
	seen := make(map[cloud.ObjectKey]bool, len(req.Upserts)+len(req.Tombstones))
	if r.upserts, err = parseUpserts(req.Upserts, req.From, req.To, seen); err != nil {
		return r, err
	}
	r.tombstones, err = parseTombstones(req.Tombstones, req.From, req.To, seen)
	return r, err
}

func parseSources(sources []wire.Source) (map[string]time.Duration, error) {
	if len(sources) > maxSources {
		return nil, cloud.Invalid("at most %d sources fit in a sync; got %d", maxSources, len(sources))
	}
	ages := make(map[string]time.Duration, len(sources))
	for _, s := range sources {
		switch {
		case s.Name == "" || len(s.Name) > maxSourceName || !utf8.ValidString(s.Name):
			return nil, cloud.Invalid("the name of a source is 1 to %d bytes of UTF-8; got %.80q", maxSourceName, s.Name)
		case s.AgeMs < 0 || s.AgeMs > maxSourceAge.Milliseconds():
			return nil, cloud.Invalid("age_ms of source %q must be 0 to %d; got %d", s.Name, maxSourceAge.Milliseconds(), s.AgeMs)
		}
		if _, twice := ages[s.Name]; twice {
			return nil, cloud.Invalid("source %q is named twice", s.Name)
		}
		ages[s.Name] = time.Duration(s.AgeMs) * time.Millisecond
	}
	return ages, nil
}

// parseUpserts checks objects whose rev must be over after and at most upTo,
// and notes their keys in seen.
func parseUpserts(objects []wire.Object, after, upTo uint64, seen map[cloud.ObjectKey]bool) ([]upsert, error) {
	if len(objects) > maxBatch {
		return nil, cloud.Invalid("at most %d upserts fit in a message; got %d", maxBatch, len(objects))
	}
	upserts := make([]upsert, len(objects))
	for i, o := range objects {
		key, err := parseKey(o.Kind, o.ID, o.Rev, after, upTo, seen)
		if err != nil {
			return nil, err
		}
		u := upsert{Object: cloud.Object{ObjectKey: key, Rev: o.Rev, Body: o.Body}}
		if err := u.readBody(); err != nil {
			return nil, cloud.About(fmt.Sprintf("%s %s", o.Kind, o.ID), err)
		}
		upserts[i] = u
	}
	return upserts, nil
}

func parseTombstones(stones []wire.Tombstone, after, upTo uint64, seen map[cloud.ObjectKey]bool) ([]cloud.ObjectKey, error) {
	if len(stones) > maxBatch {
		return nil, cloud.Invalid("at most %d tombstones fit in a message; got %d", maxBatch, len(stones))
	}
	keys := make([]cloud.ObjectKey, len(stones))
	for i, s := range stones {
		key, err := parseKey(s.Kind, s.ID, s.Rev, after, upTo, seen)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return keys, nil
}

func parseKey(kind wire.Kind, id string, rev, after, upTo uint64, seen map[cloud.ObjectKey]bool) (cloud.ObjectKey, error) {
	key := cloud.ObjectKey{Kind: cloud.ObjectKind(kind), ID: cloud.ID(id)}
	if !kind.Valid() {
		return key, cloud.Invalid("kind must be one of instance, cluster; got %.80q", kind)
	}
	if err := checkID("the id of the "+string(kind), id); err != nil {
		return key, err
	}
	if rev <= after || rev > upTo {
		return key, cloud.Invalid("%s %s: rev must be over %d and at most %d; got %d", kind, id, after, upTo, rev)
	}
	if seen[key] {
		return key, cloud.Invalid("%s %s: an object comes once in a message", kind, id)
	}
	seen[key] = true
	return key, nil
}

// readBody takes from the body what the plane needs to know.
func (u *upsert) readBody() error {
	if len(u.Body) > cloud.MaxObjectBody {
		return cloud.TooLarge("the body must be at most %d bytes; got %d", cloud.MaxObjectBody, len(u.Body))
	}
	if !utf8.Valid(u.Body) {
		return cloud.Invalid("the body must be UTF-8")
	}
	if u.Kind == cloud.KindCluster {
		r, err := cloud.ParseClusterReport(u.Body)
		u.organization, u.project, u.state, u.source = r.OrganizationID, r.ProjectID, r.State(), r.Source
		return err
	}
	r, err := cloud.ParseInstanceReport(u.Body)
	u.organization, u.project, u.state, u.source = r.OrganizationID, r.ProjectID, string(r.State), r.Source
	return err
}

func checkID(what, s string) error {
	id, err := cloud.ParseID(s)
	if err != nil {
		return cloud.About(what, err)
	}
	if string(id) != s {
		return cloud.Invalid("%s must be written in lower case; got %s", what, s)
	}
	return nil
}

// parseClock reads what the region's clock says, which may be anything.
func parseClock(ms int64) time.Time {
	return parseMicros(min(max(ms, -year9999), year9999) * 1000)
}

// year9999 is beyond what is written as a time, in milliseconds since 1970.
const year9999 = 253402300799999

// parseMicros is parseClock for microseconds. A time before 1970 is no worse
// than that; long before, it could not be written.
func parseMicros(us int64) time.Time {
	const least = -62135596800000000 // the year 1
	return time.UnixMicro(min(max(us, least), year9999*1000)).UTC()
}

func checkSeqs(seqs ...uint64) error {
	for _, seq := range seqs {
		if seq > maxSeq {
			return cloud.Invalid("a seq must be below 2^63; got %d", seq)
		}
	}
	return nil
}
