// Package federation is the protocol between the regions and the global plane.
package federation
