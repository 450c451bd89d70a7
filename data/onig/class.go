package onig

import (
	"slices"
	"strings"
)

// class parses what follows the [ at start and makes its node: a set, or with (?i) the alternatives of it and of the texts
// that its characters fold to.
func (p *parser) class(start int) (*node, error) {
	r, negative, err := p.classSet(start)
	if err != nil {
		return nil, err
	}
	if !p.opts.fold {
		if negative {
			r = r.negated()
		}
		return &node{kind: kSet, set: r}, nil
	}
	// The folding is that of what stands between the brackets, before it is negated.
	all, texts := foldSet(r)
	if negative {
		return &node{kind: kSet, set: all.negated()}, nil
	}
	n := &node{kind: kSet, set: all}
	if len(texts) == 0 {
		return n, nil
	}
	alt := &node{kind: kAlt, subs: []*node{n}}
	for _, text := range texts {
		alt.subs = append(alt.subs, &node{kind: kText, text: text, folded: true})
	}
	return alt, nil
}

// foldSet adds to a set what is like its members, and returns the foldings of several characters that are like one of them.
func foldSet(r ranges) (ranges, [][]rune) {
	all := slices.Clone(r)
	for _, c := range caseful() {
		if r.has(c) {
			all = append(all, alike(c)...)
		}
	}
	var texts [][]rune
	for fold, from := range multiFolds {
		if slices.ContainsFunc([]rune(from), r.has) {
			texts = append(texts, []rune(fold))
		}
	}
	slices.SortFunc(texts, func(a, b []rune) int { return slices.Compare(a, b) })
	return normal(all), texts
}

// classSet parses the inside of a class and its end. negative says that it began with ^, which is left to the caller.
func (p *parser) classSet(start int) (r ranges, negative bool, err error) {
	if p.depth++; p.depth > maxDepth {
		return nil, false, p.fault(start, "classes lie more than %d deep in each other", maxDepth)
	}
	defer func() { p.depth-- }()
	if p.has("^") {
		p.at++
		negative = true
	}
	var (
		both  ranges // the intersection of what stands before the last &&
		anded bool
		items int // since the last &&, or the beginning
	)
	first := p.at
	for {
		if !p.more() {
			return nil, false, p.fault(start, "a class without end")
		}
		at := p.at
		switch {
		case p.has("]") && at == first && strings.Contains(p.pattern[at+1:], "]"):
			// A ] that comes first is a character.
			p.at++
			if r, err = p.classRange(at, r, []rune{']'}); err != nil {
				return nil, false, err
			}
			items++
		case p.has("]"):
			p.at++
			if items == 0 && !anded {
				return nil, false, p.fault(start, "an empty class")
			}
			r = normal(r)
			if anded {
				r = intersect(both, r)
			}
			return r, negative, nil
		case p.has("&&"):
			p.at += 2
			r = normal(r)
			if anded {
				r = intersect(both, r)
			}
			both, anded, r, items = r, true, nil, 0
		case p.has("[:"):
			inner, ok, err := p.posix()
			if err != nil {
				return nil, false, err
			}
			if ok {
				r = append(r, inner...)
				items++
				continue
			}
			fallthrough
		case p.has("["):
			p.at++
			inner, not, err := p.classSet(at)
			if err != nil {
				return nil, false, err
			}
			if not {
				if inner = inner.negated(); len(inner) == 0 {
					return nil, false, p.fault(at, "a class that holds nothing")
				}
			}
			r = append(r, inner...)
			items++
		default:
			if r, err = p.classItem(r); err != nil {
				return nil, false, err
			}
			items++
		}
	}
}

// classItem adds a character, a range or a \w, \p{…} and the like.
func (p *parser) classItem(r ranges) (ranges, error) {
	at := p.at
	c := p.next()
	if c != '\\' {
		return p.classRange(at, r, []rune{c})
	}
	if !p.more() {
		return nil, p.fault(at, "a class without end")
	}
	if set, ok, err := p.typeEscape(at, true); err != nil {
		return nil, err
	} else if ok {
		if p.has("-") && !strings.HasPrefix(p.pattern[p.at:], "-]") && !strings.HasPrefix(p.pattern[p.at:], "-&&") {
			return nil, p.fault(p.at, "a - behind %s, which is no range; write \\-", p.pattern[at:p.at])
		}
		return append(r, set...), nil
	}
	chars, err := p.classChar(at)
	if err != nil {
		return nil, err
	}
	return p.classRange(at, r, chars)
}

// classChar parses the character of an escape in a class.
func (p *parser) classChar(at int) ([]rune, error) {
	switch c := p.pattern[p.at]; {
	case c == 'b':
		p.at++
		return []rune{'\b'}, nil
	case strings.IndexByte("RXNOKGAZzByYkg", c) >= 0 || c == '8' || c == '9':
		return nil, p.fault(at, "\\%c in a class is not supported", c)
	}
	return p.charEscape(at)
}

// classRange adds chars, or the range from the only one of them to the character behind a -.
func (p *parser) classRange(at int, r ranges, chars []rune) (ranges, error) {
	rest := p.pattern[p.at:]
	if len(chars) != 1 || !strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "-]") || strings.HasPrefix(rest, "-&&") {
		for _, c := range chars {
			r = append(r, span{c, c})
		}
		return r, nil
	}
	p.at++
	if p.has("[") {
		return nil, p.fault(p.at, "a class at the end of a range")
	}
	if !p.more() {
		return nil, p.fault(at, "a class without end")
	}
	end := []rune{p.next()}
	if end[0] == '\\' {
		if !p.more() {
			return nil, p.fault(at, "a class without end")
		}
		if _, ok, err := p.typeEscape(p.at-1, true); ok || err != nil {
			return nil, p.fault(at, "the range %s ends with no character", p.pattern[at:p.at])
		}
		var err error
		if end, err = p.classChar(p.at - 1); err != nil {
			return nil, err
		}
	}
	if len(end) != 1 || end[0] < chars[0] {
		return nil, p.fault(at, "the range %s is empty", p.pattern[at:p.at])
	}
	r = append(r, span{chars[0], end[0]})
	// In a-b-c the second - is a character.
	if p.has("-") {
		p.at++
		r = append(r, span{'-', '-'})
	}
	return r, nil
}

// posixNames are those of [[:name:]]; each is a property too.
var posixNames = []string{"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit", "word"}

// posix parses [:name:] and [:^name:]; ok is false where it is something else.
func (p *parser) posix() (r ranges, ok bool, err error) {
	end := strings.Index(p.pattern[p.at:], ":]")
	if end < 0 {
		return nil, false, nil
	}
	name := strings.TrimPrefix(p.pattern[p.at+len("[:"):p.at+end], "^")
	if !slices.Contains(posixNames, name) {
		if strings.ContainsAny(name, "[]") {
			return nil, false, nil
		}
		return nil, false, p.fault(p.at, "the class [:%s:] is not known", name)
	}
	switch name {
	case "punct":
		name = "posixpunct" // with symbols, which \p{Punct} lacks
	case "word":
		r = classWord()
	}
	if r == nil {
		r = known(name)
	}
	if p.pattern[p.at+len("[:")] == '^' {
		r = r.negated()
	}
	p.at += end + len(":]")
	return r, true, nil
}

// classWord is \w in a class: what it is outside but for the digits and fractions of Latin-1.
func classWord() ranges {
	return intersect(known("word"), ranges{{0xB2, 0xB3}, {0xB9, 0xB9}, {0xBC, 0xBE}}.negated())
}
