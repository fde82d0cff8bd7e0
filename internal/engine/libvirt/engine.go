package libvirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	golibvirt "github.com/digitalocean/go-libvirt"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Engine runs machines by libvirtd.
type Engine struct {
	config        Config
	link          *link
	networks      *networks
	machines      locks
	filesystems   locks
	noFilesystems error // why there can be none; nil if there can
	probed        func() virtualization
}

var _ engine.Engine = (*Engine)(nil)

// New checks the configuration, and makes the folders. It does not need
// libvirtd to be there. CodeInvalid if the configuration is out of bounds.
func New(c Config) (*Engine, error) {
	c.Socket = cmp.Or(c.Socket, DefaultSocket)
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, folder := range []string{c.Folder, filepath.Join(c.Folder, "machines")} {
		if err := makePassable(folder); err != nil {
			return nil, err
		}
	}
	if c.Filesystems == "" {
		if err := os.MkdirAll(c.filesystemFolder(), 0o700); err != nil {
			return nil, err
		}
	}
	impossible := c.filesystemsImpossible()
	if impossible != nil && c.Filesystems != "" {
		c.Log.Warn("there are no filesystems", slog.Any("error", impossible))
	}
	return &Engine{
		config:        c,
		link:          &link{socket: c.Socket},
		networks:      &networks{config: c.Network, region: c.Region},
		noFilesystems: impossible,
		probed:        c.probe(),
	}, nil
}

// Features implements engine.Engine.
func (e *Engine) Features() engine.Features {
	return engine.Features{Filesystems: e.noFilesystems == nil}
}

// Hosts implements engine.Engine.
func (e *Engine) Hosts(context.Context) ([]cloud.Host, error) {
	return []cloud.Host{e.config.Host}, nil
}

// Images implements engine.Engine.
func (e *Engine) Images(context.Context) ([]string, error) { return e.config.images() }

// Prepare implements engine.Engine. The domain comes last: where there is one,
// everything else is there too.
func (e *Engine) Prepare(ctx context.Context, m engine.Machine) error {
	defer e.machines.lock(m.ID)()
	if d, err := e.link.domain(ctx, m.ID); err != nil || d != nil {
		return err
	}
	i, err := e.config.image(m.Image)
	if err != nil {
		return err
	}
	if err := e.checkShares(m.Filesystems); err != nil {
		return err
	}
	seed, err := e.config.seed(m)
	if err != nil {
		return err
	}
	if err := makePassable(e.config.machineFolder(m.ID)); err != nil {
		return err
	}
	err = makeFile(e.config.diskPath(m.ID), func(path string) error { return e.config.createDisk(ctx, i, path) })
	if err != nil {
		return err
	}
	if err := makeFile(e.config.seedPath(m.ID), seed.write); err != nil {
		return err
	}
	return e.define(ctx, m, i)
}

// define makes the domain, or what is known of it as m says.
func (e *Engine) define(ctx context.Context, m engine.Machine, i image) error {
	text, err := e.config.describe(m, i, e.probed())
	if err != nil {
		return err
	}
	return e.link.do(ctx, func(client *golibvirt.Libvirt) error {
		_, err := client.DomainDefineXMLFlags(text, 0)
		return about("define", m.ID, err)
	})
}

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context, m engine.Machine) error {
	defer e.machines.lock(m.ID)()
	d, err := e.link.domain(ctx, m.ID)
	switch {
	case err != nil:
		return err
	case d == nil:
		return cloud.NotFound("there is no machine %s on the host %s", m.ID, e.config.Host.Name)
	case runs(d):
		return nil
	}
	i, err := e.config.image(m.Image)
	if err != nil {
		return err
	}
	if len(m.Filesystems) > 0 {
		if err := e.filesystemsAway(); err != nil {
			return err
		}
	}
	// Its GPUs may be others than last time.
	if err := e.define(ctx, m, i); err != nil {
		return err
	}
	address, err := e.config.Network.address(m.IP)
	if err != nil {
		return err
	}
	e.networks.bridges.RLock()
	defer e.networks.bridges.RUnlock()
	if err := e.networks.ensure(ctx, attach(m.ProjectID, m.ID, address)); err != nil {
		return err
	}
	return e.turnOn(ctx, m.ID, *d)
}

// turnOn leaves a note that the machine is on, by which it is known what became
// of it when libvirtd has forgotten.
func (e *Engine) turnOn(ctx context.Context, id cloud.ID, d golibvirt.Domain) error {
	if err := os.WriteFile(e.config.onPath(id), nil, 0o600); err != nil {
		return err
	}
	return e.link.do(ctx, func(client *golibvirt.Libvirt) error {
		_, err := client.DomainCreateWithFlags(d, 0)
		if answered(err, golibvirt.ErrOperationInvalid) && stillRuns(client, d) {
			return nil // somebody else was faster
		}
		return about("start", id, err)
	})
}

// How a machine is asked to stop: how often it is looked at, and how often it
// is asked again, since one that is only just booting does not listen.
const (
	stopLook = 200 * time.Millisecond
	stopAsk  = 5 * time.Second
)

// Stop implements engine.Engine. It leaves alone a machine that was off
// meanwhile and turned on again.
func (e *Engine) Stop(ctx context.Context, m engine.Machine, grace time.Duration) error {
	run, err := e.link.domain(ctx, m.ID)
	if err != nil {
		return err
	}
	if runs(run) {
		if err := e.askToStop(ctx, m.ID, *run, grace); err != nil {
			return err
		}
		if err := e.turnOff(ctx, m.ID, run); err != nil {
			return err
		}
	}
	return e.noteOff(ctx, m.ID)
}

// askToStop presses the power button until the machine is off or grace is over.
func (e *Engine) askToStop(ctx context.Context, id cloud.ID, run golibvirt.Domain, grace time.Duration) error {
	over := time.NewTimer(grace)
	defer over.Stop()
	look := time.NewTicker(stopLook)
	defer look.Stop()
	for looks := 0; grace > 0; looks++ {
		if looks%int(stopAsk/stopLook) == 0 {
			err := e.link.do(ctx, func(client *golibvirt.Libvirt) error {
				return client.DomainShutdownFlags(run, golibvirt.DomainShutdownAcpiPowerBtn)
			})
			if err != nil && !isOff(err) {
				return about("stop", id, err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case <-look.C:
		}
		d, err := e.link.domain(ctx, id)
		if err != nil || !runs(d) || d.ID != run.ID {
			return err
		}
	}
	return nil
}

// turnOff ends one run of a machine by force, if it goes on.
func (e *Engine) turnOff(ctx context.Context, id cloud.ID, run *golibvirt.Domain) error {
	defer e.machines.lock(id)()
	d, err := e.link.domain(ctx, id)
	if err != nil || !runs(d) || d.ID != run.ID {
		return err
	}
	return e.destroy(ctx, id, *d)
}

// destroy ends what a machine does now, whose lock is held.
func (e *Engine) destroy(ctx context.Context, id cloud.ID, d golibvirt.Domain) error {
	return e.link.do(ctx, func(client *golibvirt.Libvirt) error {
		err := client.DomainDestroyFlags(d, golibvirt.DomainDestroyDefault)
		if isOff(err) {
			return nil
		}
		return about("turn off", id, err)
	})
}

// noteOff takes turnOn's note away from a machine that is off.
func (e *Engine) noteOff(ctx context.Context, id cloud.ID) error {
	defer e.machines.lock(id)()
	if d, err := e.link.domain(ctx, id); err != nil || runs(d) {
		return err
	}
	return remove(e.config.onPath(id))
}

// Delete implements engine.Engine. The domain goes first: what is left of a
// machine without one is found by its id.
func (e *Engine) Delete(ctx context.Context, m engine.Machine) error {
	defer e.machines.lock(m.ID)()
	if err := e.undefine(ctx, m.ID); err != nil {
		return err
	}
	if address, err := e.config.Network.address(m.IP); err == nil {
		if err := e.networks.release(ctx, attach(m.ProjectID, m.ID, address)); err != nil {
			return err
		}
	}
	return os.RemoveAll(e.config.machineFolder(m.ID))
}

// undefine turns a machine off and has libvirtd forget it. Its lock is held, so
// that no Start comes between.
func (e *Engine) undefine(ctx context.Context, id cloud.ID) error {
	d, err := e.link.domain(ctx, id)
	if err != nil || d == nil {
		return err
	}
	if runs(d) {
		if err := e.destroy(ctx, id, *d); err != nil {
			return err
		}
	}
	const everything = golibvirt.DomainUndefineManagedSave | golibvirt.DomainUndefineSnapshotsMetadata |
		golibvirt.DomainUndefineNvram | golibvirt.DomainUndefineCheckpointsMetadata
	return e.link.do(ctx, func(client *golibvirt.Libvirt) error {
		err := client.DomainUndefineFlags(*d, everything)
		if answered(err, golibvirt.ErrNoDomain) {
			return nil
		}
		return about("undefine", id, err)
	})
}

// isOff reports whether libvirtd refused because the machine does not run.
func isOff(err error) bool {
	return answered(err, golibvirt.ErrNoDomain) || answered(err, golibvirt.ErrOperationInvalid)
}

func stillRuns(client *golibvirt.Libvirt, d golibvirt.Domain) bool {
	d, err := client.DomainLookupByUUID(d.UUID)
	return err == nil && runs(&d)
}

// about says to the operator what was being done to which machine.
func about(what string, id cloud.ID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s machine %s: %w", what, id, err)
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
