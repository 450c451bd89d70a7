package plan

import (
	"encoding/binary"
	"math"

	"example.com/gotrain/autograd/ir"
)

// cse computes equal instructions once: same kind, same attributes, same
// inputs with the same content. Instructions that change state never merge;
// state that has been written counts as a new input. An instruction that puts
// out a program output stays, so that outputs keep their identity.
func cse(p *ir.Program, _ Options) {
	type key struct {
		kind  ir.Kind
		attrs ir.Attrs
		in    string // inputs, encoded
	}
	first := map[key]*ir.Instr{}
	same := map[*ir.Value]*ir.Value{}
	version := map[*ir.Value]uint32{} // of state, by root
	isOutput := outputs(p)
	var buf []byte
	for i, in := range p.Instrs {
		buf = buf[:0]
		for j, v := range in.In {
			if x := same[v]; x != nil {
				v = x
				in.In[j] = x
			}
			buf = appendOperand(buf, v, version)
		}
		if in.WritesState() {
			in.Writes(func(v *ir.Value) { version[v.Root()]++ })
			continue
		}
		k := key{in.Kind, in.Attrs, string(buf)}
		if prior := first[k]; prior == nil {
			first[k] = in
		} else if mergeable(prior, in, isOutput) {
			for j, v := range in.Out {
				if prior.Out[j] == nil {
					prior.Out[j] = v
				} else if v != nil {
					same[v] = prior.Out[j]
				}
			}
			p.Instrs[i] = nil
		}
	}
}

// mergeable tells whether uses of in's outputs may read prior's.
func mergeable(prior, in *ir.Instr, isOutput []bool) bool {
	for j, v := range in.Out {
		if v == nil {
			continue
		}
		if isOutput[v.ID] {
			return false
		}
		if w := prior.Out[j]; w != nil && (w.DType != v.DType || !w.Shape.Equal(v.Shape)) {
			return false
		}
	}
	return true
}

// appendOperand encodes the identity of an operand: constants by their bits
// and shape, state by value and version, others by value.
func appendOperand(b []byte, v *ir.Value, version map[*ir.Value]uint32) []byte {
	switch {
	case v == nil:
		return append(b, 'n')
	case v.Class == ir.Const:
		b = binary.LittleEndian.AppendUint32(append(b, 'c', byte(v.DType), byte(len(v.Shape))), math.Float32bits(v.Const))
		for _, n := range v.Shape {
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
		return b
	}
	b = binary.LittleEndian.AppendUint32(append(b, 'v'), uint32(v.ID))
	return binary.LittleEndian.AppendUint32(b, version[v.Root()])
}
