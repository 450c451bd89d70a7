package onig

import (
	"strings"
	"unicode/utf8"
)

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
