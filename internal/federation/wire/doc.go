// Package wire is the federation protocol as it travels: types, client and
// server interface generated from api/federation.yaml. It owns no behaviour;
// both ends of the link are in package federation.
package wire
