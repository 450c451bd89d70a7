package main

import "slices"

// precisions are the values of --precision.
var precisions = []string{"float32", "tf32", "bfloat16"}

// checkPrecision wants --precision to be one of them, or to be left out.
func checkPrecision(name string) error {
	if name != "" && !slices.Contains(precisions, name) {
		return usagef("--precision is %q; use float32, tf32 or bfloat16", name)
	}
	return nil
}
