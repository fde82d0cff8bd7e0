package region

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// step is what brings a machine nearer to what is wanted of it.
type step string

const (
	stepNone    step = "nothing" // it is there, or waits for its tenant
	stepPlace   step = "place"
	stepPrepare step = "prepare"
	stepStart   step = "start"
	stepStop    step = "stop" // and give back its share of the host
	stepDelete  step = "delete"
)

// nextStep decides by nothing but what is written down, so that whoever comes
// after a crash goes on as the one before would have.
func nextStep(m cloud.Machine) step {
	switch {
	case m.Goal == cloud.GoalDeleted:
		return stepDelete
	case m.State == cloud.InstanceError && m.Placed:
		return stepStop // nobody knows what of it still runs
	case m.State == cloud.InstanceError:
		return stepNone
	case m.Goal == cloud.GoalStopped && m.State == cloud.InstanceStopped:
		return stepNone
	case m.Goal == cloud.GoalStopped:
		return stepStop
	case m.State == cloud.InstanceRunning:
		return stepNone
	case !m.Placed:
		return stepPlace
	case !m.Prepared:
		return stepPrepare
	default:
		return stepStart
	}
}

// prepared, started and stopped are what a machine becomes when a step is done.
// What is wanted of it may have changed meanwhile.

func prepared(m cloud.Machine) cloud.Machine {
	m.Prepared = true
	if m.State == cloud.InstanceCreating {
		m.State = cloud.InstanceStarting
	}
	return m
}

func started(m cloud.Machine) cloud.Machine {
	if m.Goal == cloud.GoalRunning {
		m.State, m.Reason = cloud.InstanceRunning, ""
	}
	return m
}

func stopped(m cloud.Machine) cloud.Machine {
	m.Placed, m.GPUs = false, nil
	switch {
	case m.Goal != cloud.GoalStopped || m.State == cloud.InstanceError:
	case m.Ephemeral:
		m.Goal, m.State = cloud.GoalDeleted, cloud.InstanceDeleting
	default:
		m.State = cloud.InstanceStopped
	}
	return m
}

// failed is what a machine becomes that cannot be had to run.
func failed(m cloud.Machine, reason string) cloud.Machine {
	m.Goal, m.State, m.Reason = cloud.GoalStopped, cloud.InstanceError, reason
	return m
}

// preempted is what a machine becomes whose room another one needs.
func preempted(m cloud.Machine) cloud.Machine {
	m.Goal, m.State = cloud.GoalStopped, cloud.InstanceStopping
	m.Reason = "preempted: an instance that is not preemptible needed its room"
	return m
}

// What a machine's tenant is told of what happened behind the region's back.
const (
	reasonFailed   = "it ended unexpectedly; start it again, or delete it"
	reasonVanished = "its host does not have it any more; what was on its disk may be lost"
)

// witness is what a machine becomes that was seen, while nobody worked on it.
func witness(m cloud.Machine, seen engine.Sighting) cloud.Machine {
	switch seen.Power {
	case engine.PowerOn:
		return seenOn(m)
	case engine.PowerOff:
		if m.State == cloud.InstanceRunning { // it was turned off from inside
			m.Goal = cloud.GoalStopped
			return stopped(m)
		}
	case engine.PowerFailed:
		if m.State != cloud.InstanceRunning {
			return m
		}
		if seen.Reason == "" {
			seen.Reason = reasonFailed
		}
		return stopped(failed(m, seen.Reason))
	case engine.PowerGone:
		if !m.Prepared || m.Goal == cloud.GoalDeleted {
			return m
		}
		m.Prepared = false
		return stopped(failed(m, reasonVanished))
	}
	return m
}

func seenOn(m cloud.Machine) cloud.Machine {
	switch {
	case m.Goal == cloud.GoalRunning && m.Placed:
		return started(m)
	case m.State == cloud.InstanceStopped || m.State == cloud.InstanceError:
		// It was turned on by somebody who may not: it has no share of its host.
		m.Goal, m.State = cloud.GoalStopped, cloud.InstanceStopping
	}
	return m
}
