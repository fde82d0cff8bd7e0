package federation_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// fakePlane is the plane's end of the protocol by the book, in memory.
type fakePlane struct {
	t        *testing.T
	interval time.Duration // asked of the region between heartbeats

	mu       sync.Mutex
	state    planeState
	messages []message
	slow     map[string]time.Duration // by operation, how long an answer takes
	mend     func(*wire.Welcome)      // changes a welcome before it is sent
	corrupt  int                      // so many commits are refused as not matching
	nonces   int
	grants   *wire.GrantChanges // for whoever knows another revision
	noAudit  bool               // it is of a release that takes none
}

// planeState is what a plane keeps in its database.
type planeState struct {
	epoch       uint64
	incarnation string
	applied     uint64
	objects     map[cloud.ObjectKey]planeObject
	snapshot    *planeSnapshot
	audit       string // the entry that came last
	audited     []wire.AuditEntry
}

func (s planeState) clone() planeState {
	s.objects = maps.Clone(s.objects)
	if s.snapshot != nil {
		snapshot := *s.snapshot
		snapshot.seen = maps.Clone(snapshot.seen)
		s.snapshot = &snapshot
	}
	return s
}

type planeObject struct {
	cloud.Object
	incarnation string
}

type planeSnapshot struct {
	id          string
	incarnation string
	seq         uint64
	next        int
	digest      cloud.Digest
	seen        map[cloud.ObjectKey]bool
}

// message is a record of what reached the plane.
type message struct {
	At        time.Time
	Operation string
	Sync      *wire.SyncRequest
	Page      *wire.SnapshotPage
	Audit     *wire.AuditReport
}

const credential = "region-credential-in-256-bits"

func newFakePlane(t *testing.T) *fakePlane {
	return &fakePlane{
		t: t, interval: 15 * time.Second,
		state: planeState{objects: map[cloud.ObjectKey]planeObject{}},
		slow:  map[string]time.Duration{},
	}
}

// handler serves the plane as the real one is served.
func (p *fakePlane) handler() http.Handler {
	observe := func(next wire.StrictHandlerFunc, operation string) wire.StrictHandlerFunc {
		return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
			p.mu.Lock()
			m := message{At: time.Now(), Operation: operation}
			switch request := request.(type) {
			case wire.SyncRequestObject:
				m.Sync = request.Body
			case wire.PutSnapshotPageRequestObject:
				m.Page = request.Body
			case wire.ReportAuditRequestObject:
				m.Audit = request.Body
			}
			p.messages = append(p.messages, m)
			slow := p.slow[operation]
			p.mu.Unlock()
			time.Sleep(slow)
			p.mu.Lock()
			defer p.mu.Unlock()
			return next(ctx, w, r, request)
		}
	}
	mux := http.NewServeMux()
	wire.HandlerFromMuxWithBaseURL(wire.NewStrictHandler(p, []wire.StrictMiddlewareFunc{observe}), mux, "/federation/v1alpha1")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+credential {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"message":"not a valid credential of a region"}`)
			return
		}
		if r.ContentLength > 4<<20 {
			p.t.Errorf("a message has %d bytes", r.ContentLength)
		}
		mux.ServeHTTP(w, r)
	})
}

func (p *fakePlane) Hello(_ context.Context, request wire.HelloRequestObject) (wire.HelloResponseObject, error) {
	m := request.Body
	p.state.epoch++
	p.state.snapshot = nil
	w := wire.Welcome{Epoch: p.state.epoch, Nonce: p.nonce(), Next: wire.WelcomeNextResume}
	digest, err := cloud.ParseDigest(m.Digest.Count, m.Digest.Sum)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Incarnation != p.state.incarnation:
		p.state.incarnation, p.state.applied = m.Incarnation, 0
		w.Next = wire.WelcomeNextSnapshot
	case m.Seq < p.state.applied || m.Seq == p.state.applied && digest != p.digest():
		w.Next = wire.WelcomeNextRenew
	}
	w.AppliedSeq = p.state.applied
	if p.mend != nil {
		p.mend(&w)
	}
	return wire.Hello200JSONResponse(w), nil
}

func (p *fakePlane) Sync(_ context.Context, request wire.SyncRequestObject) (wire.SyncResponseObject, error) {
	m := request.Body
	if m.Epoch < p.state.epoch {
		return wire.Sync409JSONResponse{FencedJSONResponse: fenced}, nil
	}
	if m.Epoch > p.state.epoch {
		return wire.Sync400JSONResponse{RefusedJSONResponse: wire.RefusedJSONResponse{Message: "this epoch was not granted"}}, nil
	}
	if n := len(m.Upserts) + len(m.Tombstones); n > 1000 {
		p.t.Errorf("a sync has %d objects", n)
	}
	a := wire.Sync200JSONResponse{Outcome: wire.SyncAnswerOutcomeApplied, Nonce: p.nonce(), NextInMs: int(p.interval.Milliseconds())}
	switch {
	case m.From == p.state.applied:
		for _, o := range m.Upserts {
			p.put(o)
		}
		for _, o := range m.Tombstones {
			delete(p.state.objects, cloud.ObjectKey{Kind: cloud.ObjectKind(o.Kind), ID: cloud.ID(o.ID)})
		}
		p.state.applied = m.To
		if d := m.Digest; d != nil && (d.Sum != p.digest().Hex() || d.Count != p.digest().Count) {
			a.Outcome = wire.SyncAnswerOutcomeResync
		}
	case m.To > p.state.applied:
		a.Outcome = wire.SyncAnswerOutcomeResync
	}
	a.AppliedSeq = p.state.applied
	if !p.noAudit {
		a.AuditLast = new(p.state.audit)
	}
	if known := m.GrantsRevision; known != nil && p.grants != nil && *known != p.grants.Revision {
		a.Grants = p.grants
	}
	return a, nil
}

// ReportAudit keeps whatever comes, as often as it comes.
func (p *fakePlane) ReportAudit(_ context.Context, request wire.ReportAuditRequestObject) (wire.ReportAuditResponseObject, error) {
	m := request.Body
	if m.Epoch < p.state.epoch {
		return wire.ReportAudit409JSONResponse{FencedJSONResponse: fenced}, nil
	}
	if n := len(m.Entries); n > 500 {
		p.t.Errorf("a message has %d entries of the audit", n)
	}
	if m.After == "" || m.After == p.state.audit {
		p.state.audit = m.Upto
		p.state.audited = append(p.state.audited, m.Entries...)
	}
	return wire.ReportAudit200JSONResponse{Last: p.state.audit}, nil
}

func (p *fakePlane) GetGrant(context.Context, wire.GetGrantRequestObject) (wire.GetGrantResponseObject, error) {
	return wire.GetGrant200JSONResponse{SSHKeys: []string{}}, nil
}

func (p *fakePlane) GetIdentity(context.Context, wire.GetIdentityRequestObject) (wire.GetIdentityResponseObject, error) {
	return wire.GetIdentity200JSONResponse{}, nil
}

func (p *fakePlane) put(o wire.Object) {
	key := cloud.ObjectKey{Kind: cloud.ObjectKind(o.Kind), ID: cloud.ID(o.ID)}
	before, known := p.state.objects[key]
	if known && before.incarnation == p.state.incarnation && before.Rev >= o.Rev {
		return
	}
	p.state.objects[key] = planeObject{cloud.Object{ObjectKey: key, Rev: o.Rev, Body: o.Body}, p.state.incarnation}
}

func (p *fakePlane) BeginSnapshot(_ context.Context, request wire.BeginSnapshotRequestObject) (wire.BeginSnapshotResponseObject, error) {
	m := request.Body
	if m.Epoch < p.state.epoch {
		return wire.BeginSnapshot409JSONResponse{FencedJSONResponse: fenced}, nil
	}
	p.nonces++
	id := fmt.Sprintf("0190a1c0-0000-7000-9000-%012d", p.nonces)
	p.state.snapshot = &planeSnapshot{id: id, incarnation: m.Incarnation, seq: m.Seq, seen: map[cloud.ObjectKey]bool{}}
	return wire.BeginSnapshot201JSONResponse{ID: id}, nil
}

func (p *fakePlane) PutSnapshotPage(_ context.Context, request wire.PutSnapshotPageRequestObject) (wire.PutSnapshotPageResponseObject, error) {
	m, s := request.Body, p.state.snapshot
	switch {
	case m.Epoch < p.state.epoch:
		return wire.PutSnapshotPage409JSONResponse{FencedJSONResponse: fenced}, nil
	case s == nil || s.id != request.ID:
		return wire.PutSnapshotPage404JSONResponse{NotFoundJSONResponse: noSnapshot}, nil
	case request.Number < s.next:
		return wire.PutSnapshotPage204Response{}, nil
	case request.Number > s.next:
		return wire.PutSnapshotPage400JSONResponse{RefusedJSONResponse: wire.RefusedJSONResponse{Message: "this page is out of order"}}, nil
	}
	for _, o := range m.Upserts {
		p.put(o)
		object := cloud.Object{ObjectKey: cloud.ObjectKey{Kind: cloud.ObjectKind(o.Kind), ID: cloud.ID(o.ID)}, Rev: o.Rev, Body: o.Body}
		s.seen[object.ObjectKey] = true
		s.digest.Add(object)
	}
	s.next++
	return wire.PutSnapshotPage204Response{}, nil
}

func (p *fakePlane) CommitSnapshot(_ context.Context, request wire.CommitSnapshotRequestObject) (wire.CommitSnapshotResponseObject, error) {
	m, s := request.Body, p.state.snapshot
	switch {
	case m.Epoch < p.state.epoch:
		return wire.CommitSnapshot409JSONResponse{FencedJSONResponse: fenced}, nil
	case s == nil || s.id != request.ID:
		return wire.CommitSnapshot404JSONResponse{NotFoundJSONResponse: noSnapshot}, nil
	}
	copied := p.state.clone()
	maps.DeleteFunc(p.state.objects, func(k cloud.ObjectKey, _ planeObject) bool { return !s.seen[k] })
	want := cloud.Digest{Count: m.Digest.Count}
	if s.digest.Hex() != m.Digest.Sum || s.digest.Count != want.Count || p.digest() != s.digest || p.corrupt > 0 {
		p.corrupt--
		p.state = copied
		p.state.snapshot = nil
		return wire.CommitSnapshot409JSONResponse{FencedJSONResponse: mismatch}, nil
	}
	p.state.applied, p.state.snapshot = s.seq, nil
	return wire.CommitSnapshot204Response{}, nil
}

var (
	codeFenced, codeMismatch = wire.ErrorCodeFenced, wire.ErrorCodeMismatch

	fenced     = wire.FencedJSONResponse{Message: "another daemon of the region said hello", Code: &codeFenced}
	mismatch   = wire.FencedJSONResponse{Message: "this is not what was sent", Code: &codeMismatch}
	noSnapshot = wire.NotFoundJSONResponse{Message: "there is no such snapshot under way"}
)

func (p *fakePlane) nonce() string {
	p.nonces++
	return fmt.Sprintf("nonce-%d", p.nonces)
}

func (p *fakePlane) digest() (d cloud.Digest) {
	for _, o := range p.state.objects {
		d.Add(o.Object)
	}
	return d
}

// with lets a test look at the plane, or change it.
func (p *fakePlane) with(fn func(*planeState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn(&p.state)
}

// copy returns the plane's copy in the region's order.
func (p *fakePlane) copy() (objects []cloud.Object) {
	p.with(func(s *planeState) {
		for _, o := range s.objects {
			objects = append(objects, o.Object)
		}
	})
	slices.SortFunc(objects, func(a, b cloud.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return objects
}

// received returns what reached the plane.
func (p *fakePlane) received() []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.messages)
}

// operations names the messages that reached the plane, in order.
func (p *fakePlane) operations() (names []string) {
	for _, m := range p.received() {
		names = append(names, m.Operation)
	}
	return names
}

// network is the way between a region and its plane: a transport on which
// every message has a fate.
type network struct {
	mu      sync.Mutex
	handler http.Handler
	fate    func(operation string) fate
	late    []*http.Request
	sent    []time.Time
}

type fate int

const (
	arrives    fate = iota
	lost            // the plane never sees it
	unanswered      // the plane acts on it, and the answer is lost
	doubled         // the plane sees it twice
	late            // it is lost, and arrives after later ones
	broken          // a proxy answers in the plane's place
)

var errNetwork = errors.New("the network is down")

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil { // a question has none
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	n.sent = append(n.sent, time.Now())
	what := arrives
	if n.fate != nil {
		what = n.fate(req.URL.Path)
	}
	again := func() *http.Request {
		r := req.Clone(context.WithoutCancel(req.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
		return r
	}
	if what == late {
		n.late = append(n.late, again())
	}
	var before []*http.Request
	if what == arrives && len(n.late) > 0 {
		before, n.late = n.late, nil
	}
	handler := n.handler
	n.mu.Unlock()

	deliver := func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result()
	}
	switch what {
	case lost, late:
		return nil, errNetwork
	case unanswered:
		_ = deliver(again()).Body.Close()
		return nil, errNetwork
	case broken:
		w := httptest.NewRecorder()
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>bad gateway</html>")
		return w.Result(), nil
	case doubled:
		_ = deliver(again()).Body.Close()
	case arrives:
	}
	resp := deliver(again())
	for _, r := range before {
		_ = deliver(r).Body.Close()
	}
	return resp, req.Context().Err()
}

// serve puts something at the other end.
func (n *network) serve(handler http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handler = handler
}

func (n *network) decide(fn func(path string) fate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fate = fn
}

func (n *network) sends() []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.sent)
}
