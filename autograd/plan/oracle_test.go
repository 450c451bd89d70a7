package plan

import (
	"fmt"
	"slices"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// usesOf lists, for each storage in the arena of a plan, the first and the last launch
// that touch it: found by looking at each instruction, without lives or spans.
func usesOf(pl *Plan) map[*ir.Value][2]int {
	uses := map[*ir.Value][2]int{}
	touch := func(v *ir.Value, at int) {
		if v == nil || v.Root().Class != ir.Temp {
			return
		}
		u, ok := uses[v.Root()]
		if !ok {
			u = [2]int{at, at}
		}
		uses[v.Root()] = [2]int{min(u[0], at), max(u[1], at)}
	}
	for i := range pl.Launches {
		for _, in := range pl.Instrs(i) {
			for _, v := range slices.Concat(in.In, in.Out) {
				touch(v, i)
			}
		}
	}
	for _, v := range pl.Program.Outputs {
		touch(v, len(pl.Launches))
	}
	return uses
}

// piece is memory in use from one launch to another.
type piece struct {
	what          string
	from, to      int
	offset, bytes int64
}

func piecesOf(pl *Plan) []piece {
	var all []piece
	for v, u := range usesOf(pl) {
		s := pl.Slots[v.ID]
		all = append(all, piece{fmt.Sprintf("value %d", v.ID), u[0], u[1], s.Offset, v.Bytes()})
	}
	for i, l := range pl.Launches {
		all = append(all, piece{fmt.Sprintf("workspace of launch %d", i), i, i, l.Workspace.Offset, l.Workspace.Bytes})
	}
	return all
}

func up(n int64) int64 { return (n + 255) / 256 * 256 }

// checkMemory compares a plan with what its program and its target ask for, added up
// here: no two pieces overlap while both are in use, each is aligned and inside the
// arena, the lower bound is the fullest launch, and the totals are sums over names.
func checkMemory(t *testing.T, name string, pl *Plan, workspace func([]*ir.Instr) int64) {
	t.Helper()
	checkLaunches(t, name, pl)
	all := piecesOf(pl)
	var fullest, largest, separate int64
	for i := range len(pl.Launches) + 1 {
		var sum int64
		for _, p := range all {
			if p.from <= i && i <= p.to {
				sum += up(p.bytes)
			}
		}
		fullest = max(fullest, sum)
	}
	for i, a := range all {
		if a.offset%256 != 0 || a.offset < 0 || a.offset+a.bytes > pl.Arena {
			t.Errorf("%s: %s at %d of %d bytes in an arena of %d", name, a.what, a.offset, a.bytes, pl.Arena)
		}
		for _, b := range all[:i] {
			if a.bytes > 0 && b.bytes > 0 && a.from <= b.to && b.from <= a.to && a.offset < b.offset+b.bytes && b.offset < a.offset+a.bytes {
				t.Errorf("%s: %s and %s overlap", name, a.what, b.what)
			}
		}
	}
	for i, l := range pl.Launches {
		if want := workspace(pl.Instrs(i)); l.Workspace.Bytes != want {
			t.Errorf("%s: launch %d of %d %s has a workspace of %d bytes, asks for %d", name, i, l.N, pl.Instrs(i)[0].Kind, l.Workspace.Bytes, want)
		}
		largest = max(largest, up(l.Workspace.Bytes))
	}
	sums := map[ir.Class]map[string]int64{ir.State: {}, ir.Input: {}, ir.Table: {}}
	for _, in := range pl.Program.Instrs {
		for _, v := range slices.Concat(in.In, in.Out) {
			if v != nil && sums[v.Root().Class] != nil {
				sums[v.Root().Class][v.Root().Name] = v.Root().Bytes()
				if master := v.Root().Master; master != nil { // in the store, whoever reads it
					sums[ir.State][master.Name] = master.Bytes()
				}
			}
		}
		for _, v := range in.Out {
			if v != nil && v.Class == ir.Temp && !ir.Kinds[in.Kind].Alias {
				separate += up(v.Bytes())
			}
		}
	}
	total := func(of map[string]int64) (n int64) {
		for _, bytes := range of {
			n += bytes
		}
		return n
	}
	state, inputs, tables := total(sums[ir.State]), total(sums[ir.Input]), total(sums[ir.Table])
	if pl.State != state || pl.Inputs != inputs || pl.Tables != tables {
		t.Errorf("%s: state %d, inputs %d, tables %d; want %d, %d, %d", name, pl.State, pl.Inputs, pl.Tables, state, inputs, tables)
	}
	if pl.Live != fullest || pl.Arena < fullest || pl.Naive != separate+largest || pl.Peak() != pl.Arena+state+inputs+tables {
		t.Errorf("%s: lower bound %d, want %d; arena %d; naive %d, want %d; peak %d", name, pl.Live, fullest, pl.Arena, pl.Naive, separate+largest, pl.Peak())
	}
}

// checkLaunches holds that the launches are the program in order, and that within one no
// instruction writes what another reads or writes.
func checkLaunches(t *testing.T, name string, pl *Plan) {
	t.Helper()
	next := 0
	for i, l := range pl.Launches {
		if l.First != next || l.N < 1 {
			t.Errorf("%s: launch %d is %d instructions from %d on, behind %d", name, i, l.N, l.First, next)
		}
		next = l.First + l.N
		readers, writers := map[*ir.Value]int{}, map[*ir.Value]int{}
		for n, in := range pl.Instrs(i) {
			if info := &ir.Kinds[in.Kind]; info.Alias && !info.Awaits {
				continue
			}
			for _, x := range in.In {
				if x == nil {
					continue
				}
				if w, ok := writers[x.Root()]; ok && w != n {
					t.Errorf("%s: launch %d: instruction %d reads value %d, which %d writes", name, i, n, x.ID, w)
				}
				if _, ok := readers[x.Root()]; !ok {
					readers[x.Root()] = n
				}
			}
			in.Writes(func(y *ir.Value) {
				w, written := writers[y.Root()]
				r, read := readers[y.Root()]
				if written && w != n || read && r != n {
					t.Errorf("%s: launch %d: instruction %d writes value %d, which %d or %d uses", name, i, n, y.ID, w, r)
				}
				writers[y.Root()] = n
			})
		}
	}
	if next != len(pl.Program.Instrs) {
		t.Errorf("%s: launches hold %d of %d instructions", name, next, len(pl.Program.Instrs))
	}
}

// unevenWorkspace depends on each instruction of a launch.
func unevenWorkspace(launch []*ir.Instr) int64 {
	var n int64
	for i, in := range launch {
		n += int64(in.Kind%3) * int64(100+i)
	}
	return n
}

// TestMemoryAgainstNaive plans whole steps, with launches of several instructions and
// without, and small programs of all sorts.
func TestMemoryAgainstNaive(t *testing.T) {
	targets := map[string]Target{
		"alone":    {Workspace: unevenWorkspace},
		"fused":    {Workspace: unevenWorkspace, Fuses: func(k ir.Kind) bool { return ir.Kinds[k].Fuses }},
		"odd":      {Workspace: unevenWorkspace, Fuses: oddKinds},
		"bfloat16": {Workspace: unevenWorkspace, Fuses: oddKinds, StoresBF16: true, FusesSums: true},
	}
	for name, target := range targets {
		for _, recompute := range []bool{false, true} {
			opt := Options{Recompute: recompute, Target: target}
			if target.StoresBF16 {
				opt.Compute = ir.BF16
			}
			for gptName, c := range gptCases() {
				if c.tied != recompute {
					continue // half of them will do
				}
				p := gpt(c)
				addTables(p)
				pl, err := Build(p, opt)
				if err != nil {
					t.Fatal(err)
				}
				checkMemory(t, name+" "+gptName, pl, unevenWorkspace)
			}
			for seed := range uint32(20) {
				code := make([]uint32, 60)
				for i := range code {
					seed = seed*1664525 + 1013904223
					code[i] = seed >> 8
				}
				opt := opt
				opt.Compute, opt.Target.StoresBF16 = ir.F32, false
				pl, err := Build(randomProgram(code), opt)
				if err != nil {
					t.Fatal(err)
				}
				checkMemory(t, fmt.Sprint(name, " random ", seed), pl, unevenWorkspace)
			}
		}
	}
}

// addTables lets a program read two tables.
func addTables(p *ir.Program) {
	for _, v := range p.Values {
		if v.Name == "ids" {
			for i, name := range []string{"sinusoids", "angles"} {
				table := p.NewValue(ir.Table, name, ir.F32, 5+i, 3)
				table.Data = make([]float32, table.Shape.Size())
				y := p.NewValue(ir.Temp, "", ir.F32, v.Shape[0], 3)
				p.Emit(&ir.Instr{Kind: ir.Embedding, In: []*ir.Value{v, table}, Out: []*ir.Value{y}, Block: -1})
				p.Outputs = append(p.Outputs, y)
			}
			return
		}
	}
}

// attributesOf counts the attributes of the kinds whose instructions no pass makes or
// joins, one for each instruction.
func attributesOf(p *ir.Program) map[string]int {
	counts := map[string]int{}
	for _, in := range p.Instrs {
		switch a := in.Attrs.(type) {
		case ir.LinearCrossEntropyAttrs:
			a.Compute = ir.F32
			counts[fmt.Sprintf("%s %+v", in.Kind, a)]++
		case ir.MatMulAttrs, ir.ScaleAttrs, nil:
		default:
			counts[fmt.Sprintf("%s %+v block %d backward %t", in.Kind, a, in.Block, in.Backward)]++
		}
	}
	return counts
}

// TestAttributesSurvive: what norms, attention, dropout, losses and updates are told
// comes through the passes, whatever these do; under Recompute it is there again in the
// clones, which draw the same masks.
func TestAttributesSurvive(t *testing.T) {
	for name, c := range gptCases() {
		want := attributesOf(gpt(c))
		for _, opt := range []Options{{}, {NoFuse: true}, {Recompute: true}, {Compute: ir.BF16, Target: Target{StoresBF16: true, FusesSums: true, InPlace: func(*ir.Instr, int, int) bool { return false }}}} {
			pl, err := Build(gpt(c), opt)
			if err != nil {
				t.Fatal(err)
			}
			got := attributesOf(pl.Program)
			for attrs, n := range want {
				// Activations move into products.
				if m := got[attrs]; (m != n && !(opt.Recompute && (m == n || m == 2*n))) && !activates(attrs) {
					t.Errorf("%s, %+v: %d × %s, want %d", name, opt, m, attrs, n)
				}
			}
			for attrs := range got {
				if want[attrs] == 0 {
					t.Errorf("%s, %+v: %s comes from nowhere", name, opt, attrs)
				}
			}
			for _, in := range pl.Program.Instrs {
				if a, ok := in.Attrs.(ir.Products); ok && a.Precision() != opt.Compute {
					t.Errorf("%s: %s at %q computes in %s, want %s", name, in.Kind, in.Path, a.Precision(), opt.Compute)
				}
			}
		}
	}
}

func activates(attrs string) bool {
	return len(attrs) > 10 && attrs[:10] == "Activation"
}
