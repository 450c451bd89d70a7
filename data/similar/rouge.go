// Package similar compares texts: how much of the words of two is the same in the same order
// ([RougeL], [Pool]), whether two have nearly the same passages ([Near]), and whether one holds a
// passage of texts that are kept for evaluation ([Grams]).
package similar

import (
	"math/bits"
	"strings"
)

// RougeWords are the words that ROUGE compares, those of the tokenizer of rouge_score without a
// stemmer: runs of a-z and 0-9 of the text in small letters. Texts in other scripts have none.
func RougeWords(text string) []string {
	// What Unicode makes of it is a dotted i and a mark, which parts words.
	lower := strings.ToLower(strings.ReplaceAll(text, "İ", "i\u0307"))
	return strings.FieldsFunc(lower, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
}

// RougeL is the F-measure of ROUGE-L (Lin 2004) of two texts: with the longest common
// subsequence of their words as a share of either, p and r, it is 2pr / (p + r); 0 where a text has no word.
func RougeL(a, b string) float64 {
	var p Pool
	p.Add(b)
	_, f := p.Nearest(a, 0)
	return f
}

// fMeasure is ROUGE-L's F-measure of texts of m and n words.
func fMeasure(common, m, n int) float64 {
	if common == 0 {
		return 0
	}
	precision, recall := float64(common)/float64(m), float64(common)/float64(n)
	return 2 * precision * recall / (precision + recall)
}

// Pool is a set of texts, of which it finds that which another is most like. The zero value has
// none. It is not safe for concurrent use.
type Pool struct {
	numbers map[string]int32 // of words
	texts   [][]int32
	masks   []uint64 // of each word its places in the text that is compared, blocks words wide; all 0 between calls
	blocks  int
	state   []uint64
}

// Len is the number of texts.
func (p *Pool) Len() int { return len(p.texts) }

// Add puts a text into the pool; its number is that of the texts before it.
func (p *Pool) Add(text string) {
	if p.numbers == nil {
		p.numbers = map[string]int32{}
	}
	words := RougeWords(text)
	ids := make([]int32, len(words))
	for i, w := range words {
		id, ok := p.numbers[w]
		if !ok {
			id = int32(len(p.numbers))
			p.numbers[strings.Clone(w)] = id
		}
		ids[i] = id
	}
	p.texts = append(p.texts, ids)
}

// Nearest is the number of the text whose ROUGE-L with text is the largest, and that; -1 where
// none reaches least, or has a word in common.
func (p *Pool) Nearest(text string, least float64) (number int, rouge float64) {
	words := RougeWords(text)
	p.place(words)
	defer p.clear(words)
	number = -1
	m := len(words)
	for i, t := range p.texts {
		// No more than the shorter of the two can be common.
		if bound := fMeasure(min(m, len(t)), m, len(t)); bound <= rouge || bound < least {
			continue
		}
		if f := fMeasure(p.common(t, m), m, len(t)); f > rouge && f >= least {
			number, rouge = i, f
		}
	}
	return number, rouge
}

// place sets the masks of the words of a text.
func (p *Pool) place(words []string) {
	p.blocks = (len(words) + 63) / 64
	if n := len(p.numbers) * p.blocks; len(p.masks) < n {
		p.masks = make([]uint64, n+n/2)
	}
	for i, w := range words {
		if id, ok := p.numbers[w]; ok {
			p.masks[int(id)*p.blocks+i/64] |= 1 << (i % 64)
		}
	}
}

// clear takes the masks away again.
func (p *Pool) clear(words []string) {
	for _, w := range words {
		if id, ok := p.numbers[w]; ok {
			clear(p.masks[int(id)*p.blocks:][:p.blocks])
		}
	}
}

// common is the length of the longest common subsequence of t and the text of m words that is
// placed. A bit of the state is 0 where the row of the table of lengths rises; a word of t
// changes 64 columns at once (Hyyrö 2004).
func (p *Pool) common(t []int32, m int) int {
	if p.blocks == 1 {
		v := ^uint64(0)
		for _, id := range t {
			u := v & p.masks[id]
			v = (v + u) | (v - u)
		}
		return bits.OnesCount64(^v << (63 - uint(m-1)%64))
	}
	if len(p.state) < p.blocks {
		p.state = make([]uint64, p.blocks)
	}
	state := p.state[:p.blocks]
	for i := range state {
		state[i] = ^uint64(0)
	}
	for _, id := range t {
		carry := uint64(0)
		for i, mask := range p.masks[int(id)*p.blocks:][:p.blocks] {
			v := state[i]
			u := v & mask
			var sum uint64
			sum, carry = bits.Add64(v, u, carry)
			state[i] = sum | (v - u)
		}
	}
	common := 0
	for i, v := range state {
		rises := ^v
		if i == p.blocks-1 {
			rises <<= 63 - uint(m-1)%64
		}
		common += bits.OnesCount64(rises)
	}
	return common
}
