package autograd

import (
	"fmt"
	"math"

	"gotrain/autograd/ir"
)

// RoPEConfig describes rotary position embeddings (Su et al. 2021) in the
// half-rotation layout of Hugging Face's Llama.
type RoPEConfig struct {
	Heads  int     // heads in a row of x
	Length int     // positions 0 … Length-1
	Theta  float64 // base, 10000 for Llama 2
}

// RoPE rotates the heads of x (N, Heads·hd) by their positions (N) int32.
func RoPE(x, positions *Node, cfg RoPEConfig) *Node {
	g := x.g
	if broken(x, positions) {
		return g.pass()
	}
	if len(x.shape) != 2 || cfg.Heads <= 0 || x.shape[1]%cfg.Heads != 0 || x.shape[1]/cfg.Heads%2 != 0 {
		return g.fail("RoPE", "%s does not divide into %d heads of even size", x.shape, cfg.Heads)
	}
	hd := x.shape[1] / cfg.Heads
	table := g.Table(fmt.Sprintf("rope.%d.%d.%g", cfg.Length, hd, cfg.Theta), func() []float32 { return ropeTable(cfg, hd) }, cfg.Length, hd)
	attrs := ir.Attrs{Heads: cfg.Heads, HeadDim: hd}
	return g.apply(ir.RoPE, attrs, []*Node{x, table, positions}, []spec{like(x)}, []bool{true, false, false},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			inverse := attrs
			inverse.Inverse = true
			return []*Node{g.apply(ir.RoPE, inverse, []*Node{dy, in[1], in[2]}, []spec{like(dy)}, nil, nil), nil, nil}
		})
}

// ropeTable computes (Length, hd): cos of the angles, then sin.
func ropeTable(cfg RoPEConfig, hd int) []float32 {
	t := make([]float32, cfg.Length*hd)
	for pos := range cfg.Length {
		row := t[pos*hd : (pos+1)*hd]
		for i := range hd / 2 {
			angle := float64(pos) * math.Pow(cfg.Theta, -2*float64(i)/float64(hd))
			row[i] = float32(math.Cos(angle))
			row[hd/2+i] = float32(math.Sin(angle))
		}
	}
	return t
}
