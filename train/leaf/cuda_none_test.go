//go:build !gpu

package leaf

// gpus opens a GPU for each rank; nil without them.
func gpus() opener { return nil }
