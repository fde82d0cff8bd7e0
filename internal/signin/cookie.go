package signin

import (
	"net/http"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The cookies. Each holds a secret and nothing else.
const (
	sessionCookie    = "penstock-session"    // of a browser that is signed in
	signInCookie     = "penstock-signin"     // of one that is about to
	invitationCookie = "penstock-invitation" // the link's token, so that it is in no page's address
)

// cookies reads and writes them. Under https their names begin with __Host-:
// browsers take those from nobody but this host, over https.
type cookies struct{ secure bool }

func (c cookies) name(name string) string {
	if c.secure {
		return "__Host-" + name
	}
	return name
}

func (c cookies) get(r *http.Request, name string) cloud.Secret {
	cookie, err := r.Cookie(c.name(name))
	if err != nil {
		return cloud.Secret{}
	}
	return cloud.NewSecret(cookie.Value)
}

func (c cookies) set(w http.ResponseWriter, name string, secret cloud.Secret, life time.Duration) {
	c.write(w, name, secret.Reveal(), int(life/time.Second))
}

func (c cookies) clear(w http.ResponseWriter, name string) { c.write(w, name, "", -1) }

func (c cookies) write(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever there is https
		Name: c.name(name), Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, // providers send the browser back from their site
	})
}
