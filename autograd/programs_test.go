package autograd

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
)

var update = flag.Bool("update", false, "write testdata/programs.txt and refusals.txt anew")

// dump is the program of an operation with the gradients of its squares' mean by all floats
// that have one, or the error of its graph.
func dump(b build) string {
	graph := func() (*Graph, *Node, *Node) {
		g, n := NewGraph(), 0
		name := func() string { n++; return fmt.Sprint("x", n) }
		var y *Node
		g.Block(1, "blocks.1", func() {
			y = b(func(shape ...int) *Node { return g.Param(name(), shape...) }, func(shape ...int) *Node { return g.Ints(name(), shape...) })
		})
		if len(y.shape) == 0 || g.err != nil {
			return g, y, y
		}
		return g, y, MSE(y, g.Floats("wanted", y.shape...))
	}
	g, y, _ := graph()
	if err := g.Err(); err != nil {
		return err.Error() + "\n"
	}
	var learns []int
	for i := range g.params {
		g, _, loss := graph()
		if g.Grad(loss, g.params[i]); g.err == nil {
			learns = append(learns, i)
		}
	}
	outputs := []*Node{y}
	if len(learns) > 0 {
		var loss *Node
		g, y, loss = graph()
		var wrt []*Node
		for _, i := range learns {
			wrt = append(wrt, g.params[i])
		}
		outputs = append([]*Node{y}, g.Grad(loss, wrt...)...)
	}
	p, err := g.Lower("p", outputs...)
	if err != nil {
		return err.Error() + "\n"
	}
	var text strings.Builder
	if err := p.Dump(&text); err != nil {
		return err.Error()
	}
	for _, in := range p.Instrs {
		if (in.Block == 1) != (in.Path == "blocks.1") || in.Path == "" && in.Block != -1 {
			fmt.Fprintf(&text, "block %d of %s at %q\n", in.Block, in.Kind, in.Path)
		}
	}
	return text.String()
}

// TestPrograms holds every instruction that each operation and its gradient emit, with inputs,
// attributes and scope.
func TestPrograms(t *testing.T) {
	var text strings.Builder
	for _, tt := range append(operations(), withoutBorders()...) {
		for i, b := range tt.good {
			fmt.Fprintf(&text, "## %s %d\n%s", tt.op, i, dump(b))
		}
	}
	golden(t, "programs.txt", text.String())
}

// TestRefusals holds the whole text of what each operation refuses.
func TestRefusals(t *testing.T) {
	var text strings.Builder
	for _, tt := range append(operations(), withoutBorders()...) {
		for _, b := range tt.refused {
			text.WriteString(dump(b))
		}
	}
	golden(t, "refusals.txt", text.String())
}

// TestBrokenNodes: an operation of what a failed constructor gave, at each place, keeps the
// graph's first error.
func TestBrokenNodes(t *testing.T) {
	for _, tt := range append(operations(), withoutBorders()...) {
		for i, b := range tt.good {
			for broken, leaves := 0, 1; broken < leaves; broken++ {
				g, n := NewGraph(), 0
				name := func() string {
					if n == broken {
						g.fail("first", "error")
					}
					n++
					return fmt.Sprint("x", n)
				}
				y := b(func(shape ...int) *Node { return g.Param(name(), shape...) }, func(shape ...int) *Node { return g.Ints(name(), shape...) })
				leaves = n
				if g.err == nil || g.err.Error() != "first: error" || y == nil {
					t.Errorf("%s %d with leaf %d broken: %v, %v", tt.op, i, broken, g.err, y)
				}
			}
		}
	}
}

// TestFaultsOfGrad holds the text of what is not differentiated.
func TestFaultsOfGrad(t *testing.T) {
	for name, tc := range map[string]struct {
		build func(g *Graph, p *Node)
		want  string
	}{
		"twice":       {func(g *Graph, p *Node) { loss := MSE(p, g.Floats("x", 2)); g.Grad(loss); g.Grad(loss) }, "Grad: the graph is differentiated already: Gorgonia would add up both gradients"},
		"no scalar":   {func(g *Graph, p *Node) { g.Grad(p) }, "Grad: the loss must be a scalar, not (2)"},
		"no param":    {func(g *Graph, p *Node) { x := g.Floats("x", 2); g.Grad(MSE(p, x), x) }, `Grad: "x" is no parameter of the graph, or is named twice`},
		"named twice": {func(g *Graph, p *Node) { g.Grad(MSE(p, g.Floats("x", 2)), p, p) }, `Grad: "p" is no parameter of the graph, or is named twice`},
		"no gradient": {func(g *Graph, p *Node) { g.Grad(MSE(Detach(p), g.Floats("x", 2))) }, "Grad: Non Differentiable WRTs: map[p :: Vector float32:{}]"},
	} {
		g := NewGraph()
		tc.build(g, g.Param("p", 2))
		if _, err := g.Lower("p"); err == nil || err.Error() != tc.want || g.Grad(g.Floats("y")) != nil {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	g := NewGraph()
	p := g.Param("p", 2)
	grads := g.Grad(Reshape(Sum(p)))
	if _, _, err := g.LowerTrain("p", grads, GradTemp); err == nil || err.Error() != `autograd: the loss does not depend on parameter "p"` {
		t.Error(err)
	}
	g = NewGraph()
	p = g.Param("p", 2)
	y, z := Exp(p), Exp(p)
	for want, outputs := range map[string][]*Node{
		`autograd: output "o" is state "p" already`: {p.Named("o")}, `autograd: output "b" is temp "a" already`: {y.Named("a"), y.Named("b")}, `autograd: two outputs are named "a"`: {y.Named("a"), z.Named("a")},
	} {
		if _, err := g.Lower("p", outputs...); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	a, b := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Fatalf("%s differs at line %d: got\n%s", name, i+1, strings.Join(a[min(i, len(a)):min(i+12, len(a))], "\n"))
		}
	}
}

// withoutBorders are the operations and refusals that operations does not have.
func withoutBorders() []operation {
	one := func(op func(*Node) *Node) build { return func(f, _ func(...int) *Node) *Node { return op(f(2, 3)) } }
	graph := func(op func(g *Graph) *Node) build {
		return func(f, _ func(...int) *Node) *Node { return op(f(1).g) }
	}
	conv := func(x, w, bias []int, c ConvConfig) build {
		return func(f, _ func(...int) *Node) *Node {
			if bias == nil {
				return Conv(f(x...), f(w...), nil, c)
			}
			return Conv(f(x...), f(w...), f(bias...), c)
		}
	}
	transposed := func(x, w, bias []int, c ConvConfig) build {
		return func(f, _ func(...int) *Node) *Node {
			if bias == nil {
				return ConvTransposed(f(x...), f(w...), nil, c)
			}
			return ConvTransposed(f(x...), f(w...), f(bias...), c)
		}
	}
	of := func(shape ...int) []int { return shape }
	pool := func(x []int, c PoolConfig) build {
		return func(f, _ func(...int) *Node) *Node { return MaxPool(f(x...), c) }
	}
	average := func(x []int, b, h, w int, factor [2]int) build {
		return func(f, _ func(...int) *Node) *Node { return AvgPool(f(x...), b, h, w, factor) }
	}
	up := func(x []int, b, h, w int, factor [2]int) build {
		return func(f, _ func(...int) *Node) *Node { return Upsample(f(x...), b, h, w, factor) }
	}
	group := func(x, w, b []int, batch, groups int) build {
		return func(f, _ func(...int) *Node) *Node {
			return GroupNorm(f(x...), f(w...), f(b...), batch, groups, 1e-5, ir.SiLU)
		}
	}
	relative := func(q, k, r []int, reach bool, cfg RelativeConfig) build {
		return func(f, i func(...int) *Node) *Node {
			if reach {
				return RelativeAttention(f(q...), f(k...), f(k...), f(q...), f(r...), i(1), cfg)
			}
			return RelativeAttention(f(q...), f(k...), f(k...), f(q...), f(r...), nil, cfg)
		}
	}
	relativeCached := func(q, k, r, cache []int, position int, cfg RelativeConfig) build {
		return func(f, i func(...int) *Node) *Node {
			return RelativeAttentionCached(f(q...), f(k...), f(k...), f(q...), f(r...), f(cache...), f(cache...), i(position), cfg)
		}
	}
	// A layer of a recurrent network: 2 sequences of 3 tokens, 4 hidden numbers.
	recurrent := func(cell ir.Cell, full, projection, reverse bool) build {
		return func(f, i func(...int) *Node) *Node {
			g, p := cell.Gates(), 4
			var w RecurrentWeights
			var first RecurrentState
			var segments *Node
			if projection {
				p = 2
				w.Projection = f(2, 4)
			}
			w.Hidden = f(g*4, p)
			if full {
				w.Bias, first.Hidden, segments = f(g*4), f(2, p), i(6)
				if cell == ir.LSTM {
					first.Cell = f(2, 4)
				}
			}
			return Recurrent(f(6, g*4), w, first, segments, RecurrentConfig{Cell: cell, Batch: 2, Reverse: reverse})
		}
	}
	recurrentCached := func(cell ir.Cell, x, hidden, cells []int, position int, reverse bool) build {
		return func(f, i func(...int) *Node) *Node {
			var c *Node
			if cells != nil {
				c = f(cells...)
			}
			return RecurrentCached(f(x...), RecurrentWeights{Hidden: f(cell.Gates()*4, 4), Bias: f(cell.Gates() * 4)}, f(hidden...), c, i(position), RecurrentConfig{Cell: cell, Batch: 2, Reverse: reverse})
		}
	}
	biased := func(bias []int, behind int) build {
		return func(f, _ func(...int) *Node) *Node {
			return Attention(f(6, 12), f(6, 12), f(6, 12), AttentionMask{}, AttentionConfig{Batch: 2, Heads: 3, Bias: f(bias...), Behind: behind})
		}
	}
	attention := func(cfg AttentionConfig, q, kv int) build {
		return func(f, i func(...int) *Node) *Node {
			return Attention(f(q, 8), f(kv, 8), f(kv, 8), AttentionMask{Query: i(q), Key: i(kv)}, cfg)
		}
	}
	loss := func(cfg LossConfig, linear bool) build {
		return func(f, i func(...int) *Node) *Node {
			if linear {
				y, nll := LinearCrossEntropy(f(3, 4), f(5, 4), i(3), f(1), cfg)
				return Add(y, Mean(nll))
			}
			y, nll := CrossEntropy(f(3, 5), i(3), f(1), cfg)
			return Add(y, Mean(nll))
		}
	}
	// Each size by itself below what it may be.
	var sizes []build
	for i := range 4 {
		p := PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{3, 2}, Stride: [2]int{1, 1}}
		c := ConvConfig{Batch: 2, Height: 5, Width: 4}
		p.Pad[i], c.Pad[i] = -1, -1
		sizes = append(sizes, pool(of(48, 3), p), conv(of(40, 3), of(6, 3, 2, 3), nil, c))
		p.Pad[i], c.Pad[i] = 2+i%2, 0
		if i%2 == 0 {
			p.Pad[i] = 3
		}
		*[]*int{&c.Batch, &c.Height, &c.Width, &c.Stride[1]}[i] = -1
		sizes = append(sizes, pool(of(48, 3), p), conv(of(40, 3), of(6, 3, 2, 3), nil, c))
		p.Pad[i] = 0
		*[]*int{&p.Kernel[0], &p.Kernel[1], &p.Stride[0], &p.Stride[1]}[i] = -1
		sizes = append(sizes, pool(of(48, 3), p))
		b, h, w, factor := 2, 6, 4, [2]int{3, 2}
		*[]*int{&b, &h, &w, &factor[1]}[i] = 0
		sizes = append(sizes, average(of(48, 3), b, h, w, factor), up(of(48, 3), b, h, w, factor))
	}
	return []operation{
		{"sizes", nil, sizes},
		{"functions", []build{
			one(Exp), one(Log), one(Sigmoid), one(Tanh), one(LogSigmoid), one(Log1mExp), one(LeakyReLU), one(Sign), one(Step), one(Detach), one(Softmax),
			one(func(x *Node) *Node { return Clip(x, -1, 2) }), one(func(x *Node) *Node { return Scale(x, 3) }), one(func(x *Node) *Node { return Shift(x, 4) }),
			one(func(x *Node) *Node { return Activation(x, ir.SiLU) }), one(func(x *Node) *Node { return Add(x, Mul(x, x)) }),
			func(f, _ func(...int) *Node) *Node { return Sub(f(2, 3), f(2, 3)) }, func(f, _ func(...int) *Node) *Node { return Max(f(2, 3), f(2, 3)) },
			func(f, _ func(...int) *Node) *Node { return Concat(1, f(2, 1), f(2, 2), f(2, 3)) }, one(func(x *Node) *Node { return Sum(x) }), one(func(x *Node) *Node { return Sum(x, 0) }), one(func(x *Node) *Node { return Mean(x, 1) }), one(func(x *Node) *Node { return Broadcast(Sum(x, 1), 2, 1) }),
			one(func(x *Node) *Node { return Linear(x, x.g.Stored("w", ir.BF16, 4, 3), nil, OutIn) }),
			one(func(x *Node) *Node { return Linear(x, x.g.State("w", 3, 4), x.g.State("b", 4), InOut) }),
			func(_, i func(...int) *Node) *Node { x := i(3); return Embedding(x, x.g.Stored("w", ir.BF16, 4, 3)) },
			func(f, i func(...int) *Node) *Node { return LogSumExp(f(3, 5), i(2)) }, func(f, i func(...int) *Node) *Node { return ToFloat(i(2, 3), 0.5, -1) },
			func(_, i func(...int) *Node) *Node { return i(4).g.Normal(i(4), 2, 3) }, func(f, i func(...int) *Node) *Node { r := i(4); return Dropout(Dropout(f(2, 3), r, 0.25), r, 0) },
			func(f, i func(...int) *Node) *Node { r := i(4); return Dropout(Dropout(f(2, 3), r, 0.25), r, 0.5) },
			graph(func(g *Graph) *Node { p := Pixels(g, "p", 2, 3); return Add(p(1, 0), p(2, -1)) }),
			graph(func(g *Graph) *Node { return Add(g.SinusoidalTable("s", 3, 4), g.SinusoidalTable("s", 3, 4)) }),
			graph(func(g *Graph) *Node {
				return Embedding(g.Zeros("z", 3), g.Table("t", func() []float32 { return []float32{1, 2, 3} }, 3, 1))
			}),
			graph(func(g *Graph) *Node {
				m, r := g.Memory("m", 2, 3), g.Running("r", 3)
				y := Add(m, g.Floats("y", 2, 3))
				g.Write(m, y)
				g.Write(r, Reshape(Sum(y, 0), 3))
				return y
			}),
		}, []build{
			graph(func(g *Graph) *Node { return g.Param("x1", 2) }), graph(func(g *Graph) *Node { return g.Param("", 2) }), graph(func(g *Graph) *Node { return g.Param("y", 2, 0) }),
			graph(func(g *Graph) *Node { return g.Stored("w", ir.I32, 2, 2) }), graph(func(g *Graph) *Node { return g.Stored("w", ir.NF4, 3) }), graph(func(g *Graph) *Node { return g.Input("w", ir.BF16, 3) }),
			graph(func(g *Graph) *Node {
				g.Table("t", func() []float32 { return nil }, 2)
				return g.Table("t", nil, 3)
			}),
			graph(func(g *Graph) *Node { return g.Memory("m") }), graph(func(g *Graph) *Node { return g.Normal(g.Ints("r", 4)) }),
			graph(func(g *Graph) *Node { x := g.Param("p", 2); g.Write(x, x); return x }), graph(func(g *Graph) *Node { x := g.Memory("m", 2); g.Write(x, g.Floats("y", 3)); return x }),
			graph(func(g *Graph) *Node { x := g.Memory("m", 2); g.Write(x, g.Ints("y", 2)); return x }),
			graph(func(g *Graph) *Node { x := g.Running("m", 2); g.Write(x, x); g.Write(x, x); return x }),
			graph(func(g *Graph) *Node { return Exp(g.Ints("y", 2)) }), func(f, i func(...int) *Node) *Node { return LogSumExp(f(3), i(2)) },
		}},
		{"losses", []build{loss(LossConfig{}, false), loss(LossConfig{Smoothing: 0.1, ZLoss: 0.01}, false), loss(LossConfig{Smoothing: 0.1, ZLoss: 0.01}, true),
			func(f, i func(...int) *Node) *Node {
				p, e, lse := LinearLogProb(f(3, 4), f(5, 4), i(3), LogProbConfig{Temperature: 2, Entropy: true})
				return Add(Add(p, e), lse)
			},
			func(f, i func(...int) *Node) *Node {
				y, _ := LinearCrossEntropy(f(9000, 4), f(50000, 4), i(9000), f(1), LossConfig{})
				return y
			},
			func(f, i func(...int) *Node) *Node {
				y, _ := LinearCrossEntropy(f(9000, 4), f(5e7, 4), i(9000), f(1), LossConfig{})
				return y
			},
			func(f, i func(...int) *Node) *Node {
				p, e := KeptLogProb(f(3, 4), f(5, 4), i(3, 1), LogProbConfig{Temperature: 4, Entropy: true, Kept: 1})
				return Add(p, e)
			},
			func(f, i func(...int) *Node) *Node {
				x := f(3, 4)
				return LinearTopLogProb(x, x.g.Stored("w", ir.BF16, 5, 4), i(3, 2), 4)
			},
			func(f, i func(...int) *Node) *Node {
				x := f(3, 4)
				p, _, _ := LinearLogProb(x, x.g.Stored("w", ir.BF16, 5, 4), i(3), LogProbConfig{})
				return p
			},
		}, nil},
		{"Conv", []build{
			conv(of(2*5*4, 3), of(6, 3, 2, 3), of(6), ConvConfig{Batch: 2, Height: 5, Width: 4}),
			conv(of(2*5*4, 6), of(4, 3, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4, Stride: [2]int{2, 3}, Pad: [4]int{1, 0, 2, 1}, Groups: 2}),
			transposed(of(2*3*3, 6), of(6, 3, 2, 3), of(3), ConvConfig{Batch: 2, Height: 5, Width: 4}),
			transposed(of(2*3*3, 6), of(6, 3, 2, 2), nil, ConvConfig{Batch: 2, Height: 5, Width: 4, Groups: 3}),
			conv(of(2, 3), of(6, 1, 2, 3), nil, ConvConfig{Batch: 1, Height: 1, Width: 2}),
		}, []build{
			conv(of(40, 3), of(6, 3, 2), nil, ConvConfig{Batch: 2, Height: 5, Width: 4}), conv(of(40, 3), of(6, 3, 2, 3), nil, ConvConfig{Batch: 3, Height: 5, Width: 4}),
			conv(of(40, 2), of(6, 3, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4}), conv(of(40, 3), of(6, 3, 2, 3), of(3), ConvConfig{Batch: 2, Height: 5, Width: 4}),
			conv(of(40, 3), of(6, 3, 2, 3), nil, ConvConfig{Batch: 0, Height: 5, Width: 4}), conv(of(40, 3), of(6, 3, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4, Stride: [2]int{-1, 1}}),
			conv(of(40, 3), of(6, 3, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4, Pad: [4]int{0, 0, -1, 0}}), conv(of(40, 3), of(6, 3, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4, Groups: -1}),
			conv(of(40, 3), of(6, 6, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4}), conv(of(40, 3), of(6, 2, 6, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4, Pad: [4]int{0, 1, 0, 0}}),
			conv(of(40, 6), of(5, 3, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4, Groups: 2}), conv(of(40, 12), of(6, 3, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4, Groups: 4}),
			transposed(of(18, 5), of(6, 3, 2, 3), nil, ConvConfig{Batch: 2, Height: 5, Width: 4}), transposed(of(18, 6), of(6, 3, 2, 3), of(6), ConvConfig{Batch: 2, Height: 5, Width: 4}),
			transposed(of(18, 6), of(6, 3, 2), nil, ConvConfig{Batch: 2, Height: 5, Width: 4}),
		}},
		{"MaxPool", []build{
			pool(of(2*6*4, 3), PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{3, 2}}),
			pool(of(2*6*4, 3), PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{3, 2}, Stride: [2]int{1, 3}, Pad: [4]int{2, 1, 1, 0}}),
		}, []build{
			pool(of(48, 3), PoolConfig{Batch: 2, Height: 0, Width: 4, Kernel: [2]int{3, 2}}), pool(of(48, 3), PoolConfig{Batch: 2, Height: 5, Width: 4, Kernel: [2]int{3, 2}}),
			pool(of(48, 3), PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{0, 2}}), pool(of(48, 3), PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{3, 2}, Pad: [4]int{0, 0, 0, -1}}),
			pool(of(48, 3), PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{3, 2}, Pad: [4]int{0, 0, 3, 0}}), pool(of(48, 3), PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{3, 2}, Pad: [4]int{0, 2, 0, 0}}),
			pool(of(48, 3), PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{7, 2}}), pool(of(48, 3), PoolConfig{Batch: 2, Height: 6, Width: 4, Kernel: [2]int{3, 6}, Pad: [4]int{0, 1, 0, 0}}),
		}},
		{"AvgPool", []build{average(of(2*6*4, 3), 2, 6, 4, [2]int{3, 2}), average(of(24, 3), 1, 6, 4, [2]int{6, 4})},
			[]build{average(of(48, 3), 2, 6, 4, [2]int{4, 2}), average(of(48, 3), 2, 6, 4, [2]int{3, 3}), average(of(48, 3), 3, 6, 4, [2]int{3, 2}), average(of(48, 3), 2, 6, 4, [2]int{0, 2})}},
		{"Upsample", []build{up(of(2*3*4, 3), 2, 3, 4, [2]int{2, 3})}, []build{up(of(24, 3), 2, 3, 5, [2]int{2, 3}), up(of(24, 3), 2, 3, 4, [2]int{2, 0})}},
		{"GroupNorm", []build{group(of(6, 4), of(4), of(4), 2, 2)}, []build{group(of(6, 4), of(3), of(4), 2, 2), group(of(6, 4), of(4), of(3), 2, 2), group(of(6, 4), of(4), of(4), 4, 2), group(of(6, 4), of(4), of(4), 2, 3), group(of(6, 4), of(4), of(4), 0, 2), group(of(6, 4), of(4), of(4), 2, 0)}},
		{"BatchNorm", []build{
			func(f, _ func(...int) *Node) *Node {
				y, m, v := BatchNorm(f(6, 4), f(4), f(4), 1e-5, ir.LeakyReLU)
				return Concat(0, Reshape(y, 24), m, v)
			},
			func(f, _ func(...int) *Node) *Node { return Normalize(f(6, 4), f(4), f(4), f(4), f(4), 1e-5, ir.ReLU) },
		}, []build{
			func(f, _ func(...int) *Node) *Node {
				y, _, _ := BatchNorm(f(6, 4), f(3), f(4), 1e-5, ir.NoAct)
				return y
			},
			func(f, _ func(...int) *Node) *Node { return Normalize(f(6, 4), f(4), f(4), f(3), f(4), 1e-5, ir.ReLU) },
			func(f, _ func(...int) *Node) *Node { return Normalize(f(6, 4), f(4), f(4), f(4), f(3), 1e-5, ir.ReLU) },
		}},
		{"RelativeAttention", []build{
			relative(of(6, 8), of(6, 8), of(6, 8), false, RelativeConfig{Batch: 2, Heads: 2}), relative(of(4, 8), of(8, 8), of(4, 8), true, RelativeConfig{Batch: 2, Heads: 4, Window: 2, Scale: 0.5}),
			relative(of(4, 8), of(8, 8), of(4, 8), false, RelativeConfig{Batch: 2, Heads: 1}), relativeCached(of(2, 8), of(2, 8), of(5, 8), of(10, 8), 2, RelativeConfig{Batch: 2, Heads: 2}),
		}, []build{
			relative(of(6, 8), of(6, 8), of(6, 8), false, RelativeConfig{Batch: 2, Heads: 3}), relative(of(6, 8), of(7, 8), of(6, 8), false, RelativeConfig{Batch: 2, Heads: 2}),
			relative(of(6, 8), of(6, 6), of(6, 8), false, RelativeConfig{Batch: 2, Heads: 2}), relative(of(6, 8), of(6, 8), of(6, 6), false, RelativeConfig{Batch: 2, Heads: 2}),
			relative(of(6, 8), of(6, 8), of(6, 8), false, RelativeConfig{Heads: 2}), relative(of(6, 8), of(6, 8), of(6, 8), false, RelativeConfig{Batch: 2, Heads: 2, Window: -1}),
			relativeCached(of(2, 8), of(2, 8), of(5, 8), of(9, 8), 2, RelativeConfig{Batch: 2, Heads: 2}), relativeCached(of(2, 8), of(2, 8), of(5, 8), of(10, 8), 3, RelativeConfig{Batch: 2, Heads: 2}),
		}},
		{"Recurrent", []build{
			recurrent(ir.LSTM, false, false, false), recurrent(ir.LSTM, true, false, true), recurrent(ir.LSTM, true, true, false), recurrent(ir.LSTM, false, true, false), recurrent(ir.GRU, false, false, true), recurrent(ir.GRU, true, false, false),
			recurrentCached(ir.LSTM, of(6, 16), of(10, 4), of(10, 4), 2, false), recurrentCached(ir.GRU, of(6, 12), of(10, 4), nil, 2, false),
		}, []build{
			recurrent(ir.GRU, false, true, false), recurrentCached(ir.LSTM, of(6, 16), of(10, 4), nil, 2, false), recurrentCached(ir.GRU, of(6, 12), of(10, 4), of(10, 4), 2, false),
			recurrentCached(ir.LSTM, of(6, 16), of(10, 4), of(8, 4), 2, false), recurrentCached(ir.LSTM, of(6, 16), of(9, 4), of(9, 4), 2, false), recurrentCached(ir.LSTM, of(6, 16), of(10, 4), of(10, 4), 3, false),
			recurrentCached(ir.LSTM, of(6, 16), of(10, 4), of(10, 4), 2, true), recurrentCached(ir.LSTM, of(5, 16), of(10, 4), of(10, 4), 2, false), recurrentCached(ir.LSTM, of(6, 15), of(10, 4), of(10, 4), 2, false),
		}},
		{"attention", []build{
			biased(of(3, 5), 2), attention(AttentionConfig{Batch: 2, Heads: 2, KVHeads: 2, Causal: true, Window: 2, Scale: 0.5}, 6, 6), attention(AttentionConfig{Batch: 2, Heads: 4, Causal: true}, 6, 8),
			func(f, i func(...int) *Node) *Node {
				return PackedAttention(f(6, 12), AttentionMask{Query: i(6)}, AttentionConfig{Batch: 2, Heads: 2, Dropout: 0.25, RNG: i(4)})
			},
			func(f, i func(...int) *Node) *Node {
				x := f(6, 8)
				return Attention(x, x, x, AttentionMask{Query: i(6)}, AttentionConfig{Batch: 2, Heads: 2, Bias: x.g.Table("b", func() []float32 { return make([]float32, 6) }, 2, 3)})
			},
			attention(AttentionConfig{Batch: 1, Heads: 2, Causal: true, Sparse: ir.Sparsity{Pattern: ir.Strided, Block: ir.SparseGranule, Local: 1, Stride: 2}}, 4*ir.SparseGranule, 4*ir.SparseGranule),
		}, []build{
			biased(of(2, 5), 2), biased(of(3, 5, 1), 2), biased(of(3, 5), -1), attention(AttentionConfig{Batch: 2, Heads: 2, Causal: true, Window: -2}, 6, 6), attention(AttentionConfig{Batch: 2, Heads: 2, Dropout: 0.5}, 6, 6), attention(AttentionConfig{Batch: 2, Heads: 2, Dropout: 1}, 6, 6),
			attention(AttentionConfig{Batch: 1, Heads: 2, Causal: true, Sparse: ir.Sparsity{Pattern: ir.Strided, Block: 3, Local: 1, Stride: 2}}, 6, 6),
			attention(AttentionConfig{Batch: 1, Heads: 2, Causal: true, Window: 3, Sparse: ir.Sparsity{Pattern: ir.Strided, Block: ir.SparseGranule, Local: 1, Stride: 2}}, 4*ir.SparseGranule, 4*ir.SparseGranule),
			func(f, i func(...int) *Node) *Node {
				return Attention(f(6, 8), f(6, 8), f(6, 8), AttentionMask{Query: i(5)}, AttentionConfig{Batch: 2, Heads: 2})
			},
			func(f, i func(...int) *Node) *Node {
				return Attention(f(6, 8), f(6, 8), f(6, 8), AttentionMask{Query: i(6), Key: i(5)}, AttentionConfig{Batch: 2, Heads: 2})
			},
		}},
	}
}
