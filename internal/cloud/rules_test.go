package cloud

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseEmail(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"ada@example.com", "Ada.Lovelace+gpu@Example.COM", "a@b", "o'hara@example.ie",
		"ada@sub-domain.example.com", "ada@bücher.example", "ada@1.example",
		strings.Repeat("a", 64) + "@example.com",
	} {
		if got, err := ParseEmail(s); err != nil || string(got) != s {
			t.Errorf("ParseEmail(%q) is %q, %v", s, got, err)
		}
	}
	for name, tt := range map[string]struct{ in, refusal string }{
		"nothing":               {"", "missing"},
		"too long":              {strings.Repeat("a", 250) + "@b.de", "at most 254"},
		"no at":                 {"ada", "must be an address"},
		"no domain":             {"ada@", "must be an address"},
		"no local part":         {"@example.com", "must be an address"},
		"two ats":               {"a@b@c", "must be an address"},
		"a display name":        {"Ada <ada@example.com>", "must be an address"},
		"angle brackets":        {"<ada@example.com>", "must be an address"},
		"a comment":             {"ada@example.com (Ada)", "must be an address"},
		"space around":          {" ada@example.com", "must be an address"},
		"space at the end":      {"ada@example.com ", "must be an address"},
		"a quoted local part":   {`"ada lovelace"@example.com`, "must be an address"},
		"a quoted at":           {`"a@b"@example.com`, "must be an address"},
		"an empty label":        {"ada@example..com", "must be an address"},
		"a trailing dot":        {"ada@example.com.", "must be an address"},
		"a leading hyphen":      {"ada@-example.com", "must be an address"},
		"a trailing hyphen":     {"ada@example-.com", "must be an address"},
		"an underscore":         {"ada@exa_mple.com", "must be an address"},
		"a literal address":     {"ada@[127.0.0.1]", "must be an address"},
		"a long label":          {"ada@" + strings.Repeat("a", 64) + ".com", "must be an address"},
		"a line break":          {"ada@example.com\r\nBcc: eve@example.com", "must be an address"},
		"a control character":   {"ada\x01@example.com", "must be an address"},
		"several":               {"ada@example.com, eve@example.com", "must be an address"},
		"broken UTF-8":          {"ada\xff@example.com", "must be an address"},
		"an encoded word":       {"=?utf-8?q?ada@example.com?=", "must be an address"},
		"a soft line break":     {"ada@\r\n example.com", "must be an address"},
		"a NUL":                 {"ada\x00@example.com", "must be an address"},
		"a group":               {"team: ada@example.com;", "must be an address"},
		"an empty quoted local": {`""@example.com`, "must be an address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseEmail(tt.in)
			checkRefusal(t, err, tt.refusal)
		})
	}
}

func TestEmailsAreComparedWithoutCase(t *testing.T) {
	t.Parallel()
	if a, b := Email("Ada@Example.com"), Email("ada@eXample.COM"); a.Key() != b.Key() {
		t.Errorf("%q and %q are two keys", a.Key(), b.Key())
	}
	if Email("ada@example.com").Key() == Email("ada@example.org").Key() {
		t.Error("two addresses have one key")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	type check func(string) error
	label := check(func(s string) error { return CheckName("name", s) })
	key := check(CheckKeyName)
	for _, tt := range []struct {
		what    string
		check   check
		good    []string
		refused []string
	}{
		{
			"organization or region", label,
			[]string{"a", "0", "acme", "acme-2", "a--b", strings.Repeat("a", 63)},
			[]string{"", "-a", "a-", "A", "a.b", "a_b", "ä", "a b", "a\n", "\na", strings.Repeat("a", 64), "a/b", "-"},
		},
		{
			"SSH key", key,
			[]string{"a", "laptop", "Ada.Lovelace_1~work-2", "...", "-", strings.Repeat("k", 63)},
			[]string{"", ".", "..", "a b", "a/b", "a%20", "ä", "a\n", "\x00", strings.Repeat("k", 64), "a?b", "a#"},
		},
	} {
		for _, name := range tt.good {
			if err := tt.check(name); err != nil {
				t.Errorf("the %s %q is refused: %v", tt.what, name, err)
			}
		}
		for _, name := range tt.refused {
			if err := tt.check(name); CodeOf(err) != CodeInvalid {
				t.Errorf("the %s %q: got %v, want a refusal", tt.what, name, err)
			}
		}
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]ID{
		"0195c0de-0000-7000-8000-000000000001": "0195c0de-0000-7000-8000-000000000001",
		"0195C0DE-ABCD-7000-8000-00000000000F": "0195c0de-abcd-7000-8000-00000000000f",
		"00000000-0000-0000-0000-000000000000": "00000000-0000-0000-0000-000000000000", // any version
	} {
		if got, err := ParseID(in); err != nil || got != want {
			t.Errorf("ParseID(%q) is %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "x", "0195c0de00007000800000000000000001", "0195c0de-0000-7000-8000-00000000000",
		"0195c0de-0000-7000-8000-0000000000011", "{195c0de-0000-7000-8000-000000000001}",
		"0195c0de-0000-7000-8000-00000000000g", "0195c0de_0000_7000_8000_000000000001",
		"0195c0de-0000-7000-8000-0000000000\x00\x00", "0195c0d-e0000-7000-8000-000000000001",
		"urn:uuid:0195c0de-0000-7000-8000-000", strings.Repeat("-", 36), strings.Repeat("0", 36), strings.Repeat("a", 4000),
	} {
		if got, err := ParseID(in); CodeOf(err) != CodeInvalid || len(err.Error()) > 200 {
			t.Errorf("ParseID(%.40q) is %q, %v, want a short refusal", in, got, err)
		}
	}
}

func TestCheckRegionURL(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"https://west-1.example.com", "http://127.0.0.1:8081", "https://[2001:db8::1]:8443/base"} {
		if err := CheckRegionURL(s); err != nil {
			t.Errorf("%s is refused: %v", s, err)
		}
	}
	for in, refusal := range map[string]string{
		"":                            "absolute",
		"west-1.example.com":          "absolute",
		"/path":                       "absolute",
		"https://":                    "absolute",
		"mailto:ada@example.com":      "absolute",
		"ftp://example.com":           "http",
		"javascript://example.com":    "http",
		"https://ada@example.com":     "user",
		"https://a:pw@example.com":    "user",
		"https://example.com?x=1":     "query",
		"https://example.com#top":     "fragment",
		"https://exa mple.com":        "absolute",
		"https://e.com/\x00":          "absolute",
		"https://e/" + longText(2048): "absolute",
	} {
		err := CheckRegionURL(in)
		checkRefusal(t, err, refusal)
		if err != nil && strings.Contains(err.Error(), ":pw@") {
			t.Errorf("the refusal repeats a password: %v", err)
		}
	}
}

func longText(n int) string { return strings.Repeat("x", n) }

func TestRoles(t *testing.T) {
	t.Parallel()
	for _, role := range Roles {
		if got, err := ParseRole(string(role)); err != nil || got != role {
			t.Errorf("ParseRole(%q) is %q, %v", role, got, err)
		}
	}
	for in, refusal := range map[string]string{
		"":       "role is missing; it must be one of admin, editor, viewer",
		"king":   `role must be one of admin, editor, viewer; got "king"`,
		"Admin":  "must be one of",
		"member": "must be one of", // of invitations only
	} {
		_, err := ParseRole(in)
		checkRefusal(t, err, refusal)
	}
	for in, want := range map[string]Role{"": RoleViewer, "member": RoleEditor, "admin": RoleAdmin, "editor": RoleEditor, "viewer": RoleViewer} {
		if got, err := ParseInvitationRole(in); err != nil || got != want {
			t.Errorf("ParseInvitationRole(%q) is %q, %v", in, got, err)
		}
	}
	_, err := ParseInvitationRole("king")
	checkRefusal(t, err, "must be one of")
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	const nobody Role = ""
	may := map[Action][]Role{
		ActionReadCloud:          {nobody, RoleViewer, RoleEditor, RoleAdmin},
		ActionReadOwnAccount:     {nobody, RoleViewer, RoleEditor, RoleAdmin},
		ActionFoundOrganization:  {nobody, RoleViewer, RoleEditor, RoleAdmin},
		ActionAcceptInvitation:   {nobody, RoleViewer, RoleEditor, RoleAdmin},
		ActionLeaveOrganization:  {RoleViewer, RoleEditor, RoleAdmin},
		ActionManageOrganization: {RoleAdmin},
		ActionReadAudit:          {RoleAdmin},
		ActionManageOwnKeys:      {nobody, RoleViewer, RoleEditor, RoleAdmin},
		ActionReadFleet:          {RoleViewer, RoleEditor, RoleAdmin},
		ActionReadAccounts:       {RoleViewer, RoleEditor, RoleAdmin},
		ActionStopFleet:          {RoleEditor, RoleAdmin},
		ActionChangeFleet:        {RoleEditor, RoleAdmin},
		ActionManageMembers:      {RoleAdmin},
		ActionManageInvitations:  {RoleAdmin},
		"paint the sky":          nil,
	}
	if len(may) != len(Permissions())+1 {
		t.Errorf("there are %d permissions, and the test knows %d", len(Permissions()), len(may)-1)
	}
	for action, roles := range may {
		allowed := map[Role]bool{}
		for _, r := range roles {
			allowed[r] = true
		}
		for _, role := range []Role{nobody, RoleViewer, RoleEditor, RoleAdmin, "king"} {
			err := role.Authorize(action)
			if allowed[role] != (err == nil) || err != nil && CodeOf(err) != CodeForbidden {
				t.Errorf("may %q %s: %v, want %v", role, action, err, allowed[role])
			}
		}
		if got := action.NeedsOrganization(); got == allowed[nobody] {
			t.Errorf("%s needs an organization: %v", action, got)
		}
	}
}

// TestSuspensionStopsChanges goes through all actions as an admin: while they or
// the organization are suspended, they may do what reads, and nothing else.
func TestSuspensionStopsChanges(t *testing.T) {
	t.Parallel()
	reads := []Action{ActionReadCloud, ActionReadOwnAccount, ActionReadFleet, ActionReadAccounts, ActionReadAudit}
	free := Caller{Relation: Relation{Role: RoleAdmin}}
	user, organization := free, free
	user.User.SuspendedAt = time.Unix(1, 0)
	organization.Relation.Suspended = true
	for _, p := range Permissions() {
		if err := free.Authorize(p.Action); err != nil {
			t.Errorf("to %s, not suspended: %v", p.Action, err)
		}
		for what, caller := range map[string]Caller{"your account is suspended": user, "this organization is suspended": organization} {
			err := caller.Authorize(p.Action)
			if slices.Contains(reads, p.Action) {
				if err != nil || p.Action.Changes() {
					t.Errorf("to %s is to read: %v", p.Action, err)
				}
				continue
			}
			if CodeOf(err) != CodeForbidden || !strings.Contains(err.Error(), what) || !p.Action.Changes() {
				t.Errorf("to %s: got %v; want a refusal that says: %s", p.Action, err, what)
			}
		}
	}
	if !Action("paint the sky").Changes() {
		t.Error("an action that nobody knows is taken for one that only reads")
	}
}

// TestTokensAreLessThanTheirOwners is about what a token's holder could do, and
// the token may not.
func TestTokensAreLessThanTheirOwners(t *testing.T) {
	t.Parallel()
	person := User{Kind: Person}
	for name, tt := range map[string]struct {
		caller  Caller
		refused map[Action]string
	}{
		"a person": {Caller{User: person}, nil},
		"a token for one organization": {
			Caller{User: person, Principal: Principal{OrganizationID: "a"}},
			map[Action]string{ActionFoundOrganization: "bound to one organization", ActionAcceptInvitation: "bound to one organization"},
		},
		"a personal token": {
			Caller{User: person, Principal: Principal{OrganizationID: "a", Personal: true}},
			map[Action]string{ActionFoundOrganization: "a personal token", ActionAcceptInvitation: "a personal token", ActionLeaveOrganization: "a personal token"},
		},
		"a service account": {
			Caller{User: User{Kind: Service}, Principal: Principal{OrganizationID: "a"}},
			map[Action]string{ActionFoundOrganization: "a service account", ActionAcceptInvitation: "a service account", ActionLeaveOrganization: "a service account"},
		},
		"a token that opens what viewers may": {
			Caller{User: person, Principal: Principal{MaxRole: RoleViewer}},
			map[Action]string{
				ActionStopFleet: "your token opens no more than viewer", ActionChangeFleet: "your token", ActionManageMembers: "your token",
				ActionManageInvitations: "your token", ActionManageOrganization: "your token", ActionReadAudit: "your token",
				ActionManageOwnKeys: "your token", ActionFoundOrganization: "your token", ActionAcceptInvitation: "your token", ActionLeaveOrganization: "your token",
			},
		},
	} {
		tt.caller.Role = RoleAdmin.AtMost(tt.caller.MaxRole)
		for _, p := range Permissions() {
			err := tt.caller.Authorize(p.Action)
			words, refused := tt.refused[p.Action]
			if refused != (err != nil) || refused && (CodeOf(err) != CodeForbidden || !strings.Contains(err.Error(), words)) {
				t.Errorf("%s, to %s: got %v; want %q", name, p.Action, err, words)
			}
		}
	}
}

func TestAtMost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ role, limit, want Role }{
		{RoleAdmin, "", RoleAdmin},
		{RoleAdmin, RoleViewer, RoleViewer},
		{RoleViewer, RoleAdmin, RoleViewer},
		{RoleEditor, RoleEditor, RoleEditor},
		{"", RoleAdmin, ""},
		{RoleAdmin, "king", "king"},
	} {
		if got := tt.role.AtMost(tt.limit); got != tt.want {
			t.Errorf("%q at most %q is %q; want %q", tt.role, tt.limit, got, tt.want)
		}
	}
}

func TestMaskedEmails(t *testing.T) {
	t.Parallel()
	for in, want := range map[Email]string{"ada@example.com": "a…@example.com", "a@b": "a…@b", "örjan@exämple.se": "ö…@exämple.se"} {
		if got := in.Masked(); got != want {
			t.Errorf("%s is masked as %s; want %s", in, got, want)
		}
	}
}

func TestAuditFilters(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	for _, good := range []AuditFilter{{}, {ActorID: "a", Action: "b", Target: "ü"}, {Since: at}, {Until: at}, {Since: at, Until: at.Add(1)}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for refusal, bad := range map[string]AuditFilter{
		"actor must":               {ActorID: longText(256)},
		"action must":              {Action: "a\x00"},
		"target must":              {Target: "\xff"},
		"since must be before unt": {Since: at, Until: at},
	} {
		checkRefusal(t, bad.Check(), refusal)
	}
}

func TestPermissionsCannotBeChanged(t *testing.T) {
	t.Parallel()
	Permissions()[0].Least = RoleAdmin
	if Permissions()[0].Least == RoleAdmin {
		t.Error("a caller changed the table")
	}
}

func TestChooseOrganization(t *testing.T) {
	t.Parallel()
	a, b := Relation{OrganizationID: "a", Role: RoleViewer}, Relation{OrganizationID: "b", Role: RoleAdmin}
	tests := []struct {
		name         string
		relations    []Relation
		bound, asked ID
		want         Relation
		code         Code
	}{
		{"the only one", []Relation{a}, "", "", a, ""},
		{"the one asked for", []Relation{a, b}, "", "b", b, ""},
		{"the token's", []Relation{a, b}, "b", "", b, ""},
		{"both, the same", []Relation{a, b}, "b", "b", b, ""},
		{"out of the token's boundary", []Relation{a, b}, "b", "a", Relation{}, CodeForbidden},
		{"a foreign one", []Relation{a}, "", "c", Relation{}, CodeForbidden},
		{"the token's is foreign", []Relation{a}, "c", "", Relation{}, CodeForbidden},
		{"none", nil, "", "", Relation{}, CodeForbidden},
		{"none, and one asked for", nil, "", "a", Relation{}, CodeForbidden},
		{"several", []Relation{a, b}, "", "", Relation{}, CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ChooseOrganization(tt.relations, tt.bound, tt.asked)
			if CodeOf(err) != tt.code || got != tt.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	_, err := ChooseOrganization([]Relation{a, b}, "", "")
	checkRefusal(t, err, "X-ORG-ID: a, b")
	_, foreign := ChooseOrganization([]Relation{a}, "", "b")
	_, missing := ChooseOrganization([]Relation{a}, "", "zzz")
	if foreign.Error() != missing.Error() {
		t.Errorf("a foreign and a missing organization read differently: %v, %v", foreign, missing)
	}
	_, err = ChooseOrganization(make([]Relation, 1000), "", "")
	if len(err.Error()) > 1000 {
		t.Errorf("the list of choices has %d bytes", len(err.Error()))
	}
}

func TestCheckLastAdmin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		is, next Role
		admins   int64
		want     Code
	}{
		{RoleAdmin, RoleViewer, 1, CodeConflict},
		{RoleAdmin, RoleEditor, 1, CodeConflict},
		{RoleAdmin, "", 1, CodeConflict},
		{RoleAdmin, "", 0, CodeConflict}, // cannot be; if it is, it gets no worse
		{RoleAdmin, RoleAdmin, 1, ""},
		{RoleAdmin, RoleViewer, 2, ""},
		{RoleAdmin, "", 2, ""},
		{RoleEditor, "", 1, ""},
		{RoleViewer, RoleAdmin, 1, ""},
		{RoleEditor, RoleViewer, 1, ""},
	} {
		if err := CheckLastAdmin(Member{Role: tt.is}, tt.next, tt.admins); CodeOf(err) != tt.want {
			t.Errorf("from %q to %q among %d admins: %v, want %q", tt.is, tt.next, tt.admins, err, tt.want)
		}
	}
}

func TestCheckIdempotencyKey(t *testing.T) {
	t.Parallel()
	// "" is how a request without a key has it.
	for _, key := range []string{"", "a", strings.Repeat("k", MaxIdempotencyKey), "42 and more"} {
		if err := CheckIdempotencyKey(key); err != nil {
			t.Errorf("%q is refused: %v", key, err)
		}
	}
	for _, key := range []string{strings.Repeat("k", MaxIdempotencyKey+1), "a\x00", "a\nb", "\xff", "\x7f"} {
		if err := CheckIdempotencyKey(key); CodeOf(err) != CodeInvalid {
			t.Errorf("%q: got %v, want a refusal", key, err)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	codes := map[Code]error{
		CodeInvalid: Invalid("x"), CodeUnauthenticated: Unauthenticated("x"), CodeForbidden: Forbidden("x"),
		CodeNotFound: NotFound("x"), CodeConflict: Conflict("x"), CodeTooLarge: TooLarge("x"),
		CodeUnimplemented: Unimplemented("x"), CodeUnavailable: Unavailable(errors.New("x")),
		"": errors.New("x"),
	}
	got := map[Code]error{}
	for _, err := range codes {
		got[CodeOf(fmt.Errorf("around: %w", err))] = err
	}
	if diff := cmp.Diff(len(codes), len(got)); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	cause := errors.New("the disk is on fire")
	err := Unavailable(cause)
	if strings.Contains(err.Error(), "fire") || !errors.Is(err, cause) {
		t.Errorf("the cause is for the log and not for the caller: %v", err)
	}
}

func TestMessagesRepeatLittleOfTheInput(t *testing.T) {
	t.Parallel()
	for _, in := range []string{longText(1 << 20), strings.Repeat("\x00", 1<<20), strings.Repeat("€", 1<<18), "\x1b[31m\u202e"} {
		err := CheckName("name", in)
		if len(err.Error()) > 600 {
			t.Errorf("a refusal has %d bytes", len(err.Error()))
		}
		if strings.ContainsAny(err.Error(), "\x00\x1b\u202e") {
			t.Errorf("a refusal repeats unprintable characters: %q", err.Error())
		}
	}
}
