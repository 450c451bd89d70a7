package cpu_test

import (
	"fmt"
	"log"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// A layer of a graph becomes a program, a plan and a session that runs it.
func Example() {
	g := autograd.NewGraph()
	x, w := g.Floats("x", 2, 3), g.Param("w", 2, 3)
	y := autograd.Activation(autograd.Linear(x, w, nil, autograd.OutIn), ir.ReLU)
	program, err := g.Lower("layer", y)
	if err != nil {
		log.Fatal(err)
	}

	backend, err := cpu.New(cpu.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
	p, err := plan.Build(program, plan.Options{Target: backend.Target()})
	if err != nil {
		log.Fatal(err)
	}
	store := exec.NewStore(backend)
	arena, err := exec.NewArena(backend, p.Arena)
	if err != nil {
		log.Fatal(err)
	}
	session, err := exec.NewSession(p, store, arena)
	if err != nil {
		log.Fatal(err)
	}

	out := make([]float32, 4)
	for _, err := range []error{
		store.Write("w", []float32{1, 2, 3, 4, 5, -6}),
		session.SetFloats("x", []float32{1, 0, 0, 1, 1, 1}),
		session.Run(),
		session.Output(0, out),
	} {
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(out)
	// Output: [1 4 6 3]
}
