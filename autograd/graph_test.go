package autograd

import (
	"strings"
	"testing"

	"gotrain/autograd/ir"
)

func TestLowerDump(t *testing.T) {
	g := NewGraph()
	ids, targets, norm := g.Ints("ids", 6), g.Ints("targets", 6), g.Floats("norm", 1)
	wte := g.Param("wte", 11, 4)
	x := Embedding(ids, wte)
	g.Block(0, "blocks.0", func() {
		h := LayerNorm(x, g.Param("ln.w", 4), g.Param("ln.b", 4), 1e-5)
		h = Activation(Linear(h, g.Param("up.w", 8, 4), g.Param("up.b", 8), OutIn), ir.GELUTanh)
		x = Add(x, Linear(h, g.Param("down.w", 4, 8), nil, OutIn))
	})
	loss, nll := LinearCrossEntropy(x, wte, targets, norm, LossConfig{})
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
