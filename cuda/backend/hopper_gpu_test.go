//go:build gpu

package backend

import (
	"strings"
	"testing"
)

// TestUseAttention asks for kernels that the device has, and for those that it lacks.
func TestUseAttention(t *testing.T) {
	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	b := opened.(*Backend)
	if err := b.UseAttention("flash"); err == nil || !strings.Contains(err.Error(), "use mma or hopper") {
		t.Error(err)
	}
	err = b.UseAttention(AttentionHopper)
	if info := b.device.Info(); !hopperChip(info.Major, info.Minor) {
		if err == nil || !strings.Contains(err.Error(), "hopper is for compute capability 9.0") || b.hopper {
			t.Errorf("compute capability %d.%d: %v", info.Major, info.Minor, err)
		}
		return
	}
	if err != nil || !b.hopper {
		t.Fatal(err)
	}
	c := attentionInstr(t, opened, 32) // heads of 32
	if _, err := b.Bind(c.Instr, c.args); err == nil || !strings.Contains(err.Error(), "heads of 64 or 128, no pattern of blocks and no dropout of weights, but Attention") {
		t.Errorf("heads of 32: %v", err)
	}
	if err := b.UseAttention(AttentionMMA); err != nil || b.hopper {
		t.Error(err)
	}
	if _, err := b.Bind(c.Instr, c.args); err != nil {
		t.Error(err)
	}
}
