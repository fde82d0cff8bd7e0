// Package resttest holds answers against an OpenAPI document, for the tests of
// our HTTP APIs: each answer that a test gets is as documented, or the test
// fails. What an answer is, golden files hold.
//
// It owns no rule of a particular API, and is for tests only.
package resttest
