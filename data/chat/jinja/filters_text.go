package jinja

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filterFormat is the filter format: value % arguments.
func filterFormat(m *machine, of Value, a callArgs) Value {
	if len(a.args) > 0 && len(a.names) > 0 {
		valueError("can't handle positional and keyword arguments at the same time")
	}
	soft := m.softText(of)
	format, _ := text(soft)
	if len(a.names) > 0 {
		return m.percent(soft, format, a.dict())
	}
	return m.percent(soft, format, &Tuple{items: a.args})
}

func filterReplace(m *machine, a []Value) Value {
	limit := int64(-1)
	if a[3] != nil && a[3] != None {
		limit = needIndex(a[3])
	}
	return m.replace(m.str(a[0]), m.str(a[1]), m.str(a[2]), limit)
}

func filterTrim(m *machine, a []Value) Value {
	args := callArgs{}
	if a[1] != nil {
		args.args = []Value{a[1]}
	}
	return strMethods["strip"].run(m, m.softText(a[0]), args)
}

func filterCenter(m *machine, a []Value) Value {
	width := Value(int64(80))
	if a[1] != nil {
		width = a[1]
	}
	return strMethods["center"].run(m, m.softText(a[0]), callArgs{args: []Value{width}})
}

// filterTitle begins words behind white space, hyphens and opening brackets with upper case.
func filterTitle(m *machine, a []Value) Value {
	s := m.str(a[0])
	m.grow(3 * int64(len(s)))
	var b strings.Builder
	parting := func(c rune) bool { return isSpace(c) || strings.ContainsRune("-({[<", c) }
	for s != "" {
		first, _ := utf8.DecodeRuneInString(s)
		end := strings.IndexFunc(s, func(c rune) bool { return parting(c) != parting(first) })
		if end < 0 {
			end = len(s)
		}
		word := s[:end]
		_, n := utf8.DecodeRuneInString(word)
		b.WriteString(upper(word[:n]))
		b.WriteString(lower(word[n:]))
		s = s[end:]
	}
	return b.String()
}

func filterWordCount(m *machine, a []Value) Value {
	s := m.str(a[0])
	m.spend(int64(len(s) / 16))
	return int64(len(strings.FieldsFunc(s, func(c rune) bool { return !isWord(c) })))
}

func filterIndent(m *machine, a []Value) Value {
	indention := Value("    ")
	if a[1] != nil {
		if _, ok := text(a[1]); ok {
			indention = a[1]
		} else {
			n := needIndex(a[1])
			m.grow(max(n, 0))
			indention = strings.Repeat(" ", int(max(n, 0)))
		}
	}
	if u, ok := a[0].(*Missing); ok {
		u.fail()
	}
	s, ok := text(a[0])
	if !ok {
		m.binary("+", a[0], "\n")
	}
	by, _ := text(indention)
	if _, safe := a[0].(Markup); !safe {
		if _, safe := indention.(Markup); safe {
			refuse("indent of a string by Markup")
		}
	}
	lines := splitLines(s+"\n", false)
	m.growTimes(int64(len(by)+1), int64(len(lines)))
	m.grow(int64(len(s)))
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
			if line != "" || isTrue(a[3]) {
				b.WriteString(by)
			}
		}
		b.WriteString(line)
	}
	out := b.String()
	if isTrue(a[2]) {
		out = by + out
	}
	return like(a[0], out)
}

func filterTruncate(m *machine, a []Value) Value {
	length, leeway, end := Value(int64(255)), Value(int64(5)), Value("...")
	if a[1] != nil {
		length = a[1]
	}
	if a[3] != nil {
		end = a[3]
	}
	if a[4] != nil && a[4] != None {
		leeway = a[4]
	}
	endLength := m.mustLength(end)
	if !m.order(">=", length, endLength) {
		valueError("expected length >= %d, got %s", endLength, m.str(length))
	}
	if !m.order(">=", leeway, int64(0)) {
		valueError("expected leeway >= 0, got %s", m.str(leeway))
	}
	if !m.order(">", m.mustLength(a[0]), m.binary("+", length, leeway)) {
		return a[0]
	}
	s, ok := text(a[0])
	if !ok {
		refuse("truncate of a %s", typeName(a[0]))
	}
	keep, ok := index(m.binary("-", length, endLength))
	if !ok {
		typeError("slice indices must be integers or None or have an __index__ method")
	}
	s = cut(s, 0, int(min(keep, math.MaxInt32)))
	if !isTrue(a[2]) {
		if i := strings.LastIndexByte(s, ' '); i >= 0 {
			s = s[:i]
		}
	}
	return m.binary("+", like(a[0], s), end)
}

// filterPrettyPrint is Python's pprint.pformat of what fits into a line.
func filterPrettyPrint(m *machine, a []Value) Value {
	s := m.repr(m.sortedForPrint(a[0]))
	if runeLen(s) > 80 {
		refuse("pprint of a value that is longer than a line (use tojson)")
	}
	return s
}

// sortedForPrint returns v with the keys of its dicts in order.
func (m *machine) sortedForPrint(v Value) Value {
	defer m.leave(m.enter())
	m.spend(1)
	each := func(items []Value) []Value {
		out := make([]Value, len(items))
		for i, item := range items {
			out[i] = m.sortedForPrint(item)
		}
		return out
	}
	switch v := v.(type) {
	case *List:
		return NewList(each(v.items))
	case *Tuple:
		return &Tuple{items: each(v.items)}
	case *Dict:
		pairs := make([]Value, len(v.keys))
		for i := range v.keys {
			if _, ok := v.keys[i].(string); !ok && len(v.keys) > 1 {
				refuse("pprint of a dict whose keys are not strings")
			}
			pairs[i] = v.keys[i]
		}
		d := newDict(len(v.keys))
		for _, key := range m.sorted(pairs, func(v Value) Value { return v }, false) {
			value, _ := v.get(key)
			d.set(key, m.sortedForPrint(value))
		}
		return d
	}
	return v
}

// filterWordWrap wraps each line of a text, after Python's textwrap.
func filterWordWrap(m *machine, a []Value) Value {
	if u, ok := a[0].(*Missing); ok {
		u.fail()
	}
	s, ok := text(a[0])
	if !ok {
		typeError("'%s' object has no attribute 'splitlines'", typeName(a[0]))
	}
	paragraphs := splitLines(s, false)
	w := wrapper{width: 79, long: true, hyphens: true}
	if a[1] != nil && len(paragraphs) > 0 {
		if _, isFloat := a[1].(float64); isFloat {
			refuse("wordwrap to a width that is not an integer")
		}
		w.width = int(min(needIndex(a[1]), math.MaxInt32))
	}
	if a[2] != nil {
		w.long = truth(a[2])
	}
	by := "\n"
	if a[3] != nil && a[3] != None {
		by = textArg(a[3], "wrapstring")
	}
	if a[4] != nil {
		w.hyphens = truth(a[4])
	}
	if w.width <= 0 {
		valueError("invalid width %d (must be > 0)", w.width)
	}
	m.growTimes(int64(len(s)), int64(4+len(by)))
	var lines []string
	for _, line := range paragraphs {
		lines = append(lines, strings.Join(w.wrap(line), by))
	}
	return strings.Join(lines, by)
}

type wrapper struct {
	width         int
	long, hyphens bool
}

// isWrapSpace is what textwrap takes for white space.
func isWrapSpace(c rune) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// wrap is textwrap.wrap.
func (w *wrapper) wrap(s string) []string {
	chunks := w.chunks(s)
	var lines []string
	for len(chunks) > 0 {
		var line []string
		length := 0
		if len(lines) > 0 && strings.TrimFunc(chunks[0], isSpace) == "" {
			chunks = chunks[1:]
		}
		for len(chunks) > 0 && length+runeLen(chunks[0]) <= w.width {
			line = append(line, chunks[0])
			length += runeLen(chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && runeLen(chunks[0]) > w.width {
			space := w.width - length // none left adds an empty piece, which keeps the white space before it
			if w.long {
				head := cut(chunks[0], 0, space)
				if w.hyphens && runeLen(chunks[0]) > space {
					if h := strings.LastIndexByte(head, '-'); h > 0 && strings.Trim(head[:h], "-") != "" {
						head = head[:h+1]
					}
				}
				line = append(line, head)
				chunks[0] = chunks[0][len(head):]
			} else if len(line) == 0 {
				line = append(line, chunks[0])
				chunks = chunks[1:]
			}
			length = 0
			for _, c := range line {
				length += runeLen(c)
			}
		}
		if n := len(line); n > 0 && strings.TrimFunc(line[n-1], isSpace) == "" {
			line = line[:n-1]
		}
		if len(line) > 0 {
			lines = append(lines, strings.Join(line, ""))
		}
	}
	return lines
}

// chunks cuts a text where lines may break: around white space, behind hyphens within words, around dashes.
func (w *wrapper) chunks(s string) []string {
	c := []rune(s)
	var out []string
	add := func(from, to int) {
		if to > from {
			out = append(out, string(c[from:to]))
		}
	}
	for i := 0; i < len(c); {
		j := i
		if isWrapSpace(c[i]) {
			for j < len(c) && isWrapSpace(c[j]) {
				j++
			}
			add(i, j)
			i = j
			continue
		}
		if !w.hyphens {
			for j < len(c) && !isWrapSpace(c[j]) {
				j++
			}
			add(i, j)
			i = j
			continue
		}
		j = wordEnd(c, i)
		add(i, j)
		i = j
	}
	return out
}

func wordPunctuation(c rune) bool { return isWord(c) || strings.ContainsRune(`!"'&.,?`, c) }

func wrapLetter(c rune) bool { return isWord(c) && !unicode.IsDigit(c) }

// wordEnd returns the end of the chunk that begins at c[i] with something else than white space.
func wordEnd(c []rune, i int) int {
	at := func(k int) rune {
		if k < 0 || k >= len(c) {
			return ' '
		}
		return c[k]
	}
	letter := func(k int) bool { return k >= 0 && k < len(c) && wrapLetter(c[k]) }
	dash := func(k int) int { // the end of a dash of two or more hyphens that a word follows, k for none
		e := k
		for at(e) == '-' {
			e++
		}
		if e-k >= 2 && e < len(c) && isWord(c[e]) {
			return e
		}
		return k
	}
	if e := dash(i); i > 0 && wordPunctuation(at(i-1)) && e > i {
		return e
	}
	for k := i + 1; ; k++ {
		if k >= len(c) || isWrapSpace(c[k]) {
			return min(k, len(c))
		}
		// A hyphen behind two letters, or behind a letter, a hyphen and one character, ends a chunk within a word.
		behind := letter(k-1) && letter(k-2) || letter(k-3) && at(k-2) == '-' && wordPunctuation(at(k-1))
		if at(k) == '-' && behind && letter(k+1) && (letter(k+2) || at(k+2) == '-' && letter(k+3)) {
			return k + 1
		}
		if wordPunctuation(at(k-1)) && dash(k) > k {
			return k
		}
	}
}
