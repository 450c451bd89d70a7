package onig

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Error says what of an expression is not understood, and where.
type Error struct {
	Pattern string
	At      int    // byte of Pattern
	What    string // the construct, in words
}

func (e *Error) Error() string {
	return fmt.Sprintf("the regular expression %q, at byte %d: %s", e.Pattern, e.At, e.What)
}

// kind is what a node is.
type kind uint8

const (
	kEmpty   kind = iota
	kText         // characters one behind the other
	kSet          // one character of a set
	kCluster      // \X
	kCat          // all of subs
	kAlt          // one of subs
	kRepeat       // subs[0] min to max times
	kAtomic       // subs[0], whose first match is kept
	kLook         // subs[0] matches ahead, or behind, or does not
	kAnchor       // a place
)

// mode is how a repetition prefers.
type mode uint8

const (
	greedy mode = iota
	lazy
	possessive
)

// A node is a part of an expression.
type node struct {
	kind     kind
	text     []rune
	folded   bool // text of any case
	single   bool // folded text whose characters each match one
	newline  bool // \R
	set      ranges
	subs     []*node
	min, max int // of a repetition; max -1 for no end
	mode     mode
	behind   bool // of a look-around
	negative bool
	anchor   byte // ^ $ A Z z b B
}

// options are those of (?imx).
type options struct {
	fold, dotAll, extended bool
}

type parser struct {
	pattern string
	at      int
	depth   int
	opts    options
}

// maxDepth is how deep groups and classes may lie in each other, the whole expression being the outermost.
const maxDepth = 200

func (p *parser) fault(at int, format string, args ...any) error {
	return &Error{Pattern: p.pattern, At: at, What: fmt.Sprintf(format, args...)}
}

func parse(pattern string) (*node, error) {
	p := &parser{pattern: pattern}
	if !utf8.ValidString(pattern) {
		return nil, p.fault(0, "it is not UTF-8")
	}
	n, err := p.alternatives()
	if err == nil && p.at < len(pattern) {
		err = p.fault(p.at, "a closing bracket without an opening one")
	}
	return n, err
}

func (p *parser) more() bool { return p.at < len(p.pattern) }

func (p *parser) has(prefix string) bool { return strings.HasPrefix(p.pattern[p.at:], prefix) }

// next consumes a character.
func (p *parser) next() rune {
	c, size := utf8.DecodeRuneInString(p.pattern[p.at:])
	p.at += size
	return c
}

// alternatives parses up to the end or a closing bracket, which stays. Options that it sets end with it.
func (p *parser) alternatives() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fault(p.at, "groups lie more than %d deep in each other", maxDepth)
	}
	outer := p.opts
	defer func() {
		p.depth--
		p.opts = outer
	}()
	var all []*node
	for {
		n, err := p.branch()
		if err != nil {
			return nil, err
		}
		all = append(all, n)
		if !p.has("|") {
			break
		}
		p.at++
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return &node{kind: kAlt, subs: all}, nil
}

// branch parses up to |, a closing bracket or the end.
func (p *parser) branch() (*node, error) {
	var all []*node
	for p.more() && !p.has("|") && !p.has(")") {
		if p.opts.extended && p.skipExtended() {
			continue
		}
		start := p.at
		n, err := p.item()
		if err != nil {
			return nil, err
		}
		if n == nil {
			continue
		}
		if n, err = p.quantified(n, start); err != nil {
			return nil, err
		}
		if last := len(all) - 1; last >= 0 && n.kind == kText && all[last].kind == kText && all[last].folded == n.folded {
			all[last].text = append(all[last].text, n.text...)
			continue
		}
		all = append(all, n)
	}
	switch len(all) {
	case 0:
		return &node{kind: kEmpty}, nil
	case 1:
		return all[0], nil
	}
	return &node{kind: kCat, subs: all}, nil
}

// skipExtended passes white space and a comment of (?x).
func (p *parser) skipExtended() bool {
	switch p.pattern[p.at] {
	case ' ', '\t', '\n', '\r', '\f', '\v':
		p.at++
		return true
	case '#':
		if end := strings.IndexByte(p.pattern[p.at:], '\n'); end >= 0 {
			p.at += end + 1
		} else {
			p.at = len(p.pattern)
		}
		return true
	}
	return false
}

// item parses what a quantifier may stand behind; nil for a comment.
func (p *parser) item() (*node, error) {
	start := p.at
	switch c := p.next(); c {
	case '(':
		return p.group(start)
	case '[':
		return p.class(start)
	case '\\':
		return p.escape(start)
	case '.':
		return p.dot(), nil
	case '^', '$':
		return &node{kind: kAnchor, anchor: byte(c)}, nil
	case '*', '+', '?':
		return nil, p.fault(start, "%c has nothing to repeat", c)
	default:
		return p.char(c), nil
	}
}

func (p *parser) char(c rune) *node {
	return &node{kind: kText, text: []rune{c}, folded: p.opts.fold}
}

func (p *parser) dot() *node {
	if p.opts.dotAll {
		return &node{kind: kSet, set: known("any")}
	}
	return &node{kind: kSet, set: single('\n').negated()}
}

// quantified parses the quantifiers behind n, which began at start.
func (p *parser) quantified(n *node, start int) (*node, error) {
	for p.more() {
		if p.opts.extended && p.skipExtended() {
			continue
		}
		at := p.at
		least, most, interval, ok := p.quantifier()
		if !ok {
			return n, nil
		}
		switch {
		case n.kind == kAnchor || n.kind == kLook:
			return nil, p.fault(at, "a place cannot be repeated")
		case most >= 0 && least > most:
			return nil, p.fault(at, "a repetition of %d to %d", least, most)
		case most != 1 && (most > 1 || least > 1) && n.nullable():
			return nil, p.fault(at, "a counted repetition of what may be empty is not supported")
		case least > maxRepeat || most > maxRepeat:
			return nil, p.fault(at, "a repetition of more than %d", maxRepeat)
		}
		m := greedy
		switch {
		case p.has("?") && !(interval && least == most):
			p.at++
			m = lazy
		case p.has("+") && !interval:
			p.at++
			m = possessive
		}
		n = &node{kind: kRepeat, subs: []*node{n}, min: least, max: most, mode: m}
	}
	return n, nil
}

// maxRepeat is the greatest number in a quantifier, as in Oniguruma.
const maxRepeat = 100_000

// quantifier parses ?, *, + or {…}, without what may follow them. A { that begins none is a character.
func (p *parser) quantifier() (least, most int, interval, ok bool) {
	switch p.pattern[p.at] {
	case '?':
		p.at++
		return 0, 1, false, true
	case '*':
		p.at++
		return 0, -1, false, true
	case '+':
		p.at++
		return 1, -1, false, true
	case '{':
		at := p.at + 1
		number := func() int {
			n, digits := 0, 0
			for at < len(p.pattern) && '0' <= p.pattern[at] && p.pattern[at] <= '9' {
				n = min(n*10+int(p.pattern[at]-'0'), maxRepeat+1)
				at++
				digits++
			}
			if digits == 0 {
				return -1
			}
			return n
		}
		least = number()
		most = least
		if at < len(p.pattern) && p.pattern[at] == ',' {
			at++
			most = number()
			if least < 0 && most < 0 {
				return 0, 0, false, false
			}
			least = max(least, 0)
		} else if least < 0 {
			return 0, 0, false, false
		}
		if at >= len(p.pattern) || p.pattern[at] != '}' {
			return 0, 0, false, false
		}
		p.at = at + 1
		return least, most, true, true
	}
	return 0, 0, false, false
}

// group parses what follows an opening bracket at start.
func (p *parser) group(start int) (*node, error) {
	switch {
	case p.has("?#"):
		end := strings.IndexByte(p.pattern[p.at:], ')')
		if end < 0 {
			return nil, p.fault(start, "a comment without end")
		}
		p.at += end + 1
		return nil, nil
	case p.has("*"):
		return nil, p.fault(start, "callouts are not supported")
	case !p.has("?"):
		return p.enclosed(start, func(n *node) *node { return n })
	}
	p.at++
	look := func(behind, negative bool) func(*node) *node {
		return func(n *node) *node {
			return &node{kind: kLook, subs: []*node{n}, behind: behind, negative: negative}
		}
	}
	for _, g := range []struct {
		mark string
		wrap func(*node) *node
	}{
		{":", func(n *node) *node { return n }},
		{"=", look(false, false)},
		{"!", look(false, true)},
		{"<=", look(true, false)},
		{"<!", look(true, true)},
		{">", func(n *node) *node { return &node{kind: kAtomic, subs: []*node{n}} }},
	} {
		if p.has(g.mark) {
			p.at += len(g.mark)
			n, err := p.enclosed(start, g.wrap)
			if err == nil && g.mark[0] == '<' {
				err = p.checkBehind(start, n.subs[0].subs[0])
			}
			return n, err
		}
	}
	switch {
	case p.has("<") || p.has("'"):
		closing := ">"
		if p.has("'") {
			closing = "'"
		}
		end := strings.Index(p.pattern[p.at+1:], closing)
		if end <= 0 {
			return nil, p.fault(start, "the name of a group without end")
		}
		p.at += end + 2
		return p.enclosed(start, func(n *node) *node { return n })
	case p.has("~"):
		return nil, p.fault(start, "absent groups, (?~…), are not supported")
	case p.has("("):
		return nil, p.fault(start, "conditions, (?(…)…), are not supported")
	case p.has("{"):
		return nil, p.fault(start, "callouts, (?{…}), are not supported")
	}
	return p.optioned(start)
}

// enclosed parses the inside of a group and its closing bracket.
func (p *parser) enclosed(start int, wrap func(*node) *node) (*node, error) {
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if !p.has(")") {
		return nil, p.fault(start, "a group without end")
	}
	p.at++
	// A group is a whole: what follows it does not join its text.
	return &node{kind: kCat, subs: []*node{wrap(n)}}, nil
}

// optioned parses (?imx-imx) and (?imx-imx:…). The former holds to the end of the group around it, all alternatives included.
func (p *parser) optioned(start int) (*node, error) {
	opts, on := p.opts, true
	for p.more() {
		at := p.at
		switch c := p.next(); c {
		case '-':
			on = false
		case 'i':
			opts.fold = on
		case 'm':
			opts.dotAll = on
		case 'x':
			opts.extended = on
		case ':':
			outer := p.opts
			p.opts = opts
			n, err := p.enclosed(start, func(n *node) *node { return n })
			p.opts = outer
			return n, err
		case ')':
			outer := p.opts
			p.opts = opts
			n, err := p.alternatives()
			p.opts = outer
			return &node{kind: kCat, subs: []*node{n}}, err
		default:
			return nil, p.fault(at, "the option %c of a group is not supported", c)
		}
	}
	return nil, p.fault(start, "a group without end")
}

// checkBehind refuses what Oniguruma does otherwise in a look-behind than elsewhere, and has texts of any case in it match
// character by character, as it does there.
func (p *parser) checkBehind(start int, n *node) error {
	refused, anchored := false, false
	n.visit(func(n *node) {
		n.single = true
		refused = refused || n.kind == kCluster || n.newline || n.kind == kLook
		anchored = anchored || n.kind == kAnchor && n.anchor != 'A'
	})
	switch {
	case refused:
		return p.fault(start, `\R, \X and other look-arounds in a look-behind are not supported`)
	case anchored && n.varied():
		return p.fault(start, `^, $, \b and the like in a look-behind of varying length are not supported`)
	}
	return nil
}
