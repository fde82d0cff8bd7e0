package libvirt

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// TestBoots tries the probe where it is known what comes of it: emulation boots
// a kernel, and not what is none, nor in no time.
func TestBoots(t *testing.T) {
	s := realSite(t)
	kernel := filepath.Join(s.images, "tiny", "kernel")
	if err := boots(t.Context(), kernel, "tcg"); err != nil {
		t.Errorf("emulation: %v", err)
	}
	if err := boots(t.Context(), filepath.Join(s.images, "tiny", "cmdline"), "tcg"); err == nil {
		t.Error("a text was booted")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := boots(ctx, kernel, "tcg"); !errors.Is(err, errHangs) {
		t.Errorf("with no time to boot: %v", err)
	}
}

// TestProbeDecides has a machine run the way that the probe chose, whichever
// that is on this host.
func TestProbeDecides(t *testing.T) {
	s, n := realSite(t), newTenant(t)
	c := s.config()
	c.Emulate = false
	e, err := New(c)
	must(t, err)
	t.Logf("machines run as %s", e.probed().domain)
	m := n.machine(t, newID(t))
	launch(t, e, m)
	n.logsIn(t, m.IP, "true")
}
