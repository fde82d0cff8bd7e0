// Package published is a region's source of keys: those that the plane
// publishes for whoever verifies its tokens.
//
// It owns how they are fetched, how often, what of them is believed and for how
// long they are kept. It does not own what makes a token good (package auth
// does), nor what the plane publishes (package issuer).
package published
