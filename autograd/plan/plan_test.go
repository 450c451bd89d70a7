package plan

import (
	"fmt"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// gptCases are small enough for the interpreter.
func gptCases() map[string]gptConfig {
	small := gptConfig{layers: 3, b: 2, t: 4, d: 8, heads: 2, v: 11}
	cases := map[string]gptConfig{}
	for _, grads := range []string{"", "add", "set"} {
		for _, tied := range []bool{false, true} {
			for _, update := range []string{"", "clip", "update"} {
				for _, dropout := range []float32{0, 0.1} {
					c := small
					c.grads, c.tied, c.dropout = grads, tied, dropout
					c.update, c.clip = update != "", update == "clip"
					cases[fmt.Sprintf("grads=%s,tied=%v,%s,dropout=%v", grads, tied, update, dropout)] = c
				}
			}
		}
	}
	return cases
}

// workspaces gives some instructions scratch of uneven sizes.
func workspaces(group []*ir.Instr) int64 {
	if in := group[0]; in.Kind == ir.Attention || in.Kind == ir.LinearCrossEntropy {
		return 1000
	}
	return 0
}

// TestGPTSameBits runs whole training programs before the passes, each value
// in its own memory, and after them in the planned arena.
func TestGPTSameBits(t *testing.T) {
	for name, c := range gptCases() {
		wantOuts, wantState := evaluate(gpt(c), nil)
		for _, opt := range []Options{{}, {Recompute: true}, {NoFuse: true}, {Recompute: true, NoFuse: true}} {
			opt.Target.Workspace = workspaces
			pl, err := Build(gpt(c), opt)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := pl.CheckOverlap(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			gotOuts, gotState := evaluate(pl.Program, pl)
			if err := sameBits(wantOuts, gotOuts, wantState, gotState); err != nil {
				t.Errorf("%s, recompute %v, fusions %v: %v", name, opt.Recompute, !opt.NoFuse, err)
			}
		}
	}
}

// TestArenaReachesLive holds the layout to the lower bound on GPT-2's shapes: exactly
// where gradients are state, within 2.5% where they are temps that stay while
// recomputed blocks come and go.
func TestArenaReachesLive(t *testing.T) {
	for name, c := range gptCases() {
		c.layers, c.b, c.t, c.d, c.heads, c.v = 12, 4, 1024, 768, 12, 50304
		for _, opt := range []Options{{}, {Recompute: true}} {
			opt.Target.Workspace = func(group []*ir.Instr) int64 {
				if group[0].Kind == ir.LinearCrossEntropy {
					return 100 << 20
				}
				return workspaces(group)
			}
			pl, err := Build(gpt(c), opt)
			if err != nil {
				t.Fatal(err)
			}
			if err := pl.CheckOverlap(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			over := float64(pl.Arena)/float64(pl.Live) - 1
			t.Logf("%-45s recompute %-5v: live %6d MiB, arena +%.2f%%, naive %6d MiB", name, opt.Recompute, pl.Live/mib, 100*over, pl.Naive/mib)
			limit := 0.0
			if opt.Recompute && c.grads == "" {
				limit = 0.025
			}
			if over > limit {
				t.Errorf("%s: arena %d is %.1f%% above the lower bound %d", name, pl.Arena, 100*over, pl.Live)
			}
		}
	}
}

// TestRecomputeLowersPeak compares the arenas for a deep model.
func TestRecomputeLowersPeak(t *testing.T) {
	c := gptConfig{layers: 24, b: 8, t: 128, d: 64, heads: 4, v: 128, grads: "add"}
	var arena [2]int64
	for i, recompute := range []bool{false, true} {
		pl, err := Build(gpt(c), Options{Recompute: recompute})
		if err != nil {
			t.Fatal(err)
		}
		arena[i] = pl.Arena
	}
	// Without recompute a block keeps about 17 N·D floats, with it one.
	if arena[1]*4 > arena[0] {
		t.Errorf("arena %d with recompute, %d without; want less than a quarter", arena[1], arena[0])
	}
}

func TestBuildErrors(t *testing.T) {
	use := newBuilder("early")
	x := use.temp(2)
	use.p.Outputs = append(use.p.Outputs, use.unary(ir.Scale, ir.ScaleAttrs{Alpha: 2}, x))

	twice := newBuilder("twice")
	twice.state("w", 2)
	twice.state("w", 2)

	for _, c := range []struct {
		p    *ir.Program
		want string
	}{
		{use.p, "before it is defined"},
		{twice.p, `state "w" is declared twice`},
	} {
		if _, err := Build(c.p, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("program %s: error %v, want %q", c.p.Name, err, c.want)
		}
	}
}

// TestPassErrorCarriesDump breaks a program in a pass of its own.
func TestPassErrorCarriesDump(t *testing.T) {
	b := newBuilder("broken")
	b.path = "layer.0"
	b.p.Outputs = append(b.p.Outputs, b.unary(ir.Scale, ir.ScaleAttrs{Alpha: 2}, b.input("x", ir.F32, 2)))
	pass := Pass{Name: "break", Run: func(p *ir.Program, _ Options) { p.Instrs[0].In = nil }}
	err := pass.apply(b.p, Options{})
	if err == nil || !strings.Contains(err.Error(), "after pass break") || !strings.Contains(err.Error(), "# layer.0") {
		t.Errorf("error %v, want the pass and the dump", err)
	}
}

// BenchmarkBuild plans 100 layers, about 10,000 values before the passes.
func BenchmarkBuild(b *testing.B) {
	for _, c := range []struct {
		name, grads string
		recompute   bool
	}{
		{"StateGradients", "add", false},
		{"StateGradientsRecompute", "add", true},
		{"TempGradientsRecompute", "", true}, // tries all orders of placement
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				p := gpt(gptConfig{layers: 100, b: 4, t: 1024, d: 1600, heads: 25, v: 50304, grads: c.grads, clip: true, update: true, dropout: 0.1})
				b.StartTimer()
				pl, err := Build(p, Options{Recompute: c.recompute})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(pl.Program.Values)), "values")
				b.ReportMetric(float64(pl.Arena)/float64(pl.Live), "arena/live")
			}
		})
	}
}
