package autograd

import (
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
)

func TestLowerDump(t *testing.T) {
	g := NewGraph()
	ids, targets, lossWeight := g.Ints("ids", 6), g.Ints("targets", 6), g.Floats("loss_weight", 1)
	wte := g.Param("wte", 11, 4)
	x := Embedding(ids, wte)
	g.Block(0, "blocks.0", func() {
		h := LayerNorm(x, g.Param("ln.w", 4), g.Param("ln.b", 4), 1e-5)
		h = Activation(Linear(h, g.Param("up.w", 8, 4), g.Param("up.b", 8), OutIn), ir.GELUTanh)
		x = Add(x, Linear(h, g.Param("down.w", 4, 8), nil, OutIn))
	})
	loss, nll := LinearCrossEntropy(x, wte, targets, lossWeight, LossConfig{})
	grads := g.Grad(loss)
	p, err := g.Lower("train", append([]*Node{loss, nll}, grads...)...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := p.Dump(&b); err != nil {
		t.Fatal(err)
	}
	t.Log(b.String())
	for _, want := range []string{"LinearCrossEntropy", "EmbeddingBackward", "# blocks.0 backward"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the dump lacks %q", want)
		}
	}
	eval, err := g.Lower("eval", nll)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range eval.Instrs {
		if in.Backward {
			t.Errorf("the evaluation program holds %s backward", in.Kind)
		}
	}
}

func TestErrorsStickWithPath(t *testing.T) {
	g := NewGraph()
	x := g.Floats("x", 8, 1024)
	g.Block(3, "blocks.3", func() {
		g.In("mlp.up", func() { x = Linear(x, g.Param("w", 3072, 768), nil, OutIn) })
	})
	y := Add(x, x)
	_, err := g.Lower("train", y)
	if want := "MatMul: inner dimensions differ: (8, 1024) × (3072, 768) at blocks.3.mlp.up"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDuplicateNameFails(t *testing.T) {
	g := NewGraph()
	g.Param("w", 2, 2)
	g.Param("w", 2, 2)
	if g.Err() == nil {
		t.Error("two parameters of one name were accepted")
	}
}

func TestSecondGradFails(t *testing.T) {
	g := NewGraph()
	w := g.Param("w", 2, 2)
	loss := MSE(w, g.Floats("t", 2, 2))
	g.Grad(loss)
	g.Grad(loss)
	if g.Err() == nil {
		t.Error("a second Grad was accepted")
	}
}

// TestGradByParameters differentiates a generator followed by a discriminator by the
// parameters of one of them, as a phase of a GAN does: the program computes the
// gradients of those only.
func TestGradByParameters(t *testing.T) {
	build := func() (g *Graph, loss *Node, generator, discriminator []*Node) {
		g = NewGraph()
		part := func(name string, x *Node) (y *Node, params []*Node) {
			up, bias, down := g.Param(name+".up", 8, 4), g.Param(name+".bias", 8), g.Param(name+".down", 4, 8)
			g.In(name, func() { y = Linear(Activation(Linear(x, up, bias, OutIn), ir.GELU), down, nil, OutIn) })
			return y, []*Node{up, bias, down}
		}
		x, generator := part("generator", g.Floats("z", 5, 4))
		y, discriminator := part("discriminator", x)
		return g, MSE(y, g.Floats("real", 5, 4)), generator, discriminator
	}
	count := func(p *ir.Program, path string, kind ir.Kind) (n int) {
		for _, in := range p.Instrs {
			if in.Backward && in.Path == path && in.Kind == kind {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		learns                 string
		generator, others, sum int // backward products of both parts, sums of bias gradients
	}{{"generator", 3, 2, 1}, {"discriminator", 0, 3, 1}, {"all", 3, 4, 2}} {
		g, loss, generator, discriminator := build()
		wrt := map[string][]*Node{"generator": generator, "discriminator": discriminator}[c.learns]
		p, grads, err := g.LowerTrain("step", g.Grad(loss, wrt...), GradStore, loss.Named("loss"))
		if err != nil {
			t.Fatal(err)
		}
		if wrt == nil {
			wrt = g.Params()
		}
		for i, w := range wrt {
			if grads[i].Param.Name != w.Name() || grads[i].Grad.Name != GradState(w.Name()) {
				t.Errorf("%s: gradient %d is %s of %s, want that of %s", c.learns, i, grads[i].Grad.Name, grads[i].Param.Name, w.Name())
			}
		}
		if len(grads) != len(wrt) {
			t.Errorf("%s: %d gradients, want %d", c.learns, len(grads), len(wrt))
		}
		if n := count(p, "generator", ir.MatMul); n != c.generator {
			t.Errorf("%s: %d backward products in the generator, want %d", c.learns, n, c.generator)
		}
		if n := count(p, "discriminator", ir.MatMul); n != c.others {
			t.Errorf("%s: %d backward products in the discriminator, want %d", c.learns, n, c.others)
		}
		if n := count(p, "generator", ir.ColumnSum) + count(p, "discriminator", ir.ColumnSum); n != c.sum {
			t.Errorf("%s: %d sums of bias gradients, want %d", c.learns, n, c.sum)
		}
		if i := p.Output("loss"); i != 0 {
			t.Errorf("%s: the loss is output %d, want 0", c.learns, i)
		}
	}
}

func TestGradRefuses(t *testing.T) {
	for name, wrt := range map[string]func(g *Graph, w *Node) []*Node{
		"frozen": func(g *Graph, w *Node) []*Node { return []*Node{g.State("s", 2, 2)} },
		"twice":  func(g *Graph, w *Node) []*Node { return []*Node{w, w} },
		"other":  func(*Graph, *Node) []*Node { return []*Node{NewGraph().Param("w", 2, 2)} },
	} {
		g := NewGraph()
		w := g.Param("w", 2, 2)
		g.Grad(MSE(w, g.Floats("t", 2, 2)), wrt(g, w)...)
		if g.Err() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOutputNames(t *testing.T) {
	g := NewGraph()
	x, w := g.Floats("x", 2, 3), g.Param("w", 2, 3)
	y := Add(x, w)
	p, err := g.Lower("named", y, y.Named("sum"), Mul(x, w).Named("product"), w)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"sum": 0, "product": 2, "w": 3, "x": -1, "": -1} {
		if i := p.Output(name); i != want {
			t.Errorf("output %q is at %d, want %d", name, i, want)
		}
	}
	var b strings.Builder
	if err := p.Dump(&b); err != nil || !strings.HasSuffix(b.String(), "return sum=%0, sum=%0, product=%1, w\n") {
		t.Errorf("the dump is %s (%v)", b.String(), err)
	}
	for _, outputs := range [][]*Node{{y.Named("a"), y.Named("b")}, {y.Named("a"), Mul(x, w).Named("a")}, {w.Named("a")}} {
		if _, err := g.Lower("named", outputs...); err == nil {
			t.Errorf("the outputs %q were accepted", []string{outputs[0].Name(), outputs[len(outputs)-1].Name()})
		}
	}
}

func TestPackedInputs(t *testing.T) {
	g := NewGraph()
	picture := ToFloat(g.Input("picture", ir.U8, 2, 6), 1/127.5, -1)
	mask := ToFloat(g.Input("mask", ir.U1, 2, 6), 1, 0)
	p, err := g.Lower("masked", Mul(picture, mask))
	if err != nil {
		t.Fatal(err)
	}
	in := p.Inputs()
	if len(in) != 2 || in[0].Name != "picture" || in[0].Bytes() != 12 || in[1].DType != ir.U1 || in[1].Bytes() != 2 {
		t.Errorf("got inputs %v %v", in[0], in[1])
	}
	for name, build := range map[string]func(g *Graph){
		"bf16 input": func(g *Graph) { g.Input("x", ir.BF16, 2) },
		"float":      func(g *Graph) { ToFloat(g.Floats("x", 2), 1, 0) },
		"same name":  func(g *Graph) { g.Ints("x", 2); g.Floats("x", 2) },
	} {
		g := NewGraph()
		build(g)
		if g.Err() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	g = NewGraph()
	x := g.Input("x", ir.U8, 2)
	if _, err := g.Lower("product", Mul(x, x)); err == nil {
		t.Error("a product of bytes was accepted")
	}
}
