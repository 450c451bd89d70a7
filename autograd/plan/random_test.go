package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"example.com/gotrain/autograd/ir"
)

// TestRandomProgramsSameBits runs random programs before the passes, each
// value in its own memory, and after them in the planned, poisoned arena.
func TestRandomProgramsSameBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SliceOfN(rapid.Uint32(), 4, 60).Draw(t, "code")
		opt := Options{
			Recompute: rapid.Bool().Draw(t, "recompute"),
			NoFuse:    rapid.Bool().Draw(t, "nofuse"),
			Target:    Target{Fuses: oddKinds, Workspace: func(launch []*ir.Instr) int64 { return int64(launch[0].Kind) % 3 * 70 * int64(len(launch)) }},
		}
		wantOuts, wantState := evaluate(randomProgram(code), nil)
		pl, err := Build(randomProgram(code), opt)
		if err != nil {
			t.Fatal(err)
		}
		if err := pl.CheckOverlap(); err != nil {
			t.Fatal(err)
		}
		if pl.Arena < pl.Live || pl.Naive < pl.Live {
			t.Fatalf("arena %d, naive %d, lower bound %d", pl.Arena, pl.Naive, pl.Live)
		}
		alive, _ := pl.alivePeak()
		var bytes int64
		for _, r := range alive {
			bytes += r.bytes
		}
		if bytes != pl.Live {
			t.Fatalf("%d bytes are alive at the peak of %d: %v", bytes, pl.Live, alive)
		}
		gotOuts, gotState := evaluate(pl.Program, pl)
		if err := sameBits(wantOuts, gotOuts, wantState, gotState); err != nil {
			t.Fatal(err)
		}
	})
}

// oddKinds puts half of the kinds into groups, for no reason.
func oddKinds(kind ir.Kind) bool { return kind%2 == 1 }

// generator builds a program from a stream of numbers. All matrices are 4×4,
// so that nearly every result may take the storage of nearly every input.
type generator struct {
	*builder
	code    []uint32
	any     []*ir.Value // readable matrices
	bounded []*ir.Value // those of small multiples of 1/256, whose sums are exact
	states  []*ir.Value // the newest content of each state that may still change
	flying  []*ir.Value // results of collectives without an Await
	vector  *ir.Value
	hyper   *ir.Value
	rng     *ir.Value
	ids     *ir.Value
	site    uint32
}

// randomProgram returns the program of the code, always the same.
func randomProgram(code []uint32) *ir.Program {
	g := &generator{builder: newBuilder("random"), code: code}
	g.hyper, g.rng = g.input("hyper", ir.F32, ir.HyperLen), g.input("rng", ir.I32, 4)
	g.ids, g.vector = g.input("ids", ir.I32, 4), g.input("vector", ir.F32, 4)
	g.bounded = []*ir.Value{g.input("x", ir.F32, 4, 4), g.input("y", ir.F32, 4, 4)}
	g.any = slices.Clone(g.bounded)
	for _, name := range []string{"s", "t", "u"} {
		s := g.state(name, 4, 4)
		g.states, g.any = append(g.states, s), append(g.any, s)
	}
	n := len(code)
	for len(g.code) > 0 {
		done := n - len(g.code)
		g.backward = done > n/2
		g.block = min(done, n-done)*6/n - 1
		g.instruction()
	}
	for len(g.flying) > 0 {
		g.await()
	}
	for i := range g.any[max(0, len(g.any)-3):] {
		if v := g.any[len(g.any)-1-i]; v.Class == ir.Temp && !slices.Contains(g.p.Outputs, v) {
			g.returns(v)
		}
	}
	return g.p
}

func (g *generator) next() uint32 {
	if len(g.code) == 0 {
		return 0
	}
	c := g.code[0]
	g.code = g.code[1:]
	return c
}

// pick chooses a value, late ones more often.
func (g *generator) pick(from []*ir.Value) *ir.Value {
	c := int(g.next())
	if c&1 == 0 {
		from = from[max(0, len(from)-3):]
	}
	return from[c/2%len(from)]
}

func (g *generator) matrix() *ir.Value { return g.temp(4, 4) }

func (g *generator) instruction() {
	act := ir.ActivationAttrs{Act: ir.Act(1 + g.next()%4)}
	var exact, y *ir.Value // exact: multiples of 1/256
	switch g.next() % 20 {
	case 0, 1:
		y = g.add(g.pick(g.any), g.pick(g.any))
	case 2:
		y = g.unary(ir.Mul, nil, g.pick(g.any), g.pick(g.bounded))
	case 3:
		y = g.scale(g.pick(g.any), []float32{1, 2, 0.5, -1}[g.next()%4])
	case 4:
		y = g.unary(ir.ScaleBy, nil, g.pick(g.any), g.constant([]float32{1, 2}[g.next()%2]))
	case 5, 6:
		c := g.next()
		var bias *ir.Value
		if c&4 != 0 {
			bias = g.vector
		}
		y = g.matmul(g.pick(g.any), g.pick(g.bounded), c&1 != 0, c&2 != 0, bias)
	case 7:
		y = g.unary(ir.Activation, act, g.pick(g.any))
	case 8:
		y = g.unary(ir.ActivationBackward, act, g.pick(g.any), g.pick(g.any))
	case 9:
		exact = g.emit(ir.LayerNormBackward, ir.NormAttrs{}, []*ir.Value{g.matrix(), g.temp(4), g.temp(4), nil},
			g.pick(g.any), g.vector, g.vector, g.vector, g.pick(g.any), nil)
	case 10:
		dup := g.matrix()
		exact = g.emit(ir.SwiGLUBackward, nil, []*ir.Value{g.matrix(), dup}, g.pick(g.any), g.pick(g.any), g.pick(g.any))
		g.any, g.bounded = append(g.any, dup), append(g.bounded, dup)
	case 11:
		g.site++
		exact = g.unary(ir.Dropout, ir.DropoutAttrs{P: 0.5, Site: g.site}, g.pick(g.bounded), g.rng)
	case 12:
		y = g.unary(ir.Transpose, ir.TransposeAttrs{Perm: [ir.MaxAxes]int8{1, 0}}, g.pick(g.any))
	case 13:
		y = g.emit(ir.Reshape, nil, []*ir.Value{g.temp(16)}, g.pick(g.any))
		if g.next()%2 == 0 {
			y = g.unary(ir.Activation, act, y)
		}
		y = g.emit(ir.Reshape, nil, []*ir.Value{g.matrix()}, y)
	case 14:
		exact = g.emit(ir.EmbeddingBackward, nil, []*ir.Value{g.matrix()}, g.ids, g.pick(g.any), nil)
	case 15, 16:
		g.changeState()
		return
	case 17, 18:
		kind := []ir.Kind{ir.AllReduce, ir.ReduceTo, ir.BroadcastFrom}[g.next()%3]
		attrs, root := ir.Kinds[kind].Attrs, ir.RootAttrs{Root: int(g.next() % 2)}
		if attrs != nil {
			attrs = root
		}
		g.flying = append(g.flying, g.unary(kind, attrs, g.pick(g.any)))
		return
	case 19:
		if len(g.flying) > 0 {
			g.await()
		}
		return
	}
	if exact != nil {
		g.bounded, y = append(g.bounded, exact), exact
	}
	g.any = append(g.any, y)
}

// await waits for the collective that was started last.
func (g *generator) await() {
	last := len(g.flying) - 1
	x := g.flying[last]
	y := g.unary(ir.Await, nil, x)
	g.flying = g.flying[:last]
	if x.Class == ir.Temp {
		g.any = append(g.any, y)
	}
}

// collective starts a collective over a state, in its place.
func (g *generator) collective(kind ir.Kind, s *ir.Value) *ir.Value {
	y := g.p.NewValue(ir.State, s.Name, ir.F32, s.Shape...)
	y.Base = s.Root()
	return g.emit(kind, ir.Kinds[kind].Attrs, []*ir.Value{y}, s)
}

// changeState accumulates into a state, defines it anew, sums it over the ranks,
// or updates it, and forgets its old content.
func (g *generator) changeState() {
	if len(g.states) == 0 {
		return
	}
	i := int(g.next()) % len(g.states)
	s := g.states[i]
	root := s.Root()
	switch c := g.next() % 6; c {
	case 0, 1:
		d := g.pick(g.bounded)
		if c == 1 {
			d = g.add(d, g.pick(g.bounded))
		}
		g.states[i] = g.addTo(root, d)
		g.p.Instrs[len(g.p.Instrs)-1].In[0] = s
	case 2:
		g.emit(ir.EmbeddingBackward, nil, []*ir.Value{root}, g.ids, g.pick(g.bounded), nil)
		g.states[i] = root
	case 3, 4:
		g.sgd(s, g.pick(g.any), g.hyper)
		g.states = slices.Delete(g.states, i, i+1)
		if c == 4 {
			g.flying = append(g.flying, g.collective(ir.BroadcastFrom, root))
		}
	case 5:
		g.states[i] = g.unary(ir.Await, nil, g.collective(ir.ReduceTo, s))
	}
	// A Reshape's result reads the state that it shares; link knows which.
	link(g.p)
	g.any = slices.DeleteFunc(g.any, func(v *ir.Value) bool { return v.Root() == root })
	if i < len(g.states) && g.states[i].Root() == root {
		g.any = append(g.any, g.states[i])
	}
}

// TestRandomLayouts places random lives.
func TestRandomLayouts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "blocks")
		blocks := make([]block, n)
		for i := range blocks {
			def := rapid.IntRange(0, 40).Draw(t, "def")
			last := def + rapid.IntRange(0, 20).Draw(t, "length")
			blocks[i] = block{life: life{def, last}, bytes: align(int64(rapid.IntRange(1, 5000).Draw(t, "bytes")))}
		}
		live, at := peak(blocks, 61)
		for _, order := range orders(at) {
			slices.SortStableFunc(blocks, order)
			size := place(blocks)
			if size < live {
				t.Fatalf("arena %d is below the lower bound %d", size, live)
			}
			for i, a := range blocks {
				if a.offset%Align != 0 || a.offset < 0 || a.offset+a.bytes > size {
					t.Fatalf("block %+v is outside the arena of %d", a, size)
				}
				for _, b := range blocks[:i] {
					if a.def <= b.last && b.def <= a.last && a.offset < b.offset+b.bytes && b.offset < a.offset+a.bytes {
						t.Fatalf("blocks %+v and %+v overlap", a, b)
					}
				}
			}
		}
	})
}

// TestCheckOverlapFinds breaks a good plan in each way that it looks for.
func TestCheckOverlapFinds(t *testing.T) {
	for _, c := range []struct {
		name     string
		sabotage func(pl *Plan, x, y *ir.Value)
	}{
		{"misaligned", func(pl *Plan, x, _ *ir.Value) { pl.Slots[x.ID].Offset++ }},
		{"outside", func(pl *Plan, x, _ *ir.Value) { pl.Slots[x.ID].Offset = pl.Arena }},
		{"missing", func(pl *Plan, x, _ *ir.Value) { pl.Slots[x.ID] = Slot{} }},
		{"overlap", func(pl *Plan, x, y *ir.Value) { pl.Slots[x.ID].Offset = pl.Slots[y.ID].Offset }},
		{"workspace", func(pl *Plan, x, _ *ir.Value) { pl.Launches[1].Workspace.Offset = pl.Slots[x.ID].Offset }},
		{"overwrite", func(_ *Plan, x, y *ir.Value) { y.Base = x }},
	} {
		b := newBuilder("good")
		x := b.scale(b.x(), 2)
		y := b.matmul(x, x, false, false, nil)
		b.returns(y)
		pl, err := Build(b.p, Options{Target: Target{Workspace: func([]*ir.Instr) int64 { return 64 }}})
		if err != nil {
			t.Fatal(err)
		}
		if err := pl.CheckOverlap(); err != nil {
			t.Fatal(err)
		}
		if c.sabotage(pl, x, y); pl.CheckOverlap() == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}
