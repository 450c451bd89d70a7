package plan

import "example.com/gotrain/autograd/ir"

// precision sets the precision of matrix products.
func precision(p *ir.Program, opt Options) {
	for _, in := range p.Instrs {
		if a, ok := in.Attrs.(ir.Products); ok {
			in.Attrs = a.WithPrecision(opt.Compute)
		}
	}
}

// MinLogitRows is the least number of rows of a chunk of logits: fewer would read
// the weight too often, and a product of them is hardly worth its start.
const MinLogitRows = 128

// chunk sets the rows of logits that an instruction holds at a time: as many as the
// target allows, in chunks of equal size.
func chunk(p *ir.Program, opt Options) {
	for _, in := range p.Instrs {
		attrs, ok := in.Attrs.(ir.Chunked)
		if !ok {
			continue
		}
		rows, vocabulary := in.In[0].Shape.Rows(), in.In[1].Shape[0]
		most := max(MinLogitRows, opt.Target.LogitElements/vocabulary)
		chunks := (rows + most - 1) / most
		in.Attrs = attrs.WithLogitRows(min(rows, ((rows+chunks-1)/chunks+MinLogitRows-1)/MinLogitRows*MinLogitRows))
	}
}

// storage gives the element arguments of instructions bfloat16 storage:
//
//   - a result that only float32 arguments read, that is state, or that the
//     host reads, stays float32 where the kind can write it so (ir.Result) and is cast
//     otherwise. So gradients of parameters are float32.
//   - Kinds that only move or add elements follow their inputs.
//   - Of parameters they read a copy, a state of its own beside the float32 master. The
//     update of a parameter writes it too; what another rank has updated is cast when it
//     is there. Other states are cast at their first use.
func storage(p *ir.Program, _ Options) {
	s := &storer{p: p, isOutput: outputs(p), elemUse: make([]bool, len(p.Values)), casts: map[castKey]*ir.Value{}, changed: map[*ir.Value]bool{}}
	s.findElemUses()
	s.findChanged()
	instrs := p.Instrs
	p.Instrs = nil
	for _, in := range instrs {
		s.lower(in)
	}
	s.renew()
}

type castKey struct {
	v *ir.Value
	d ir.DType
}

type storer struct {
	p        *ir.Program
	isOutput []bool
	elemUse  []bool // by value ID: an element argument reads it
	casts    map[castKey]*ir.Value
	changed  map[*ir.Value]bool // states that the program writes, by other than updates
	copies   []*ir.Value
}

// findElemUses goes backward, because a kind that follows its inputs makes a use
// of them only if its result has one.
func (s *storer) findElemUses() {
	for i := len(s.p.Instrs) - 1; i >= 0; i-- {
		in := s.p.Instrs[i]
		if ir.Kinds[in.Kind].Follows && !s.elemUse[in.Out[0].ID] {
			continue
		}
		in.Elems(func(_ ir.ArgType, v **ir.Value) {
			if !defines(in, *v) {
				s.elemUse[(*v).ID] = true
			}
		})
	}
}

func defines(in *ir.Instr, v *ir.Value) bool {
	for _, out := range in.Out {
		if out == v {
			return true
		}
	}
	return false
}

// lower emits in with its element type, casts before and behind it.
func (s *storer) lower(in *ir.Instr) {
	elem := map[ir.ArgType]ir.DType{ir.Elem: s.elemOf(in), ir.Result: ir.BF16}
	if len(in.Out) > 0 && s.staysFloat(in.Out[0]) {
		elem[ir.Result] = ir.F32
	}
	isElem := make([]bool, len(in.In))
	for i := range in.In {
		v := &in.In[i]
		in.Elems(func(t ir.ArgType, e **ir.Value) {
			if e == v {
				isElem[i] = true
				*v = s.cast(*v, elem[t], in)
			}
		})
		if !isElem[i] && *v != nil && (*v).DType == ir.BF16 && !(*v).Stored() {
			*v = s.cast(*v, ir.F32, in)
		}
	}
	var behind []*ir.Instr
	in.Elems(func(t ir.ArgType, v **ir.Value) {
		out := *v
		if !defines(in, out) || elem[t] != ir.BF16 {
			return
		}
		if out.Class == ir.Temp && !s.isOutput[out.ID] {
			out.DType = ir.BF16
			return
		}
		*v = s.p.NewValue(ir.Temp, "", ir.BF16, out.Shape...)
		out.Base = nil // a reshape's
		behind = append(behind, castInstr(*v, out, in))
	})
	s.p.Emit(in)
	s.p.Instrs = append(s.p.Instrs, behind...)
}

// elemOf decides the element type of in.
func (s *storer) elemOf(in *ir.Instr) ir.DType {
	if !ir.Kinds[in.Kind].Follows {
		return ir.BF16
	}
	var bf16, state bool
	for _, v := range in.In {
		bf16 = bf16 || v.DType == ir.BF16
		state = state || v.Root().Class == ir.State
	}
	if bf16 || state && !s.staysFloat(in.Out[0]) {
		return ir.BF16
	}
	return ir.F32
}

// staysFloat tells whether float32 readers alone want v.
func (s *storer) staysFloat(v *ir.Value) bool {
	return v.Root().Class == ir.State || s.isOutput[v.ID] || !s.elemUse[v.ID]
}

// cast returns v in dtype d, by an instruction before user when it must.
func (s *storer) cast(v *ir.Value, d ir.DType, user *ir.Instr) *ir.Value {
	if v.DType == d {
		return v
	}
	key := castKey{v, d}
	if s.casts[key] == nil && d == ir.BF16 && s.hasCopy(v) {
		y := s.p.NewValue(ir.State, ir.CopyPrefix+v.Name, d, v.Shape...)
		y.Master = v
		s.casts[key], s.copies = y, append(s.copies, y)
	}
	if s.casts[key] == nil {
		y := s.p.NewValue(ir.Temp, v.Name, d, v.Shape...)
		s.p.Emit(castInstr(v, y, user))
		s.casts[key] = y
	}
	return s.casts[key]
}

func castInstr(x, y *ir.Value, user *ir.Instr) *ir.Instr {
	return &ir.Instr{Kind: ir.Cast, In: []*ir.Value{x}, Out: []*ir.Value{y}, Path: user.Path, Backward: user.Backward, Block: -1}
}

// findChanged notes the states that instructions write, but for updates of parameters
// and what sends them to other ranks.
func (s *storer) findChanged() {
	for _, in := range s.p.Instrs {
		if ir.Kinds[in.Kind].Update == ir.ByGradient || in.Meets() {
			continue
		}
		eachState(in, func(root *ir.Value, write bool) { s.changed[root] = s.changed[root] || write })
	}
}

// hasCopy tells whether v is a state that has a copy in bfloat16: parameters do, what
// steps hand on does not.
func (s *storer) hasCopy(v *ir.Value) bool {
	return v.Class == ir.State && v.DType == ir.F32 && v.Base == nil && !s.changed[v] && !ir.IsMemory(v.Name) && !ir.IsRunning(v.Name)
}

// renew makes the copies follow what the program does with their masters.
func (s *storer) renew() {
	update, received := map[*ir.Value]*ir.Instr{}, map[*ir.Value]*ir.Value{} // by master
	for _, in := range s.p.Instrs {
		switch info := &ir.Kinds[in.Kind]; {
		case info.Update == ir.ByGradient:
			update[in.In[0]] = in
		case info.Awaits:
			received[in.Out[0].Root()] = in.Out[0]
		}
	}
	for _, y := range s.copies {
		if in := update[y.Master]; in != nil {
			in.In[ir.Kinds[in.Kind].Copy] = y
		} else if x := received[y.Master]; x != nil {
			renewed := s.p.NewValue(ir.State, y.Name, y.DType, y.Shape...)
			renewed.Base = y
			s.p.Emit(castInstr(x, renewed, &ir.Instr{Path: "optimizer"}))
		}
	}
}
