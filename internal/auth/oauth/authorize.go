package oauth

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// parameters are what an authorization keeps of the client's request.
type parameters struct {
	RedirectURI string    `json:"redirect_uri"`
	State       string    `json:"state,omitempty"`
	Nonce       string    `json:"nonce,omitempty"`
	Challenge   string    `json:"code_challenge"` // S256
	Scopes      []string  `json:"scopes"`
	LoginHint   string    `json:"login_hint,omitempty"`
	SignInAfter time.Time `json:"sign_in_after,omitzero"`
}

func parametersOf(a cloud.Authorization) (p parameters, err error) {
	err = json.Unmarshal(a.Parameters, &p)
	return p, err
}

// authorizeClient returns the client that asks, if browsers may be sent back
// where it wants. Before that nothing is told to that place.
func (s *Server) authorizeClient(ctx context.Context, id, redirect string) (client, error) {
	issuer, err := s.url(ctx, "")
	if err != nil {
		return client{}, err
	}
	c, ok := publicClient(id, issuer)
	if !ok {
		return client{}, oidc.ErrInvalidRequestRedirectURI().WithDescription("there is no such client")
	}
	if !c.mayRedirect(redirect) {
		return client{}, oidc.ErrInvalidRequestRedirectURI().WithDescription("redirect_uri is not one of this client's")
	}
	return c, nil
}

// authorize notes what a client asks for, and returns the page on which a person
// signs in and so agrees.
func (s *Server) authorize(ctx context.Context, client string, r *oidc.AuthRequest) (page string, err error) {
	if err := checkAuthorization(r); err != nil {
		return "", err
	}
	scopes, err := parseScopes(r.Scopes)
	if err != nil {
		return "", err
	}
	now := s.Now()
	p := parameters{
		RedirectURI: r.RedirectURI, State: r.State, Nonce: r.Nonce, Challenge: r.CodeChallenge,
		Scopes: scopes, LoginHint: r.LoginHint, SignInAfter: signInAfter(r, now),
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	a := cloud.Authorization{ID: s.NewID(), ClientID: client, Parameters: text, CreatedAt: now, ExpiresAt: now.Add(cloud.AuthorizationTTL)}
	if page, err = s.url(ctx, SignInPage+"?"+url.Values{"authorization": {string(a.ID)}}.Encode()); err != nil {
		return "", err
	}
	return page, s.Store.Write(ctx, func(tx cloud.Writer) error { return tx.CreateAuthorization(a) })
}

// checkAuthorization refuses what we do not do. The client gets to know.
func checkAuthorization(r *oidc.AuthRequest) error {
	switch {
	case r.RequestParam != "":
		return oidc.ErrRequestNotSupported()
	case r.ResponseMode != "" && r.ResponseMode != oidc.ResponseModeQuery:
		return oidc.ErrInvalidRequest().WithDescription("response_mode must be query")
	case slices.Contains(r.Prompt, oidc.PromptNone):
		return oidc.ErrInteractionRequired().WithDescription("people sign in on a page; leave prompt=none out")
	case r.CodeChallenge == "":
		return oidc.ErrInvalidRequest().WithDescription("code_challenge is missing: PKCE is required (RFC 7636)")
	case r.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return oidc.ErrInvalidRequest().WithDescription("code_challenge_method must be S256")
	case len(r.CodeChallenge) != challengeLength || strings.ContainsFunc(r.CodeChallenge, notBase64URL):
		return oidc.ErrInvalidRequest().WithDescription("code_challenge must be the SHA-256 of a verifier in base64url, without padding")
	}
	return nil
}

// challengeLength is a SHA-256's in base64url.
const challengeLength = 43

func notBase64URL(r rune) bool {
	return (r < '0' || '9' < r) && (r < 'A' || 'Z' < r) && (r < 'a' || 'z' < r) && r != '-' && r != '_'
}

// signInAfter is the earliest sign-in that does; zero if all do.
func signInAfter(r *oidc.AuthRequest, now time.Time) time.Time {
	if slices.Contains(r.Prompt, oidc.PromptLogin) || slices.Contains(r.Prompt, oidc.PromptSelectAccount) {
		return now
	}
	if r.MaxAge == nil {
		return time.Time{}
	}
	const century = 100 * 365 * 24 * 60 * 60
	return now.Add(-time.Duration(min(*r.MaxAge, century)) * time.Second)
}

// Request is what a client asks of a person who signs in.
type Request struct {
	ClientID    string
	ClientName  string    // as people read it
	Scopes      []string  // those that we know
	LoginHint   string    // who the client thinks it is; "" for no idea
	SignInAfter time.Time // a sign-in before that does not do; zero if all do
	AskBefore   time.Time // who signed in before that is to be asked first; zero for nobody
	Agreed      bool      // somebody signed in to it already
}

var errNoAuthorization = cloud.NotFound("this request to sign in does not exist or has expired; go back to the program that you came from and sign in again")

// Describe returns the request of an authorization that is under way;
// CodeNotFound if there is none, or not any more.
func (s *Server) Describe(ctx context.Context, id cloud.ID) (Request, error) {
	var a cloud.Authorization
	err := s.Store.Read(ctx, func(tx cloud.Reader) (err error) {
		a, err = authorization(tx, id, s.Now())
		return err
	})
	if err != nil {
		return Request{}, err
	}
	p, err := parametersOf(a)
	if err != nil {
		return Request{}, err
	}
	return Request{
		ClientID: a.ClientID, ClientName: clientName(a.ClientID), Scopes: p.Scopes,
		LoginHint: p.LoginHint, SignInAfter: p.SignInAfter, AskBefore: askBefore(a), Agreed: a.UserID != "",
	}, nil
}

// askBefore is when a program asked that may be another than it says: whatever
// listens on a port of the person's machine gets the command line's codes. Who
// signs in after that does so for it; who was signed in has not heard of it (RFC
// 8252, 8.6).
func askBefore(a cloud.Authorization) time.Time {
	if c, _ := publicClient(a.ClientID, ""); c.kind != op.ApplicationTypeNative {
		return time.Time{}
	}
	return a.CreatedAt
}

func authorization(tx cloud.Reader, id cloud.ID, now time.Time) (cloud.Authorization, error) {
	a, err := tx.Authorization(id, now)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		err = errNoAuthorization
	}
	return a, err
}

// Agree gives the client what it asked for: a code for the person, who signed in
// at authTime, to be exchanged for tokens. The browser is to go to the URL that it
// returns. Signing in is agreeing: the clients are our own. But ask who had signed in
// before Request.AskBefore.
//
// The refusals: CodeNotFound as in Describe, CodeConflict if somebody agreed
// before, CodeUnauthenticated for a sign-in before Request.SignInAfter,
// CodeForbidden for who is no person. Somebody who does not belong to the
// organization that the client asks for is not refused here: the client is told.
func (s *Server) Agree(ctx context.Context, id, user cloud.ID, authTime time.Time) (callbackURL string, err error) {
	code := cloud.DrawSecret(codePrefix)
	err = s.Store.Write(ctx, func(tx cloud.Writer) error {
		a, err := authorization(tx, id, s.Now())
		if err != nil {
			return err
		}
		if a.UserID != "" {
			return cloud.Conflict("this request to sign in was answered already; go back to the program that you came from and sign in again")
		}
		p, err := parametersOf(a)
		if err != nil {
			return err
		}
		if authTime.Before(p.SignInAfter) {
			return cloud.Unauthenticated("the program that you came from wants you to sign in anew")
		}
		switch err := mayActFor(tx, user, p.Scopes); {
		case isForeign(err):
			callbackURL = p.failure(string(oidc.AccessDenied), "the person does not belong to that organization")
			return tx.DeleteAuthorization(id)
		case err != nil:
			return err
		}
		if err := tx.AgreeAuthorization(id, user, authTime); err != nil {
			return err
		}
		callbackURL = p.callback(url.Values{"code": {code.Reveal()}})
		return tx.SaveAuthorizationCode(id, code.Hash())
	})
	if err != nil {
		return "", err
	}
	return callbackURL, nil
}

// Refuse ends an authorization to which the person does not agree. The browser is
// to go to the URL that it returns. CodeNotFound as in Describe, and if somebody
// agreed.
func (s *Server) Refuse(ctx context.Context, id cloud.ID) (callbackURL string, err error) {
	err = s.Store.Write(ctx, func(tx cloud.Writer) error {
		a, err := authorization(tx, id, s.Now())
		if err != nil {
			return err
		}
		if a.UserID != "" {
			return errNoAuthorization // it is the client's by now
		}
		p, err := parametersOf(a)
		if err != nil {
			return err
		}
		callbackURL = p.failure(string(oidc.AccessDenied), "the person did not agree")
		return tx.DeleteAuthorization(id)
	})
	if err != nil {
		return "", err
	}
	return callbackURL, nil
}

func (p parameters) failure(kind, description string) string {
	return p.callback(url.Values{"error": {kind}, "error_description": {description}})
}

// callback is where the client waits, which has no query of its own, with an
// answer.
func (p parameters) callback(answer url.Values) string {
	if p.State != "" {
		answer.Set("state", p.State)
	}
	return p.RedirectURI + "?" + answer.Encode()
}
