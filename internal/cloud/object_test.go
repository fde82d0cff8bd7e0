package cloud

import (
	"crypto/sha256"
	"math/rand/v2"
	"strings"
	"testing"
)

func object(kind ObjectKind, id ID, rev uint64, body string) Object {
	return Object{ObjectKey: ObjectKey{kind, id}, Rev: rev, Body: []byte(body)}
}

func digestOf(objects ...Object) Digest {
	var d Digest
	for _, o := range objects {
		d.Add(o)
	}
	return d
}

func TestDigestIsOfASet(t *testing.T) {
	t.Parallel()
	const seed1, seed2 = 3, 4
	r := rand.New(rand.NewPCG(seed1, seed2))
	var objects []Object
	for i := range 100 {
		objects = append(objects, object(KindInstance, ID(strings.Repeat("a", i)), uint64(i), "{}"))
	}
	want := digestOf(objects...)
	for range 10 {
		r.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		if got := digestOf(objects...); got != want {
			t.Fatalf("seed %d,%d: another order gives %v, want %v", seed1, seed2, got, want)
		}
	}
	got := want
	for _, o := range objects[:40] {
		got.Remove(o)
	}
	if half := digestOf(objects[40:]...); got != half {
		t.Errorf("after removing 40 it is %v, want that of the other 60, %v", got, half)
	}
	for _, o := range objects[40:] {
		got.Remove(o)
	}
	if got != (Digest{}) {
		t.Errorf("after removing all it is %v, want the empty set's", got)
	}
}

func TestDigestWrapsAround(t *testing.T) {
	t.Parallel()
	var most Digest
	for i := range most.Sum {
		most.Sum[i] = 0xff
	}
	o := object(KindCluster, "x", 1, "{}")
	one := digestOf(o)
	d := most
	d.Add(o) // 2^256 - 1 + h = h - 1
	want := one.Sum
	for i := len(want) - 1; ; i-- {
		want[i]--
		if want[i] != 0xff {
			break
		}
	}
	if d.Sum != want {
		t.Errorf("the sum is %x, want %x", d.Sum, want)
	}
	d.Remove(o)
	if d != most {
		t.Errorf("after removing it again it is %v, want %v", d, most)
	}
	var under Digest
	under.Remove(o)
	under.Add(o)
	if under != (Digest{}) {
		t.Errorf("below zero and back is %v", under)
	}
}

func TestDigestTellsObjectsApart(t *testing.T) {
	t.Parallel()
	seen := map[Digest]string{}
	for name, o := range map[string]Object{
		"one":                object(KindInstance, "ab", 1, "{}"),
		"another kind":       object(KindCluster, "ab", 1, "{}"),
		"another rev":        object(KindInstance, "ab", 2, "{}"),
		"another body":       object(KindInstance, "ab", 1, "{ }"),
		"a shifted boundary": object(KindInstance, "a", 1, "{}"),
		"kind runs into id":  object("instancea", "b", 1, "{}"),
		"nothing":            {},
	} {
		d := digestOf(o)
		if other, ok := seen[d]; ok {
			t.Errorf("%q and %q have one digest", name, other)
		}
		seen[d] = name
		if d.Count != 1 {
			t.Errorf("%q counts %d", name, d.Count)
		}
	}
}

// TestDigestIsTheDocumentedOne keeps it what api/federation.yaml says, by hand.
func TestDigestIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	length := func(n byte) string { return "\x00\x00\x00\x00\x00\x00\x00" + string([]byte{n}) }
	want := sha256.Sum256([]byte(length(8) + "instance" + length(2) + "id" + length(8) + length(7) + length(2) + "{}"))
	if got := digestOf(object(KindInstance, "id", 7, "{}")); got.Sum != want {
		t.Errorf("the digest is %x, want %x", got.Sum, want)
	}
}

func TestParseDigest(t *testing.T) {
	t.Parallel()
	d := digestOf(object(KindInstance, "id", 7, "{}"))
	if got, err := ParseDigest(d.Count, d.Hex()); err != nil || got != d {
		t.Errorf("what Hex wrote reads as %v, %v", got, err)
	}
	for name, in := range map[string]struct {
		count int64
		sum   string
	}{
		"empty":    {0, ""},
		"short":    {0, strings.Repeat("0", 62)},
		"long":     {0, strings.Repeat("0", 66)},
		"odd":      {0, strings.Repeat("0", 63)},
		"no hex":   {0, strings.Repeat("g", 64)},
		"negative": {-1, strings.Repeat("0", 64)},
	} {
		if got, err := ParseDigest(in.count, in.sum); CodeOf(err) != CodeInvalid {
			t.Errorf("%s: got %v, %v, want a refusal", name, got, err)
		}
	}
}

const (
	orgID     = "0195c0de-0000-7000-8000-000000000001"
	projectID = "0195c0de-0000-7000-8000-000000000002"
)

func TestParseInstanceReport(t *testing.T) {
	t.Parallel()
	const owner = `"organization_id":"` + orgID + `","project_id":"` + projectID + `"`
	tests := []struct{ name, body, refusal string }{
		{"least", `{` + owner + `,"state":"running","source":"s"}`, ""},
		{"unknown fields", `{` + owner + `,"state":"running","source":"s","color":"red"}`, ""},
		{"an IPv6 address", `{` + owner + `,"state":"running","source":"s","ip":"2001:db8::1"}`, ""},
		{"no JSON", `{`, "not the JSON"},
		{"no organization", `{"project_id":"` + projectID + `","state":"running","source":"s"}`, "not a UUID"},
		{"upper case", `{"organization_id":"` + strings.ToUpper(orgID) + `","project_id":"` + projectID + `","state":"running","source":"s"}`, "lower case"},
		{"another state", `{` + owner + `,"state":"dancing","source":"s"}`, "dancing"},
		{"no source", `{` + owner + `,"state":"running"}`, "source is missing"},
		{"a name of two lines", `{` + owner + `,"state":"running","source":"s","name":"a\nb"}`, "printable"},
		{"no address", `{` + owner + `,"state":"running","source":"s","ip":"10.0.0"}`, "ip is no address"},
		{"a long text", `{` + owner + `,"state":"running","source":"s","fault":"` + strings.Repeat("x", 1025) + `"}`, "at most 1024"},
		{"many tags", `{` + owner + `,"state":"running","source":"s","tags":` + manyTags(257) + `}`, "at most 256 tags"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseInstanceReport([]byte(tt.body))
			checkRefusal(t, err, tt.refusal)
		})
	}
}

func manyTags(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"` + strings.Repeat("k", i+1) + `":"v"`)
	}
	return "{" + b.String()[1:] + "}"
}

func TestParseClusterReport(t *testing.T) {
	t.Parallel()
	const owner = `"organization_id":"` + orgID + `","project_id":"` + projectID + `"`
	for _, tt := range []struct{ name, body, refusal, state string }{
		{"up", `{` + owner + `,"type":"slurm","source":"s"}`, "", "up"},
		{"down", `{` + owner + `,"type":"kubernetes","source":"s","down":true}`, "", "down"},
		{"another type", `{` + owner + `,"type":"nomad","source":"s"}`, "nomad", ""},
		{"no JSON", `[]`, "not the JSON", ""},
		{"no source", `{` + owner + `,"type":"slurm"}`, "source is missing", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := ParseClusterReport([]byte(tt.body))
			checkRefusal(t, err, tt.refusal)
			if tt.state != "" && r.State() != tt.state {
				t.Errorf("the state is %s, want %s", r.State(), tt.state)
			}
		})
	}
}

// checkRefusal wants a CodeInvalid error that contains the text, or none.
func checkRefusal(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case text == "" && err != nil:
		t.Errorf("refused: %v", err)
	case text == "":
	case CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), text):
		t.Errorf("got %v, want a refusal that speaks of %q", err, text)
	case len(err.Error()) > 400:
		t.Errorf("the refusal has %d bytes: %.400s…", len(err.Error()), err)
	}
}
