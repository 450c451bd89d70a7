package scale_test

import (
	"fmt"

	"example.com/gotrain/train/scale"
)

// The best model for 10²¹ floating-point operations, and what a known one reaches.
func ExampleLaw_Optimal() {
	n, d := scale.Chinchilla.Optimal(1e21)
	fmt.Printf("%.5g parameters on %.5g tokens: %.4f nats per token\n", n, d, scale.Chinchilla.Loss(n, d))
	fmt.Printf("%.4f\n", scale.Chinchilla.Loss(70e9, 1.4e12))
	// Output:
	// 2.7821e+09 parameters on 5.9906e+10 tokens: 2.3048 nats per token
	// 1.9734
}
