// Package signin is the pages on which people sign in, see to their account,
// accept an invitation and let a device in: HTML that is made here and needs no
// JavaScript.
//
// It owns the pages, their cookies, and what keeps other sites out of them. It
// does not own who may sign in (package control does), what a provider says
// (package auth/provider), nor the tokens that programs get afterwards (package
// auth/oauth).
package signin
