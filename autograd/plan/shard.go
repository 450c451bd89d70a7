package plan

import (
	"slices"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
)

// Layout places the states of a run on its ranks. The zero Layout is that of a
// process that is alone.
type Layout struct {
	Rank mesh.Rank
	// Owner is, by the name of a parameter, the rank that has the states of its
	// optimizer, sums its gradient, updates it and sends it to all others: ZeRO-1
	// (Rajbhandari et al. 2020) over whole tensors. Nil lets every rank update every
	// parameter.
	Owner map[string]int
}

// owns tells whether this rank updates a parameter.
func (l Layout) owns(parameter *ir.Value) bool {
	return l.Owner == nil || l.Owner[parameter.Name] == l.Rank.Index()
}

// shard turns the program of a process that is alone into that of a rank: the
// gradients of all ranks are summed before the first update reads one, and with
// owners each rank makes its own updates only.
func shard(p *ir.Program, opt Options) {
	s := sharding{p: p, layout: opt.Layout, sum: map[*ir.Value]*ir.Value{}}
	for _, in := range p.Instrs {
		switch update := ir.Kinds[in.Kind].Update; {
		case update == ir.ByGradient:
			s.updates = append(s.updates, in)
		case update == ir.Average:
			s.averages = append(s.averages, in)
		case in.Kind == ir.SumSquares:
			s.squares = in
		case in.Kind == ir.GradNorm:
			s.norm = in
		case in.Kind == ir.Assign && in.Attrs.(ir.AssignAttrs).Mean:
			s.mean(in)
		default:
			s.out = append(s.out, in)
		}
	}
	if len(s.updates) == 0 { // a micro-batch that only adds to gradients, or no training
		p.Instrs = s.out
		return
	}
	s.reduce()
	if s.norm != nil {
		s.gradNorm()
	}
	if s.layout.Owner == nil {
		s.out = append(append(s.out, s.updates...), s.averages...)
	} else {
		s.updateOwned()
	}
	p.Instrs = s.out
}

type sharding struct {
	p                 *ir.Program
	layout            Layout
	out               []*ir.Instr
	updates, averages []*ir.Instr
	squares, norm     *ir.Instr
	grads             []gradient              // in the order of the model
	sum               map[*ir.Value]*ir.Value // over the ranks, of each gradient
}

type gradient struct{ param, grad *ir.Value }

// reduce sums the gradients over the ranks, or to their owners. The sums start as
// soon as there is something to add (schedule moves them up) and are awaited
// together. Gradients in state are summed where they are.
func (s *sharding) reduce() {
	for _, in := range s.updates {
		s.grads = append(s.grads, gradient{in.In[0], in.In[1]})
	}
	if s.squares != nil { // which lists the gradients as the model does, not by kind of update
		place := map[*ir.Value]int{}
		for i, g := range s.squares.In {
			place[g] = i
		}
		slices.SortStableFunc(s.grads, func(a, b gradient) int { return place[a.grad] - place[b.grad] })
	}
	started := make([]*ir.Value, len(s.grads))
	for i, g := range s.grads {
		if s.layout.Owner == nil {
			started[i] = s.start(ir.AllReduce, nil, g.grad)
		} else {
			started[i] = s.start(ir.ReduceTo, ir.RootAttrs{Root: s.layout.Owner[g.param.Name]}, g.grad)
		}
	}
	for i, g := range s.grads {
		s.sum[g.grad] = s.await(started[i])
	}
	for _, in := range s.updates {
		in.In[1] = s.sum[in.In[1]]
	}
}

// start begins a collective over x, in its place where that is state.
func (s *sharding) start(kind ir.Kind, attrs ir.Attrs, x *ir.Value) *ir.Value {
	y := s.p.NewValue(x.Class, x.Name, ir.F32, x.Shape...)
	if y.Class == ir.State {
		y.Base = x
	}
	s.emit(kind, attrs, []*ir.Value{x}, y)
	return y
}

func (s *sharding) await(x *ir.Value) *ir.Value {
	y := s.p.NewValue(ir.Temp, "", ir.F32, x.Shape...)
	s.emit(ir.Await, nil, []*ir.Value{x}, y)
	return y
}

func (s *sharding) emit(kind ir.Kind, attrs ir.Attrs, in []*ir.Value, out ...*ir.Value) {
	s.out = append(s.out, &ir.Instr{Kind: kind, Attrs: attrs, In: in, Out: out, Path: "optimizer", Block: -1})
}

// mean gives a state that all ranks have alike the mean of what they have for it.
func (s *sharding) mean(in *ir.Instr) {
	part := s.p.NewValue(ir.Temp, "", ir.F32, in.In[1].Shape...)
	s.out = append(s.out, &ir.Instr{
		Kind: ir.Scale, Attrs: ir.ScaleAttrs{Alpha: 1 / float32(s.layout.Rank.Count())}, In: []*ir.Value{in.In[1]}, Out: []*ir.Value{part}, Path: in.Path, Block: -1,
	})
	in.In[1] = s.await(s.start(ir.AllReduce, nil, part))
	s.out = append(s.out, in)
}

// gradNorm measures the norm of all gradients. Of each owner's gradients the sum of
// squares goes to all ranks, in a row of its own, so that nothing is rounded and all
// ranks come to the same bits.
func (s *sharding) gradNorm() {
	var own []*ir.Value
	for _, g := range s.grads {
		if s.layout.owns(g.param) {
			own = append(own, s.sum[g.grad])
		}
	}
	if own == nil {
		own = append(own, s.p.NewValue(ir.Const, "", ir.F32, 1)) // a zero
	}
	squares := s.squares.Out[0]
	s.squares.In = own
	if s.layout.Owner != nil {
		squares.Shape = ir.Shape{s.layout.Rank.Count(), 2}
		s.squares.Attrs = ir.RootAttrs{Root: s.layout.Rank.Index()}
	}
	s.out = append(s.out, s.squares)
	if s.layout.Owner != nil {
		squares = s.await(s.start(ir.AllReduce, nil, squares))
	}
	s.norm.In[1] = squares
	s.out = append(s.out, s.norm)
}

// ownedParts is in how many parts an owner updates: one travels while the next is
// computed, and a back end can still run many updates as one.
const ownedParts = 4

// updateOwned updates what this rank owns and sends each parameter from its owner
// to all ranks. All owners are at work at a time.
func (s *sharding) updateOwned() {
	owned := make([][]*ir.Value, s.layout.Rank.Count())
	for _, g := range s.grads {
		owner := s.layout.Owner[g.param.Name]
		owned[owner] = append(owned[owner], g.param)
	}
	var flying []*ir.Value
	for i := range ownedParts {
		part := func(owner int) []*ir.Value {
			all := owned[owner]
			return all[len(all)*i/ownedParts : len(all)*(i+1)/ownedParts]
		}
		mine := part(s.layout.Rank.Index())
		for _, in := range s.updates {
			if slices.Contains(mine, in.In[0]) {
				s.out = append(s.out, in)
			}
		}
		for _, in := range s.averages {
			if slices.Contains(mine, in.In[1]) {
				s.out = append(s.out, in)
			}
		}
		for owner := range owned {
			for _, param := range part(owner) {
				flying = append(flying, s.start(ir.BroadcastFrom, ir.RootAttrs{Root: owner}, param))
			}
		}
	}
	for _, p := range flying {
		s.await(p)
	}
}
