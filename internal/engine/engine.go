package engine

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Engine runs machines and does what a region asks of it. It is safe for
// concurrent use, for one machine too.
//
// Whatever is asked may be asked again: after a crash the region does not know
// how far it came. What is done already is success, and what was half done is
// completed. Who asks for something is answered when it is done, or with an
// error:
//
//   - cloud.CodeUnavailable: the host cannot be reached now. It is tried again
//     for as long as it takes.
//   - cloud.CodeInvalid, CodeUnimplemented: it will never work; the message is
//     for the tenant.
//   - any other: tried again a few times; the message is for the operator.
type Engine interface {
	// Run keeps in touch with the hosts, and tells what happens, until ctx
	// ends: then it returns ctx.Err() promptly. Any other error means that it
	// cannot go on; the region calls Run again after a pause. Everything else
	// may be called whether it runs or not.
	Run(ctx context.Context, tell Tell) error

	// Features says what it can do here. It does not change.
	Features() Features
	// Hosts lists every host that it is configured for, whether it can be
	// reached or not, by name.
	Hosts(ctx context.Context) ([]cloud.Host, error)
	// Images lists what machines can be made from, as image://NAME, by name.
	Images(ctx context.Context) ([]string, error)
	// Survey looks at every machine on every host that can be reached.
	Survey(ctx context.Context) (Survey, error)

	// Prepare makes what a machine needs (disk, seed, network), and leaves it
	// off. A machine that is there is left as it is.
	Prepare(ctx context.Context, m Machine) error
	// Start turns a prepared machine on. CodeNotFound where there is none.
	Start(ctx context.Context, m Machine) error
	// Stop turns a machine off: by asking it, and by force once grace has
	// passed. One that is not there is off.
	Stop(ctx context.Context, m Machine, grace time.Duration) error
	// Delete turns a machine off by force and removes all of it but its
	// filesystems. One that is not there is deleted.
	Delete(ctx context.Context, m Machine) error

	// CreateFilesystem makes storage of a size that it will not outgrow.
	CreateFilesystem(ctx context.Context, f cloud.Filesystem) error
	// DeleteFilesystem removes it and what is in it.
	DeleteFilesystem(ctx context.Context, f cloud.Filesystem) error
}

// Features says what an engine can do. Everything can be listed.
type Features struct {
	Filesystems bool // that they can be created and deleted
}

// Machine is what an engine needs to know of a machine. Between two calls of
// the same ID only GPUs may differ, and only while it is off.
type Machine struct {
	ID        cloud.ID
	ProjectID cloud.ID
	Host      string
	cloud.MachineSpec
	IP   string   // of its one interface
	GPUs []string // addresses
}

// Tell takes what an engine noticed by itself. It returns at once.
type Tell func(Sighting)

// Sighting is what was seen of a machine.
type Sighting struct {
	ID     cloud.ID
	Host   string
	Power  Power
	Reason string // why it is PowerFailed, for its tenant; "" if nobody knows
}

// Power is whether a machine runs.
type Power string

// What a machine can be seen as.
const (
	PowerOn     Power = "on"
	PowerOff    Power = "off"    // turned off, from inside or on demand, or never turned on
	PowerFailed Power = "failed" // ended by what was nobody's wish
	PowerGone   Power = "gone"   // not there any more
)

// Survey is what was seen at one look. A machine on a host that was heard and
// that is not among the sightings is gone.
type Survey struct {
	Heard     []string // hosts that answered
	Sightings []Sighting
}
