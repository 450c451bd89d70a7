package engine

import (
	"errors"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/config"
)

// TestFirstProgramThatFails is what is told of: later ones may fail for the same reason, and are
// not planned.
func TestFirstProgramThatFails(t *testing.T) {
	cfg := config.Default(config.Tables{Families: zoo.Families()})
	c := compiler{cfg: cfg}
	for _, name := range []string{"first", "next", "last"} {
		if p := c.fail(name, errors.New("too large for "+name)); p == nil || p.Plan != nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if want := "model " + cfg.Model.Name() + ", program first: too large for first"; c.err == nil || c.err.Error() != want {
		t.Errorf("%v, want %s", c.err, want)
	}
	kept := &Program{Phase: 3}
	if p := c.build(kept, &ir.Program{Name: "eval"}); p != kept || p.Plan != nil {
		t.Errorf("planned behind a fault: %+v", p)
	}
}
