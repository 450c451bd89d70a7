// Package denoise takes spans out of a text for an encoder and a decoder to put them back: the
// span corruption of T5 (Raffel et al. 2020, section 3.1.4). In the source a sentinel stands in
// the place of each span, <extra_id_0>, <extra_id_1> and so on; the target has each sentinel
// with the tokens of its span behind it.
//
//	text    Thank you for inviting me to your party last week
//	source  Thank you <extra_id_0> me to your party <extra_id_1> week
//	target  <extra_id_0> for inviting <extra_id_1> last
//
// Read the types in this order: [Config] (how much is taken out), [Marks] (the tokens beside
// those of the text), [Fill] (a text with its spans put back).
//
// Counts and lengths are those of transformers' run_t5_mlm_flax.py.
package denoise

import (
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/data"
)

// Config says how much of a text is taken out; it is the section recipe of recipe denoise.
type Config struct {
	Rate float64 `yaml:"rate"` // share of the tokens that are taken out
	Span float64 `yaml:"span"` // tokens of a span, on average
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var errs []error
	if !(c.Rate > 0 && c.Rate < 1) {
		errs = append(errs, fmt.Errorf("recipe.rate is %g; use a share between 0 and 1, such as 0.15", c.Rate))
	}
	if !(c.Span >= 1 && c.Span <= 1e6) {
		errs = append(errs, fmt.Errorf("recipe.span is %g; use a mean number of tokens of 1 or more, such as 3", c.Span))
	}
	return errors.Join(errs...)
}

// Counts are how many of n tokens, 2 or more, are taken out, and in how many spans.
func (c Config) Counts(n int) (noise, spans int) {
	noise = min(max(int(math.RoundToEven(float64(n)*c.Rate)), 1), n-1)
	spans = max(int(math.RoundToEven(float64(min(noise, n-noise))/c.Span)), 1)
	return noise, spans
}

// Lengths are the tokens of a source and a target of n tokens of text; frame is how many stand
// around the text of a source, such as the one that ends it. A target has its end.
func (c Config) Lengths(n, frame int) (source, target int) {
	noise, spans := c.Counts(n)
	return n - noise + spans + frame, noise + spans + 1
}

// Window is the most tokens of text whose source takes so many tokens, 0 where none fits, and
// the tokens of their target.
func (c Config) Window(source, frame int) (tokens, target int) {
	for n := 2; ; n++ {
		s, t := c.Lengths(n, frame)
		if s > source {
			return tokens, target
		}
		tokens, target = n, t
	}
}

// Marks are the tokens of a row beside those of its text.
type Marks struct {
	Before, After []int32 // around the text of a source
	End           int32   // ends a target
	Sentinels     []int32
}

// Frame is how many tokens stand around the text of a source.
func (m Marks) Frame() int { return len(m.Before) + len(m.After) }

// Corrupt appends the source and the target of a text of 2 tokens or more. Which spans are
// taken out is a function of the seed and the number; all cuts into kept and taken spans, which
// take turns and begin with a kept one, are alike likely. There have to be as many sentinels as
// spans.
func (c Config) Corrupt(source, target, text []int32, m Marks, seed, number uint64) (s, t []int32) {
	noise, spans := c.Counts(len(text))
	kept, taken := newParts(len(text)-noise, spans, seed, 2*number), newParts(noise, spans, seed, 2*number+1)
	return takeOut(source, target, text, m, spans, kept.next, taken.next)
}

// takeOut appends both sides of a text, with spans as long as kept and taken give.
func takeOut(source, target, text []int32, m Marks, spans int, kept, taken func() int) (s, t []int32) {
	source = append(source, m.Before...)
	for _, sentinel := range m.Sentinels[:spans] {
		n := kept()
		source = append(append(source, text[:n]...), sentinel)
		text = text[n:]
		n = taken()
		target = append(append(target, sentinel), text[:n]...)
		text = text[n:]
	}
	return append(source, m.After...), append(target, m.End)
}

// parts are pieces of one item or more into which items are cut.
type parts struct {
	order       data.Permutation // of the places between items; the first ones are cuts
	items, cuts uint64
	at          uint64
}

func newParts(items, pieces int, seed, stream uint64) parts {
	return parts{order: data.NewPermutation(uint64(max(items-1, 1)), seed, stream), items: uint64(items), cuts: uint64(pieces - 1)}
}

// next is the number of items of the next part.
func (p *parts) next() int {
	for n := 1; ; n++ {
		if p.at++; p.at == p.items || p.order.At(p.at-1) < p.cuts {
			return n
		}
	}
}

// Sentinel spells sentinel i.
func Sentinel(i int) string { return fmt.Sprintf("<extra_id_%d>", i) }

// Sentinels are those of a tokenizer, up to the first that it lacks.
func Sentinels(t data.Tokenizer) (ids []int32) {
	for {
		id, ok := t.Special(Sentinel(len(ids)))
		if !ok {
			return ids
		}
		ids = append(ids, id)
	}
}

// Fill is the text of a source with the spans of a target in the places of its sentinels; ok is
// false for a source without any. A space of its own before a sentinel gives way: spans begin
// with theirs.
func Fill(t data.Tokenizer, source, target []int32) (text string, ok bool) {
	special, spans := map[int32]bool{}, map[int32][]int32{}
	for _, s := range t.Specials() {
		special[s.ID] = true
	}
	for _, id := range Sentinels(t) {
		spans[id] = nil
	}
	of := int32(-1)
	for _, id := range target {
		if _, sentinel := spans[id]; sentinel {
			of = id
		} else if of >= 0 && !special[id] {
			spans[of] = append(spans[of], id)
		}
	}
	var all []int32
	for _, id := range source {
		span, sentinel := spans[id]
		ok = ok || sentinel
		if n := len(all); sentinel && n > 0 && string(t.TokenBytes(all[n-1])) == " " {
			all = all[:n-1]
		}
		if all = append(all, span...); !special[id] {
			all = append(all, id)
		}
	}
	return string(t.AppendDecode(nil, all)), ok
}
