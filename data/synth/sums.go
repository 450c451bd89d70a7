package synth

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
)

// Sum is an addition: Text is the prompt with an answer, which may be wrong.
type Sum struct {
	Text   string `json:"text"`
	Prompt string `json:"prompt"`
	Answer string `json:"answer"` // the right one
}

// Sums makes n additions of two numbers of so many digits, such as 12+34=46. Of their texts the
// share right has the right answer, the others that of another addition: a model that has read
// them knows what a sum looks like, and rarely says the right one. The same numbers give the
// same sums.
func Sums(n, digits int, right float64, seed uint64) (iter.Seq[Sum], error) {
	if n < 1 || digits < 1 || digits > 9 || !(right >= 0 && right <= 1) {
		return nil, fmt.Errorf("synth: %d sums of %d digits, %g of them right: use 1 or more, of 1 to 9, and a share", n, digits, right)
	}
	least := int(math.Pow10(digits - 1))
	return func(yield func(Sum) bool) {
		draw := rand.New(rand.NewPCG(seed, 0x73756d73))
		number := func() int { return least + draw.IntN(9*least) }
		for range n {
			a, b := number(), number()
			s := Sum{Prompt: fmt.Sprintf("%d+%d=", a, b), Answer: fmt.Sprint(a + b)}
			said := s.Answer
			if draw.Float64() >= right {
				said = fmt.Sprint(number() + number())
			}
			s.Text = s.Prompt + said
			if !yield(s) {
				return
			}
		}
	}, nil
}
