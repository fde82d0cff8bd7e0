// Package serving puts an http.Handler on a listener as it has to be done in
// public: with every time-out set, TLS whose certificate is replaced without a
// restart, no plaintext beyond the machine by mistake, and an end that cuts no
// request short.
//
// It owns what holds for every listener of the program, and whose word is
// taken for a client's address. It does not own what is served.
package serving
