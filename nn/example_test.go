package nn_test

import (
	"fmt"
	"log"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
)

// A model lists its parameters and builds graphs, which lower to programs.
func Example() {
	m, err := gpt2.New(gpt2.Config{Layers: 2, Heads: 4, Width: 64, Context: 32, Vocab: 256}, nn.Tuning{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range m.Params()[:4] {
		fmt.Println(p.Name, p.Shape)
	}
	fmt.Println(nn.SizeOf(m).Params, "parameters")

	g := autograd.NewGraph()
	loss, nll := nn.Training(g, m, nn.Rows{Batch: 4, Length: 32}, autograd.LossConfig{})
	program, gradients, err := g.LowerTrain("train", g.Grad(loss), autograd.GradStore, loss, nll)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(program.Name, len(gradients), "gradients")
	// Output:
	// transformer.wte.weight (256, 64)
	// transformer.wpe.weight (32, 64)
	// transformer.h.0.ln_1.weight (64)
	// transformer.h.0.ln_1.bias (64)
	// 118528 parameters
	// train 28 gradients
}
