package kernel_test

import (
	"fmt"

	"example.com/gotrain/autograd/cpu/kernel"
)

func ExampleGEMM_Mul() {
	pool := kernel.NewPool(0)
	defer pool.Close()
	g := kernel.NewGEMM(pool, kernel.Best())

	x := []float32{1, 2, 3} // (1, 3)
	w := []float32{         // (2, 3): out × in
		1, 0, 1,
		0, 1, 0,
	}
	y := make([]float32, 2) // (1, 2) = x·wᵀ + bias
	g.Mul(&kernel.Args{
		M: 1, N: 2, K: 3, TransB: true,
		A: x, LDA: 3, B: w, LDB: 3, C: y, LDC: 2,
		Bias: []float32{0.5, 0},
	})
	fmt.Println(y)
	// Output: [4.5 2]
}
