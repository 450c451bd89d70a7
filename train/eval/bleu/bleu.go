// Package bleu scores texts against references as sacrebleu 2.6.0 does (Post 2018): [Corpus]
// adds them up, [Corpus.BLEU] is BLEU (Papineni et al. 2002) over tokens of mteval-v13a with
// its exponential smoothing, [Corpus.ChrF] is chrF2 (Popović 2015) over characters. What
// they print as their signatures stands in [Signature] and [ChrFSignature].
//
// Everything is pure; a Corpus belongs to one goroutine.
package bleu

import (
	"math"
	"regexp"
	"strings"
	"unicode"
)

// The signatures of sacrebleu for what is computed here.
const (
	Signature     = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
	ChrFSignature = "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"
)

const (
	maxOrder  = 4 // of n-grams of tokens
	charOrder = 6 // of those of characters
	beta      = 2 // how many times recall counts in chrF
)

// Corpus are the counts of texts beside their references.
type Corpus struct {
	Texts          int
	hypothesis     int // tokens
	reference      int
	correct, total [maxOrder]int
	chars          [charOrder]overlap
}

// overlap counts n-grams of a text, of its reference, and those in both.
type overlap struct{ hypothesis, reference, both int }

// Add counts a text and its reference.
func (c *Corpus) Add(text, reference string) {
	c.Texts++
	h, r := Tokenize(text), Tokenize(reference)
	c.hypothesis, c.reference = c.hypothesis+len(h), c.reference+len(r)
	for n := range maxOrder {
		o := compare(ngrams(h, n+1, " "), ngrams(r, n+1, " "))
		c.correct[n] += o.both
		c.total[n] += o.hypothesis
	}
	hc, rc := characters(text), characters(reference)
	for n := range charOrder {
		o := compare(ngrams(hc, n+1, ""), ngrams(rc, n+1, ""))
		if o.reference == 0 {
			o.hypothesis = 0 // nothing to compare with
		}
		c.chars[n].hypothesis += o.hypothesis
		c.chars[n].reference += o.reference
		c.chars[n].both += o.both
	}
}

// BLEU is the score of all texts, 0 to 100.
func (c *Corpus) BLEU() float64 {
	if c.correct == [maxOrder]int{} || c.hypothesis == 0 {
		return 0
	}
	logs, smooth := 0.0, 1.0
	for n := range maxOrder {
		switch {
		case c.total[n] == 0:
			return 0 // texts shorter than the order
		case c.correct[n] == 0:
			smooth *= 2
			logs += math.Log(100 / (smooth * float64(c.total[n])))
		default:
			logs += math.Log(100 * float64(c.correct[n]) / float64(c.total[n]))
		}
	}
	brevity := 1.0
	if c.hypothesis < c.reference {
		brevity = math.Exp(1 - float64(c.reference)/float64(c.hypothesis))
	}
	return brevity * math.Exp(logs/maxOrder)
}

// ChrF is chrF2 of all texts, 0 to 100.
func (c *Corpus) ChrF() float64 {
	precision, recall, orders := 0.0, 0.0, 0
	for _, o := range c.chars {
		if o.hypothesis > 0 && o.reference > 0 {
			precision += float64(o.both) / float64(o.hypothesis)
			recall += float64(o.both) / float64(o.reference)
			orders++
		}
	}
	if precision+recall == 0 {
		return 0
	}
	precision, recall = precision/float64(orders), recall/float64(orders)
	return 100 * (1 + beta*beta) * precision * recall / (beta*beta*precision + recall)
}

// ngrams counts runs of n parts.
func ngrams(parts []string, n int, between string) map[string]int {
	counts := make(map[string]int, len(parts))
	for i := 0; i+n <= len(parts); i++ {
		counts[strings.Join(parts[i:i+n], between)]++
	}
	return counts
}

func compare(hypothesis, reference map[string]int) (o overlap) {
	for gram, count := range hypothesis {
		o.hypothesis += count
		o.both += min(count, reference[gram])
	}
	for _, count := range reference {
		o.reference += count
	}
	return o
}

// characters are those of a text without white space.
func characters(text string) []string {
	var out []string
	for _, c := range text {
		if !isSpace(c) {
			out = append(out, string(c))
		}
	}
	return out
}

// isSpace is white space as Python has it.
func isSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }

var (
	// entities are replaced one after the other.
	entities = [][2]string{{"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}}
	marks    = []struct {
		find *regexp.Regexp
		put  string
	}{
		{regexp.MustCompile("([{-~[-` -&(-+:-@/])"), " $1 "},
		{regexp.MustCompile(`([^0-9])([.,])`), "$1 $2 "}, // not behind a digit
		{regexp.MustCompile(`([.,])([^0-9])`), " $1 $2"}, // not before one
		{regexp.MustCompile(`([0-9])(-)`), "$1 $2 "},
	}
)

// Tokenize are the tokens of mteval-v13a.
func Tokenize(text string) []string {
	text = strings.TrimRightFunc(text, isSpace)
	text = strings.ReplaceAll(text, "<skipped>", "")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "-\n", ""), "\n", " ")
	for _, e := range entities {
		text = strings.ReplaceAll(text, e[0], e[1])
	}
	text = " " + text + " "
	for _, m := range marks {
		text = m.find.ReplaceAllString(text, m.put)
	}
	return strings.FieldsFunc(text, isSpace)
}
