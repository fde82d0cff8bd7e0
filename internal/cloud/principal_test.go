package cloud

import (
	"slices"
	"strings"
	"testing"
)

// A token opens what its boundaries have in common, and no boundary is not the
// same as one around nothing.
func TestBoundariesOfAToken(t *testing.T) {
	t.Parallel()
	const a, b, c = ID("0198a1b2-0000-7000-8000-00000000000a"), ID("0198a1b2-0000-7000-8000-00000000000b"), ID("0198a1b2-0000-7000-8000-00000000000c")
	all := []Relation{{OrganizationID: a}, {OrganizationID: b}, {OrganizationID: c}}
	for name, tt := range map[string]struct {
		principal Principal
		within    []ID
		bounded   bool
	}{
		"none":                            {Principal{}, []ID{a, b, c}, false},
		"the token's":                     {Principal{OrganizationID: b}, []ID{b}, true},
		"the issuer's":                    {Principal{Organizations: []ID{a, b}}, []ID{a, b}, true},
		"both":                            {Principal{OrganizationID: b, Organizations: []ID{a, b}}, []ID{b}, true},
		"both, with nothing in common":    {Principal{OrganizationID: c, Organizations: []ID{a, b}}, nil, true},
		"around nothing":                  {Principal{Organizations: []ID{}}, nil, true},
		"around where they do not belong": {Principal{Organizations: []ID{"0198a1b2-0000-7000-8000-00000000000d"}}, nil, true},
	} {
		var within []ID
		for _, r := range tt.principal.Within(all) {
			within = append(within, r.OrganizationID)
		}
		if !slices.Equal(within, tt.within) {
			t.Errorf("%s: within are %v, want %v", name, within, tt.within)
		}
		boundary := tt.principal.Boundary()
		if (boundary != nil) != tt.bounded {
			t.Errorf("%s: the boundary is %v", name, boundary)
		}
		for _, r := range all {
			want := slices.Contains(tt.within, r.OrganizationID)
			if got := tt.principal.Admits(r.OrganizationID); got != want || boundary != nil && slices.Contains(boundary, r.OrganizationID) != want {
				t.Errorf("%s: admits %s: %v, want %v; the boundary is %v", name, r.OrganizationID, got, want, boundary)
			}
		}
	}
	if len(all) != 3 || all[2].OrganizationID != c {
		t.Errorf("the relations themselves were changed: %v", all)
	}
}

func TestWhatAnIssuerOfSomeOrganizationsMayNotDo(t *testing.T) {
	t.Parallel()
	for _, p := range Permissions() {
		bounded := Principal{Organizations: []ID{}}.CheckIssuer(p.Action)
		if want := p.Least == "" && p.Effect == Changes; (CodeOf(bounded) == CodeForbidden) != want {
			t.Errorf("to %s: got %v, want it refused: %v", p.Action, bounded, want)
		}
		if err := (Principal{}).CheckIssuer(p.Action); err != nil {
			t.Errorf("to %s with our own token: %v", p.Action, err)
		}
	}
}

func TestIssuersAndSubjects(t *testing.T) {
	t.Parallel()
	for issuer, ok := range map[string]bool{
		"https://login.example.com": true, "https://login.example.com/realms/acme/": true, "https://login.example.com:8443": true,
		"http://127.0.0.1:5556": true, "http://localhost/dex": true, "http://[::1]:5556": true,
		"http://login.example.com": false, "http://127.0.0.1.example.com": false, "http://10.0.0.1": false, "ftp://login.example.com": false,
		"login.example.com": false, "": false, "https://": false, "mail": false, "https://ada@login.example.com": false,
		"https://login.example.com?a=b": false, "https://login.example.com?": false, "https://login.example.com#a": false,
		"https://login.example.com/" + strings.Repeat("a", 229): true, "https://login.example.com/" + strings.Repeat("a", 230): false,
	} {
		if err := CheckIssuer(issuer); (err == nil) != ok || err != nil && CodeOf(err) != CodeInvalid {
			t.Errorf("the issuer %.60q: got %v, want it good: %v", issuer, err, ok)
		}
	}
	for subject, ok := range map[string]bool{
		"auth0|5f7c8ec7c33c6c004bbafe82": true, "repo:acme/ci:ref:refs/heads/main": true, "Ada Lovelace": true, strings.Repeat("a", 255): true,
		"": false, strings.Repeat("a", 256): false, "a\x00": false, "a\nb": false, "\xff": false,
	} {
		if err := CheckSubject(subject); (err == nil) != ok || err != nil && CodeOf(err) != CodeInvalid {
			t.Errorf("the subject %.60q: got %v, want it good: %v", subject, err, ok)
		}
	}
}
