package region

import (
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// usage is what a machine's owner pays for at a time.
type usage int

const (
	usageNone    usage = iota // it comes into being, waits, or failed
	usageStarted              // it has the host's processors, memory and GPUs
	usageStopped              // it has no more than its disk and its address
	usageGoesOn               // it is on its way out of whatever it was; until it is, that goes on
)

func usageOf(s cloud.InstanceState) usage {
	switch s {
	case cloud.InstanceRunning:
		return usageStarted
	case cloud.InstanceStopped:
		return usageStopped
	case cloud.InstanceStopping, cloud.InstanceDeleting:
		return usageGoesOn
	case cloud.InstanceCreating, cloud.InstanceStarting, cloud.InstanceOutOfStock, cloud.InstanceError:
		return usageNone
	}
	return usageNone
}

// meter ends the span of what a machine was used for, and begins that of what
// it is used for now.
func (c *change) meter(m cloud.Machine, before, now usage) error {
	if before == now || now == usageGoesOn {
		return nil
	}
	if err := c.endSpan(m.ID); err != nil || now == usageNone {
		return err
	}
	return c.PutSpan(cloud.Span{
		ID: c.newID(), MachineID: m.ID, OrganizationID: m.OrganizationID, ProjectID: m.ProjectID,
		Type: m.Type.Name, Started: now == usageStarted, From: c.at,
	})
}

// endSpan ends the one that lasts, if any. One that would end before it began,
// since the clock was set back, ends when it began.
func (c *change) endSpan(machine cloud.ID) error {
	spans, err := c.Spans(machine)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(spans, func(s cloud.Span) bool { return s.To.IsZero() })
	if i < 0 {
		return nil
	}
	last := spans[i]
	if last.To = c.at; last.To.Before(last.From) {
		last.To = last.From
	}
	return c.PutSpan(last)
}
