package leaf

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/train"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/recipe/all"
)

// drawing is a configuration of recipe diffusion, with a base of a ControlNet beside it. Set are
// assignments.
func drawing(t *testing.T, dir, base string, set ...string) train.Config {
	t.Helper()
	text := `
recipe: {kind: diffusion, text: {layers: 1, heads: 2, width: 8}, shown: 2, steps: 2}
data: {format: pictures, shapes: 20, size: 8, validation: 0.2}
train: {steps: 3, batch: 2, eval_every: 3, save_every: 1}
cluster: {check_every: 2}
`
	if base == "" {
		text += "model: {family: unet, widths: [4, 8], layers: 1, heads: [2]}\noptimizer: {lr: 0.01, ema: 0.9}\n"
	} else {
		text = strings.Replace(text, "text: {layers: 1, heads: 2, width: 8}, shown: 2", "control: {kind: depth}, shown: 0", 1)
	}
	file := filepath.Join(t.TempDir(), "drawing.yaml")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	set = append(set, "run.dir="+dir)
	cfg, err := config.Load(file, set, all.Table().Config())
	if base != "" {
		cfg, err = config.LoadFinetune(file, set, base, all.Table().Config())
	}
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestDrawing: recipe diffusion, and a ControlNet beside what it has trained, on one rank and on two:
// the losses are the same, and a run that is killed between files goes on to the same bits; that, and
// drawing, on the CPU, since the simulator takes long.
func TestDrawing(t *testing.T) {
	for name, open := range openers() {
		losses := map[int][]float64{}
		for _, n := range []int{1, 2} {
			t.Run(name+"/"+string(rune('0'+n)), func(t *testing.T) {
				dir := t.TempDir()
				listen := events.Listener{Step: func(e events.Step) { losses[n] = append(losses[n], e.Record.Get("loss")) }}
				base, slow := "", []string{"train.steps=2", "recipe.shown=0"}
				if name == "cpu" {
					slow = nil
				}
				for _, part := range []string{"drawn", "controlled"} {
					cfg := drawing(t, filepath.Join(dir, part), base, slow...)
					if err := runTable(t.Context(), cfg, all.Table(), n, onDisk, open, listen); err != nil {
						t.Fatal(err)
					}
					base = cfg.Run.Dir
				}
				if slow != nil {
					return
				}
				killed(t, drawing(t, filepath.Join(dir, "killed"), ""), n, open, bits(t, filepath.Join(dir, "drawn")))
				killed(t, drawing(t, filepath.Join(dir, "killed2"), filepath.Join(dir, "drawn")), n, open, bits(t, base))
			})
		}
		for i, loss := range losses[1] {
			if len(losses[2]) != len(losses[1]) || math.Abs(loss-losses[2][i]) > 1e-4*loss {
				t.Errorf("%s: the losses are %g, on two ranks %g", name, losses[1], losses[2])
				break
			}
		}
	}
}

// killed has a run die at an operation on files behind its first checkpoint, and wants it to end with
// the bits of one that was let alone.
func killed(t *testing.T, cfg train.Config, n int, open opener, want []byte) {
	t.Helper()
	crashed := func(rank int) vfs.FS {
		fault := vfstest.NewFault(vfs.OS{})
		if rank == 0 {
			fault.CrashAt(70)
		}
		return fault
	}
	if err := runTable(context.WithoutCancel(t.Context()), cfg, all.Table(), n, crashed, open, events.Listener{}); err == nil {
		t.Fatal("the run was not killed")
	}
	saved, err := filepath.Glob(filepath.Join(cfg.Run.Dir, "checkpoints", "step-*"))
	if err != nil || len(saved) == 0 || len(saved) == 3 {
		t.Fatalf("it was killed behind %q", saved)
	}
	if err := runTable(t.Context(), cfg, all.Table(), n, onDisk, open, events.Listener{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
		t.Error("a run that was killed ends with other bits")
	}
}
