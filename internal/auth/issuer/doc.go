// Package issuer is the built-in issuer: it makes API tokens, looks after the
// keys that sign them, and publishes the public halves.
//
// It owns what is in a token and when a key begins and ends. The keys live in
// the plane's store, so that every replica and every command beside them sees
// the same ones. Who may have a token is decided elsewhere.
package issuer
