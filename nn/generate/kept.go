package generate

import "fmt"

// Kept is the layout of the input "kept" of truncated distributions (autograd.KeptLogProb) in
// rows of Length tokens.
type Kept struct {
	Most   int // tokens of a distribution
	Length int
}

// Clear has no token of x ask for anything.
func (k Kept) Clear(x []int32) {
	for i := range x {
		x[i] = -1
	}
}

// Set has the tokens before from on of a row ask for the first token of each of kept, among all
// of it.
func (k Kept) Set(x []int32, row, from int, kept [][]int32) error {
	for i, tokens := range kept {
		if len(tokens) == 0 || len(tokens) > k.Most {
			return fmt.Errorf("generate: %d tokens were kept, of 1 to %d", len(tokens), k.Most)
		}
		copy(x[(row*k.Length+from-1+i)*k.Most:], tokens)
	}
	return nil
}
