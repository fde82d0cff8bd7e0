// Package openid starts a real OpenID Connect provider for tests: the certified
// oidc-provider for Node.js, which shares no code with what is tested.
//
// It owns how the provider is got, started and ended. Debian's Chromium or a
// test's own client speaks to it.
package openid
