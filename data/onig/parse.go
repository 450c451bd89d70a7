package onig

import (
	"fmt"
	"slices"
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

// maxDepth is how deep groups and classes may lie in each other.
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

// escape parses what follows a backslash at start, outside of classes.
func (p *parser) escape(start int) (*node, error) {
	if !p.more() {
		return nil, p.fault(start, "a backslash at the end")
	}
	switch c := p.pattern[p.at]; {
	case strings.IndexByte("AZzbB", c) >= 0:
		p.at++
		return &node{kind: kAnchor, anchor: c}, nil
	case c == 'R':
		p.at++
		crlf := &node{kind: kText, text: []rune{'\r', '\n'}}
		other := &node{kind: kSet, set: ranges{{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}}}
		return &node{kind: kAtomic, newline: true, subs: []*node{{kind: kAlt, subs: []*node{crlf, other}}}}, nil
	case c == 'N':
		p.at++
		return &node{kind: kSet, set: single('\n').negated()}, nil
	case c == 'O':
		p.at++
		return &node{kind: kSet, set: known("any")}, nil
	case c == 'X':
		p.at++
		return &node{kind: kCluster}, nil
	case c == 'k' || p.backReference():
		return nil, p.fault(start, "back-references, \\%c, are not supported", c)
	case c == 'g':
		return nil, p.fault(start, "calls of groups, \\g, are not supported")
	case c == 'G' || c == 'K' || c == 'y' || c == 'Y':
		return nil, p.fault(start, "\\%c is not supported", c)
	}
	if r, ok, err := p.typeEscape(start, false); ok || err != nil {
		return &node{kind: kSet, set: r}, err
	}
	chars, err := p.charEscape(start)
	if err != nil {
		return nil, err
	}
	return &node{kind: kText, text: chars, folded: p.opts.fold}, nil
}

// backReference says whether digits behind a backslash name a group: those up to 9 and those of groups that may be there do,
// the others are octal or themselves.
func (p *parser) backReference() bool {
	n, at := 0, p.at
	for at < len(p.pattern) && '0' <= p.pattern[at] && p.pattern[at] <= '9' && n <= maxRepeat {
		n = n*10 + int(p.pattern[at]-'0')
		at++
	}
	return p.pattern[p.at] != '0' && n > 0 && (n <= 9 || n <= strings.Count(p.pattern, "("))
}

// types are the escapes of one letter that are a set; in upper case they are all that is not in it.
var types = map[byte]string{'w': "word", 'd': "digit", 's': "space", 'h': "ahex"}

// typeEscape parses \w and the like and \p{…}, in classes and outside; ok is false for anything else.
func (p *parser) typeEscape(start int, inClass bool) (r ranges, ok bool, err error) {
	c := p.pattern[p.at]
	if name, found := types[c|0x20]; found && c >= 'A' {
		p.at++
		if r = known(name); name == "word" && inClass {
			r = classWord()
		}
		if c < 'a' {
			r = r.negated()
		}
		return r, true, nil
	}
	if c|0x20 != 'p' || !strings.HasPrefix(p.pattern[p.at+1:], "{") {
		return nil, false, nil
	}
	end := strings.IndexByte(p.pattern[p.at:], '}')
	if end < 0 {
		return nil, false, p.fault(start, "a property without end")
	}
	name := p.pattern[p.at+2 : p.at+end]
	p.at += end + 1
	bare := strings.TrimPrefix(name, "^")
	r, found := property(bare)
	if strings.EqualFold(bare, "word") && inClass {
		r = classWord()
	}
	if !found {
		return nil, false, p.fault(start, "the property %s is not known", name)
	}
	if (c == 'P') != (bare != name) {
		r = r.negated()
	}
	return r, true, nil
}

// charEscape parses an escape that stands for characters, in classes and outside; \x{…} may give several.
func (p *parser) charEscape(start int) ([]rune, error) {
	one := func(c rune) ([]rune, error) { return []rune{c}, nil }
	switch c := p.next(); {
	case c == 'x' && p.has("{"):
		return p.codes(start)
	case c == 'x' && (!p.more() || !isHex(p.pattern[p.at])):
		return one('x')
	case c == 'x':
		return p.digits(start, 16, 1, 2)
	case c == 'u':
		return p.digits(start, 16, 4, 4)
	case c == 'o' && p.has("{"):
		end := strings.IndexByte(p.pattern[p.at:], '}')
		p.at++
		chars, err := p.digits(start, 8, 1, max(end-1, 1))
		if err == nil && !p.has("}") {
			err = p.fault(start, "\\o{…} without end")
		}
		p.at++
		return chars, err
	case c >= '0' && c <= '7':
		p.at--
		return p.digits(start, 8, 1, 3)
	case c == 'c' || c == 'C' || c == 'M':
		return nil, p.fault(start, "control characters, \\%c, are not supported; write \\x{…}", c)
	default:
		if at := strings.IndexRune("tnrfaev", c); at >= 0 {
			return one(rune("\t\n\r\f\a\x1b\v"[at]))
		}
		return one(c)
	}
}

func isHex(b byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", b) >= 0 }

// digits reads a character by least to most digits.
func (p *parser) digits(start int, base rune, least, most int) ([]rune, error) {
	c, n := rune(0), 0
	for n < most && p.more() {
		if !isHex(p.pattern[p.at]) || c > utf8.MaxRune {
			break
		}
		value := strings.IndexByte("0123456789abcdef", p.pattern[p.at]|0x20)
		if rune(value) >= base {
			break
		}
		c = c*base + rune(value)
		p.at++
		n++
	}
	if n < least || !utf8.ValidRune(c) || base == 16 && most == 2 && c >= utf8.RuneSelf {
		return nil, p.fault(start, "%s is no character", p.pattern[start:p.at])
	}
	return []rune{c}, nil
}

// codes reads \x{H H …} behind its x.
func (p *parser) codes(start int) ([]rune, error) {
	p.at++
	var all []rune
	for {
		for p.has(" ") || p.has("\n") {
			p.at++
		}
		if p.has("}") && len(all) > 0 {
			p.at++
			return all, nil
		}
		if p.has("-") {
			return nil, p.fault(start, "ranges in \\x{…} are not supported")
		}
		c, err := p.digits(start, 16, 1, 8)
		if err != nil {
			return nil, err
		}
		all = append(all, c...)
	}
}

// nullable says whether a node may match without consuming anything.
func (n *node) nullable() bool {
	switch n.kind {
	case kText, kSet, kCluster:
		return false
	case kCat:
		return !slices.ContainsFunc(n.subs, func(s *node) bool { return !s.nullable() })
	case kAlt:
		return slices.ContainsFunc(n.subs, (*node).nullable)
	case kRepeat:
		return n.min == 0 || n.subs[0].nullable()
	case kAtomic:
		return n.subs[0].nullable()
	}
	return true
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

// varied says whether a node has repetitions that may take more or fewer turns.
func (n *node) varied() bool {
	varied := false
	n.visit(func(n *node) { varied = varied || n.kind == kRepeat && n.min != n.max })
	return varied
}

// visit calls f for a node and all below it.
func (n *node) visit(f func(*node)) {
	f(n)
	for _, s := range n.subs {
		s.visit(f)
	}
}

// width returns the most characters that a node may consume, -1 for no bound.
func (n *node) width() int {
	switch n.kind {
	case kText:
		if n.folded && !n.single {
			return 3 * len(n.text)
		}
		return len(n.text)
	case kSet:
		return 1
	case kCluster:
		return -1
	case kRepeat:
		if w := n.subs[0].width(); w == 0 || n.max == 0 {
			return 0
		} else if w > 0 && n.max > 0 {
			return w * n.max
		}
		return -1
	case kCat, kAlt, kAtomic:
		total := 0
		for _, s := range n.subs {
			w := s.width()
			switch {
			case w < 0:
				return -1
			case n.kind == kAlt:
				total = max(total, w)
			default:
				total += w
			}
		}
		return total
	}
	return 0
}
