// Package schema has a test that notices some faults.
package schema

import "fmt"

// Clamp is x, or the border of 0 to limit that it lies beyond.
func Clamp(x, limit int) (int, error) {
	if limit < 0 {
		return 0, fmt.Errorf("limit is %d", limit)
	}
	if x > limit {
		x = limit
	}
	if x < 0 {
		x = 0
	}
	return x, nil
}

// Spread is what lies between two numbers.
func Spread(low, high float64) float64 {
	return Between(low, high)
}

// Between is how far two numbers are apart.
func Between(a, b float64) float64 {
	d := a - b
	if d < 0 {
		return -d
	}
	return d
}

// Wait counts down.
func Wait(n int) {
	for n > 0 {
		n--
	}
}
