package distill

import (
	"math"
	"runtime"
	"slices"
	"sync"
)

// Most is what is kept of a distribution over tokens.
type Most struct {
	Tokens   []int32   // the likeliest, in falling order; of equals the lower id first
	LogProbs []float32 // of these, and where a remainder is asked for that of all others together
}

// leastRest is the logarithm that stands for the probability of no token.
const leastRest = -60

// pick sets m to the k likeliest of logits z over a temperature, with the remainder or without.
func (m *Most) pick(z []float32, k int, temperature float64, rest bool) {
	m.Tokens, m.LogProbs = m.Tokens[:0], m.LogProbs[:0]
	before := func(a, b int32) bool { return z[a] > z[b] || z[a] == z[b] && a < b }
	for id := range z { // a heap with the last of them on top
		t := int32(id)
		switch {
		case len(m.Tokens) < k:
			m.Tokens = append(m.Tokens, t)
			for i := len(m.Tokens) - 1; i > 0 && before(m.Tokens[(i-1)/2], m.Tokens[i]); i = (i - 1) / 2 {
				m.Tokens[i], m.Tokens[(i-1)/2] = m.Tokens[(i-1)/2], m.Tokens[i]
			}
		case before(t, m.Tokens[0]):
			m.Tokens[0] = t
			m.sink(before)
		}
	}
	last := m.Tokens[0]
	slices.SortFunc(m.Tokens, func(a, b int32) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	top := float64(z[m.Tokens[0]])
	power := func(id int32) float64 { return (float64(z[id]) - top) / temperature }
	kept, others := 0.0, 0.0
	for id := range z {
		if t := int32(id); before(last, t) {
			others += math.Exp(power(t))
		} else {
			kept += math.Exp(power(t))
		}
	}
	sum := math.Log(kept + others)
	for _, t := range m.Tokens {
		m.LogProbs = append(m.LogProbs, float32(power(t)-sum))
	}
	if rest {
		m.LogProbs = append(m.LogProbs, float32(max(leastRest, math.Log(others)-sum)))
	}
}

// sink moves the top of the heap to its place.
func (m *Most) sink(before func(a, b int32) bool) {
	for i := 0; ; {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.Tokens); child++ {
			if before(m.Tokens[worst], m.Tokens[child]) {
				worst = child
			}
		}
		if worst == i {
			return
		}
		m.Tokens[i], m.Tokens[worst] = m.Tokens[worst], m.Tokens[i]
		i = worst
	}
}

// choose picks the likeliest tokens of the first rows of the logits, on all threads.
func (t *teacher) choose(rows int) {
	l, width := t.loaded, t.model.Vocab()
	var all sync.WaitGroup
	threads := runtime.GOMAXPROCS(0)
	for i := range threads {
		all.Go(func() {
			for row := i; row < rows; row += threads {
				l.most[row].pick(l.logits[row*width:][:t.vocab], t.top, own(t.config).Temperature, t.rest)
			}
		})
	}
	all.Wait()
}
