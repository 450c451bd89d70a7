package onig

import (
	"slices"
	"unicode/utf8"
)

// op is what an instruction does.
type op uint8

const (
	opMatch   op = iota
	opRune       // consumes the character c
	opSet        // consumes a character of set
	opCluster    // consumes a grapheme cluster
	opSplit      // goes on at x, and at y where that fails
	opJump       // goes on at x
	opAnchor     // is at a place of the kind c
	opAtomic     // matches the program at x once and goes on at y
	opLook       // goes on at y if the program at x matches here, or does not; c is the kind
	opMark       // keeps the place in register x
	opMoved      // goes on at y if the place is that of register x
	opSpan       // consumes x characters of set or more, as many as it can and then fewer
	opHold       // is opSpan that gives nothing back
)

// Kinds of opLook.
const (
	lookAhead = iota
	lookBehind
	notAhead
	notBehind
)

type inst struct {
	op    op
	c     rune
	x, y  int32
	width int32 // of a look-behind: the most characters that it looks at, -1 for no bound
	ends  bool  // of a look-behind: the text ends for it at the place from which it looks, as in Oniguruma
	set   *set
}

// maxProgram bounds the instructions of an expression.
const maxProgram = 50_000

// compiler turns nodes into instructions. It stops at maxProgram.
type compiler struct {
	program   []inst
	registers int
	sets      map[string]*set
	full      bool
}

func (c *compiler) emit(in inst) int32 {
	if len(c.program) >= maxProgram {
		c.full = true
		return 0
	}
	c.program = append(c.program, in)
	return int32(len(c.program) - 1)
}

func (c *compiler) here() int32 { return int32(len(c.program)) }

func (c *compiler) set(r ranges) *set {
	key := make([]byte, 0, 8*len(r))
	for _, s := range r {
		key = utf8.AppendRune(utf8.AppendRune(key, s.lo), s.hi)
	}
	if s, ok := c.sets[string(key)]; ok {
		return s
	}
	s := newSet(r)
	c.sets[string(key)] = s
	return s
}

func (c *compiler) node(n *node) {
	if c.full {
		return
	}
	switch n.kind {
	case kText:
		if n.folded {
			c.foldedText(n.text, n.single)
			return
		}
		for _, r := range n.text {
			c.emit(inst{op: opRune, c: r})
		}
	case kSet:
		c.emit(inst{op: opSet, set: c.set(n.set)})
	case kCluster:
		c.emit(inst{op: opCluster})
	case kCat:
		for _, s := range n.subs {
			c.node(s)
		}
	case kAlt:
		c.alternatives(len(n.subs), func(i int) { c.node(n.subs[i]) })
	case kRepeat:
		c.repeat(n)
	case kAtomic:
		c.apart(inst{op: opAtomic}, n.subs[0])
	case kLook:
		kind := rune(lookAhead)
		if n.behind {
			kind = lookBehind
		}
		if n.negative {
			kind += notAhead
		}
		c.apart(inst{op: opLook, c: kind, width: int32(n.subs[0].width()), ends: n.behind && n.subs[0].varied()}, n.subs[0])
	case kAnchor:
		c.emit(inst{op: opAnchor, c: rune(n.anchor)})
	}
}

// apart emits in with the program of n behind it, and what comes then as y.
func (c *compiler) apart(in inst, n *node) {
	at := c.emit(in)
	c.program[at].x = c.here()
	c.node(n)
	c.emit(inst{op: opMatch})
	c.program[at].y = c.here()
}

// alternatives emits one of n parts.
func (c *compiler) alternatives(n int, part func(i int)) {
	var ends []int32
	for i := range n {
		if i == n-1 {
			part(i)
			break
		}
		split := c.emit(inst{op: opSplit})
		c.program[split].x = c.here()
		part(i)
		ends = append(ends, c.emit(inst{op: opJump}))
		c.program[split].y = c.here()
	}
	for _, end := range ends {
		c.program[end].x = c.here()
	}
}

// merged makes one repetition of a greedy one without end of another, so that it does not backtrack over how they share
// the characters.
func merged(n *node) *node {
	inner := n.subs[0]
	for inner.kind == kCat && len(inner.subs) == 1 {
		inner = inner.subs[0]
	}
	if n.max >= 0 || n.min > 1 || n.mode == lazy || inner.kind != kRepeat || inner.max >= 0 || inner.min > 1 || inner.mode != greedy {
		return n
	}
	return merged(&node{kind: kRepeat, subs: inner.subs, min: n.min * inner.min, max: -1, mode: n.mode})
}

func (c *compiler) repeat(n *node) {
	n = merged(n)
	if n.mode == possessive {
		whole := *n
		whole.mode = greedy
		if set, ok := c.oneOf(n.subs[0]); ok && n.max < 0 {
			c.emit(inst{op: opHold, set: set, x: int32(n.min)})
			return
		}
		c.apart(inst{op: opAtomic}, &whole)
		return
	}
	if set, ok := c.oneOf(n.subs[0]); ok && n.max < 0 && n.mode == greedy {
		c.emit(inst{op: opSpan, set: set, x: int32(n.min)})
		return
	}
	for range n.min {
		if c.node(n.subs[0]); c.full {
			return
		}
	}
	if n.max < 0 {
		c.loop(n)
		return
	}
	var skips []int32
	for range n.max - n.min {
		skips = append(skips, c.optional(n.mode))
		if c.node(n.subs[0]); c.full {
			return
		}
	}
	for _, skip := range skips {
		c.skipTo(skip, n.mode, c.here())
	}
}

// optional emits the choice between what follows and what skipTo names.
func (c *compiler) optional(m mode) int32 {
	at := c.emit(inst{op: opSplit})
	if m == lazy {
		c.program[at].y = c.here()
	} else {
		c.program[at].x = c.here()
	}
	return at
}

func (c *compiler) skipTo(at int32, m mode, to int32) {
	if m == lazy {
		c.program[at].x = to
	} else {
		c.program[at].y = to
	}
}

// loop emits subs[0] any number of times. A turn that consumes nothing ends it.
func (c *compiler) loop(n *node) {
	start := c.optional(n.mode)
	if !n.subs[0].nullable() {
		c.node(n.subs[0])
		c.emit(inst{op: opJump, x: start})
		c.skipTo(start, n.mode, c.here())
		return
	}
	register := int32(c.registers)
	c.registers++
	c.emit(inst{op: opMark, x: register})
	c.node(n.subs[0])
	moved := c.emit(inst{op: opMoved, x: register})
	c.emit(inst{op: opJump, x: start})
	c.skipTo(start, n.mode, c.here())
	c.program[moved].y = c.here()
}

// oneOf returns the set of a node that matches a single character.
func (c *compiler) oneOf(n *node) (*set, bool) {
	for n.kind == kCat && len(n.subs) == 1 {
		n = n.subs[0]
	}
	switch {
	case n.kind == kSet:
		return c.set(n.set), true
	case n.kind == kText && len(n.text) == 1 && !n.folded:
		return c.set(single(n.text[0])), true
	}
	return nil, false
}

// foldedText emits a text of any case. Two or three characters that one other folds to, such as the ss of ß, are either
// themselves, each of any case, or that one; the longest such stretch counts, and stretches do not overlap. With single each character is itself only.
func (c *compiler) foldedText(text []rune, single bool) {
	for len(text) > 0 && !c.full {
		var ways [][]ranges
		n := min(3, len(text))
		if single {
			n = 1
		}
		for ; n > 1; n-- {
			if from, ok := multiFolds[string(foldsOf(text[:n]))]; ok {
				var r ranges
				for _, f := range from {
					r = append(r, span{f, f})
				}
				ways = append(ways, allAlike(text[:n]), []ranges{normal(r)})
				break
			}
		}
		if n == 1 {
			ways = append(ways, allAlike(text[:1]))
			if fold, ok := folds()[text[0]]; ok && !single {
				ways = append(ways, allAlike(fold))
			}
		}
		c.alternatives(len(ways), func(w int) {
			for _, r := range ways[w] {
				c.emit(inst{op: opSet, set: c.set(r)})
			}
		})
		text = text[n:]
	}
}

// foldsOf folds each character of text that folds to a single one.
func foldsOf(text []rune) []rune {
	out := make([]rune, len(text))
	for i, r := range text {
		out[i] = r
		if _, multi := folds()[r]; !multi {
			out[i] = simpleFold(r)
		}
	}
	return out
}

func allAlike(text []rune) []ranges {
	var all []ranges
	for _, r := range text {
		all = append(all, alike(r))
	}
	return all
}

// first finds the bytes that a match may begin with; ok is false where it may be empty or begin with a look-around.
func (c *compiler) first(pc int32, seen []int32, bytes *[256]bool) (ok bool) {
	if slices.Contains(seen, pc) || len(seen) > 1000 {
		return len(seen) <= 1000
	}
	seen = append(seen, pc)
	add := func(s *set) {
		for b := range rune(utf8.RuneSelf) {
			bytes[b] = bytes[b] || s.has(b)
		}
		for b := utf8.RuneSelf; b < 256; b++ {
			bytes[b] = bytes[b] || s.pages != nil || s.above != nil
		}
	}
	switch in := c.program[pc]; in.op {
	case opRune:
		bytes[string(in.c)[0]] = true
		return true
	case opSet:
		add(in.set)
		return true
	case opCluster:
		return false
	case opSplit:
		return c.first(in.x, seen, bytes) && c.first(in.y, seen, bytes)
	case opJump:
		return c.first(in.x, seen, bytes)
	case opSpan, opHold:
		add(in.set)
		return in.x > 0 || c.first(pc+1, seen, bytes)
	case opMark:
		return c.first(pc+1, seen, bytes)
	}
	return false
}
