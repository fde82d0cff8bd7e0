// Package libvirt tells, as tests, what a tenant gets from a region whose
// machines are real: the built program as plane and as region, over HTTP, a
// libvirtd, and machines that are logged in to.
//
// The tests need what run.sh gives them, and are skipped elsewhere: run
// `make test-libvirt`. Beside them are the recipe of the tiny guest, and run.sh
// itself.
//
// The package owns the stories that begin with a tenant's request and end in a
// machine. What the engine does by itself is tested in internal/engine/libvirt.
package libvirt
