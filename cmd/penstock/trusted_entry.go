package main

import "github.com/penstock-cloud/penstock/internal/cloud"

// trustedEntry is an issuer whose tokens the APIs accept.
type trustedEntry struct {
	Issuer        string     `json:"issuer"`
	Audience      string     `json:"audience"`
	Organizations []cloud.ID `json:"organizations"`
	Claims        struct {
		Subject string `json:"subject"`
		Email   string `json:"email"`
	} `json:"claims"`
}
