package plan

import "example.com/gotrain/autograd/ir"

// fuseResidual turns Add(x, MatMul(…)) of the forward pass into MatMul with x
// as the addend.
func fuseResidual(p *ir.Program, _ Options) {
	f := newFlow(p)
	for j, in := range p.Instrs {
		if in != nil && in.Kind == ir.Add && !in.Backward {
			f.fuseAdd(j, func(k ir.Kind) bool { return k == ir.MatMul })
		}
	}
}

// fuseAccumulate turns every other Add(a, g) into g's producer with a as the
// addend, if the producer can take one and nothing else reads g. With the
// in-place pass, gradients then add up where they are, without a buffer for
// each term; accumulation over micro-batches, Add(grad.NAME, g), adds into the
// state.
func fuseAccumulate(p *ir.Program, _ Options) {
	f := newFlow(p)
	for j := len(p.Instrs) - 1; j >= 0; j-- {
		if in := p.Instrs[j]; in.Kind == ir.Add && in.Out[0].Class == ir.State {
			f.splitStateAdd(j)
		}
	}
	for j, in := range p.Instrs {
		if in != nil && in.Kind == ir.Add {
			f.fuseAdd(j, func(ir.Kind) bool { return true })
		}
	}
}

// splitStateAdd turns Add(state, Add(x, y)) into Add(Add(state, x), y), so
// that both x and y can be added into the state by their producers. Of x and
// y, the one that is defined first comes first.
func (f *flow) splitStateAdd(j int) {
	outer := f.p.Instrs[j]
	for s, state := range outer.In {
		sum := outer.In[1-s]
		i := f.def[sum.ID]
		if outer.Out[0].Base == nil || state.Root() != outer.Out[0].Root() ||
			i < 0 || sum.Class != ir.Temp || f.p.Instrs[i].Kind != ir.Add || !f.only(sum, j) || !f.canRise(i, j, sum) {
			continue
		}
		f.take(j)
		inner := f.take(i)
		x, y := inner.In[0], inner.In[1]
		if f.def[y.ID] < f.def[x.ID] {
			x, y = y, x
		}
		t := f.newState(state.Root())
		inner.In[0], inner.In[1], inner.Out[0] = state, x, t
		outer.In[0], outer.In[1] = t, y
		f.put(i, inner)
		f.put(j, outer)
		return
	}
}

// fuseAdd fuses the Add at position j with the better producer of its inputs: a
// sparse one, as EmbeddingBackward, which in place touches only the rows of its tokens,
// else the later one, whose addend is there already.
func (f *flow) fuseAdd(j int, allowed func(ir.Kind) bool) {
	add := f.p.Instrs[j]
	best, bestAt := -1, -1
	for s, g := range add.In {
		i := f.def[g.ID]
		if i < 0 || !f.only(g, j) || g.Class != ir.Temp || !allowed(f.p.Instrs[i].Kind) || !takesAddend(f.p.Instrs[i], g) {
			continue
		}
		at := f.place(i, j, g)
		if at < 0 {
			continue
		}
		if best < 0 || f.betterAddend(i, f.def[add.In[best].ID]) {
			best, bestAt = s, at
		}
	}
	if best < 0 {
		return
	}
	i := f.def[add.In[best].ID]
	f.take(j)
	in := f.take(i)
	slot := ir.Kinds[in.Kind].Addend
	in.In[slot.In], in.Out[slot.Out] = add.In[1-best], add.Out[0]
	f.put(bestAt, in)
}

// betterAddend tells whether the producer at i should be preferred to that at k.
func (f *flow) betterAddend(i, k int) bool {
	a, b := ir.Kinds[f.p.Instrs[i].Kind].Sparse, ir.Kinds[f.p.Instrs[k].Kind].Sparse
	if a != b {
		return a
	}
	return i > k
}

// takesAddend tells whether in can still add an input to its output g.
func takesAddend(in *ir.Instr, g *ir.Value) bool {
	slot := ir.Kinds[in.Kind].Addend
	if slot == (ir.Addend{}) || in.In[slot.In] != nil || in.Out[slot.Out] != g {
		return false
	}
	return in.Kind != ir.MatMul || plain(in)
}
