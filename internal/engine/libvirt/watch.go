package libvirt

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"

	golibvirt "github.com/digitalocean/go-libvirt"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Run implements engine.Engine: it tells what libvirtd says that happened, and
// at first how everything is. It ends with CodeUnavailable when libvirtd goes
// away.
//
// It listens on a connection of its own, on which nothing is asked. When one ends
// amid questions, as that of a killed region does, libvirtd 9.0 may forget its
// listeners from two threads at once, and crash.
func (e *Engine) Run(ctx context.Context, tell engine.Tell) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	go e.probed() // it takes a while, so it begins before anybody waits for it
	listener := &link{socket: e.config.Socket}
	defer listener.cut()
	events, err := ask(ctx, listener, func(client *golibvirt.Libvirt) (<-chan golibvirt.DomainEventLifecycleMsg, error) {
		return client.LifecycleEvents(context.WithoutCancel(ctx)) // until it is cut
	})
	if err != nil {
		return err
	}
	defer func() { go drain(events) }() // or its sender would wait for ever
	if err := e.tellAll(ctx, tell); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, ok := <-events:
			if !ok {
				return errors.Join(ctx.Err(), cloud.Unavailable(fmt.Errorf("libvirtd at %s hung up", e.config.Socket)))
			}
			if err := e.tellOne(ctx, event.Dom, tell); err != nil {
				return err
			}
		}
	}
}

func drain[T any](events <-chan T) {
	for range events {
	}
}

func (e *Engine) tellAll(ctx context.Context, tell engine.Tell) error {
	sightings, err := e.look(ctx)
	if err != nil {
		return err
	}
	for _, s := range sightings {
		tell(s)
	}
	return nil
}

// tellOne looks at a domain of which something was said: by now, more may have
// happened.
func (e *Engine) tellOne(ctx context.Context, d golibvirt.Domain, tell engine.Tell) error {
	id, ok := machineID(d.Name)
	if !ok {
		return nil
	}
	s, there, err := e.sight(ctx, d, id)
	if err != nil {
		return err
	}
	if there {
		tell(s)
	}
	return nil
}

// Survey implements engine.Engine.
func (e *Engine) Survey(ctx context.Context) (engine.Survey, error) {
	sightings, err := e.look(ctx)
	switch {
	case cloud.CodeOf(err) == cloud.CodeUnavailable:
		return engine.Survey{}, nil
	case err != nil:
		return engine.Survey{}, err
	}
	return engine.Survey{Heard: []string{e.config.Host.Name}, Sightings: sightings}, nil
}

// look sees all machines of this region on this host.
func (e *Engine) look(ctx context.Context) ([]engine.Sighting, error) {
	domains, err := ask(ctx, e.link, func(client *golibvirt.Libvirt) ([]golibvirt.Domain, error) {
		domains, _, err := client.ConnectListAllDomains(1, 0)
		return domains, err
	})
	if err != nil {
		return nil, err
	}
	var sightings []engine.Sighting
	for _, d := range domains {
		id, ok := machineID(d.Name)
		if !ok {
			continue
		}
		s, ours, err := e.sight(ctx, d, id)
		if err != nil {
			return nil, err
		}
		if ours && s.Power != engine.PowerGone {
			sightings = append(sightings, s)
		}
	}
	return sightings, nil
}

// sight sees one machine, unless it is another region's or host's. One that is
// not there any more cannot say whose it was; the region knows.
func (e *Engine) sight(ctx context.Context, d golibvirt.Domain, id cloud.ID) (_ engine.Sighting, ours bool, _ error) {
	type look struct {
		state, reason int32
		mark          string
	}
	seen, err := ask(ctx, e.link, func(client *golibvirt.Libvirt) (l look, err error) {
		l.mark, err = client.DomainGetMetadata(d, int32(golibvirt.DomainMetadataElement),
			golibvirt.OptString{metadataNamespace}, golibvirt.DomainAffectCurrent)
		if err == nil {
			l.state, l.reason, err = client.DomainGetState(d, 0)
		}
		return l, err
	})
	s := engine.Sighting{ID: id, Host: e.config.Host.Name}
	switch {
	case answered(err, golibvirt.ErrNoDomain):
		s.Power = engine.PowerGone
		return s, true, nil
	case answered(err, golibvirt.ErrNoDomainMetadata):
		return s, false, nil
	case err != nil:
		return s, false, err
	}
	var m mark
	if err := xml.Unmarshal([]byte(seen.mark), &m); err != nil || m.Region != e.config.Region || m.Host != e.config.Host.Name {
		return s, false, nil
	}
	s.Power, s.Reason = power(golibvirt.DomainState(seen.state), golibvirt.DomainShutoffReason(seen.reason), isFile(e.config.onPath(id)))
	return s, true, nil
}

// power says what a state of libvirt means. wasOn is whether it was turned on
// and nobody has noted yet that it is off.
func power(state golibvirt.DomainState, reason golibvirt.DomainShutoffReason, wasOn bool) (engine.Power, string) {
	switch state {
	case golibvirt.DomainShutoff:
	case golibvirt.DomainCrashed:
		return engine.PowerFailed, reasonEnded
	default: // paused, too: it holds what it was given
		return engine.PowerOn, ""
	}
	switch reason {
	case golibvirt.DomainShutoffCrashed, golibvirt.DomainShutoffFailed, golibvirt.DomainShutoffDaemon:
		return engine.PowerFailed, reasonEnded
	case golibvirt.DomainShutoffUnknown: // what libvirtd says after it was started again
		if wasOn {
			return engine.PowerFailed, reasonLost
		}
		return engine.PowerOff, ""
	default:
		return engine.PowerOff, ""
	}
}

// Why machines fail, for their tenants. libvirtd says of a panic inside and of a
// QEMU that was killed the same.
const (
	reasonEnded = "its operating system crashed, or its virtual machine was killed"
	reasonLost  = "its host went down, or its virtual machine ended while nobody looked"
)
