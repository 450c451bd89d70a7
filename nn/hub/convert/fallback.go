package convert

import (
	"cmp"
	"fmt"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

// headTensor is GGUF's name of the head: a tensor of its own, or the table of tokens that
// it is tied to.
func headTensor(params []nn.Param, a architecture) string {
	for _, p := range params {
		if name := a.ggufName(p.Name); name == "output.weight" {
			return name
		}
	}
	return "token_embd.weight"
}

// headType is the type of a head where the other matrices have typ: with four bits it would
// lose most, so that llama.cpp gives it six.
func headType(typ gguf.Type) gguf.Type {
	if typ == gguf.Q4_0 || typ == gguf.Q4_K {
		return gguf.Q6_K
	}
	return typ
}

// fallback is the type that llama.cpp takes in the place of another for matrices whose rows
// are no whole blocks.
var fallback = map[gguf.Type]gguf.Type{gguf.Q4_K: gguf.Q5_0, gguf.Q6_K: gguf.Q8_0, gguf.Q4_0: gguf.F16, gguf.Q5_0: gguf.F16, gguf.Q8_0: gguf.F16}

// fitting is typ, or what takes its place for rows of cols elements.
func fitting(typ gguf.Type, cols int) gguf.Type {
	for {
		elements, _ := typ.Block()
		other, ok := fallback[typ]
		if cols%elements == 0 || !ok {
			return typ
		}
		typ = other
	}
}

// blockBytes is the size of a block.
func blockBytes(typ gguf.Type) int {
	_, bytes := typ.Block()
	return bytes
}

// replacement is a type that matrices have in the place of the one that was asked for: the
// head, or those with rows of cols elements.
type replacement struct {
	wanted, as gguf.Type
	head       string
	cols       int
}

func (r replacement) compare(other replacement) int {
	return cmp.Or(cmp.Compare(r.head, other.head), cmp.Compare(r.wanted, other.wanted), cmp.Compare(r.cols, other.cols))
}

// note tells of n matrices.
func (r replacement) note(n int) string {
	if r.head != "" {
		return fmt.Sprintf("%s, the head, is %v in place of %v, as in llama.cpp", r.head, r.as, r.wanted)
	}
	elements, _ := r.wanted.Block()
	return fmt.Sprintf("%d matrices with rows of %d are %v in place of %v, as in llama.cpp: these are no whole blocks of %d", n, r.cols, r.as, r.wanted, elements)
}
