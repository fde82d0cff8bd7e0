// Package provider lets people sign in through the OpenID Connect providers
// that the operator names: it is their relying party, by the authorization code
// flow with PKCE.
//
// It owns how a provider is found, what is asked of it, and what makes its
// answer believed. It does not own whose account an answer opens (package control
// does), nor the pages and cookies around it (package signin).
package provider
