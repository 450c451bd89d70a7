package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// builtin is a filter or a test.
type builtin struct {
	name    string
	params  *params // nil for any arguments, which f does not get then, but all does
	f       func(m *machine, a []Value) Value
	all     func(m *machine, of Value, a callArgs) Value
	only    bool // arguments by position only
	context bool // needs jinja2's context, so it is never computed when a template is compiled
}

// call applies a filter or test to a value.
func (b *builtin) call(m *machine, of Value, a callArgs) Value {
	if b.all != nil {
		if slices.Contains(a.names, "value") || b.context && slices.Contains(a.names, "context") {
			typeError("%s() got multiple values for an argument", b.name)
		}
		return b.all(m, of, a)
	}
	if b.only {
		a.plain(b.name)
	}
	if len(a.args) == 0 && len(a.names) == 0 && len(b.params.names) == 1 {
		one := [1]Value{of}
		return b.f(m, one[:])
	}
	args := make([]Value, 1, 1+len(a.args))
	args[0] = of
	a.args = append(args, a.args...)
	return b.f(m, b.params.bind(b.name, a))
}

// builtinOf returns the filter or test of a node, nil for an unknown one.
func builtinOf(n *filterNode) *builtin {
	if n.test {
		return testNamed(n.name)
	}
	return filterNamed(n.name)
}

// filter makes a filter of a function; signature is Python's, a question mark behind the names that may be left out.
func filter(signature string, f func(m *machine, a []Value) Value) *builtin {
	b := &builtin{f: f, params: &params{}}
	for _, name := range strings.Fields(signature) {
		plain := strings.TrimSuffix(name, "?")
		b.params.names = append(b.params.names, plain)
		if plain == name {
			b.params.required++
		}
	}
	return b
}

// positional is filter of a function that takes its arguments by position only.
func positional(signature string, f func(m *machine, a []Value) Value) *builtin {
	b := filter(signature, f)
	b.only = true
	return b
}

// filterNamed returns a filter, nil for an unknown name.
func filterNamed(name string) *builtin {
	switch name {
	case "map":
		return &builtin{name: name, all: filterMap, context: true}
	case "select", "reject", "selectattr", "rejectattr":
		attr, keep := strings.HasSuffix(name, "attr"), strings.HasPrefix(name, "select")
		return &builtin{name: name, context: true, all: func(m *machine, of Value, a callArgs) Value { return selecting(m, of, a, attr, keep) }}
	}
	return filters[name]
}

var filters = named(map[string]*builtin{
	"abs":            positional("x", filterAbs),
	"attr":           filter("obj name", filterAttr),
	"batch":          filter("value linecount fill_with?", filterBatch),
	"capitalize":     filter("s", func(m *machine, a []Value) Value { return m.mapText(a[0], capitalize) }),
	"center":         filter("value width?", filterCenter),
	"count":          positional("obj", filterLength),
	"d":              filter("value default_value? boolean?", filterDefault),
	"default":        filter("value default_value? boolean?", filterDefault),
	"dictsort":       filter("value case_sensitive? by? reverse?", filterDictSort),
	"e":              positional("s", func(m *machine, a []Value) Value { return m.escape(a[0]) }),
	"escape":         positional("s", func(m *machine, a []Value) Value { return m.escape(a[0]) }),
	"filesizeformat": filter("value binary?", filterFileSize),
	"first":          filter("seq", filterFirst),
	"float":          filter("value default?", filterFloat),
	"forceescape":    filter("value", func(m *machine, a []Value) Value { return m.escape(m.str(a[0])) }),
	"format":         {all: filterFormat},
	"groupby":        filter("value attribute default? case_sensitive?", filterGroupBy),
	"indent":         filter("s width? first? blank?", filterIndent),
	"int":            filter("value default? base?", filterInt),
	"items":          filter("value", filterItems),
	"join":           filter("value d? attribute?", filterJoin),
	"last":           filter("seq", filterLast),
	"length":         positional("obj", filterLength),
	"list":           filter("value", func(m *machine, a []Value) Value { return NewList(m.list(a[0])) }),
	"lower":          filter("s", func(m *machine, a []Value) Value { return m.mapText(a[0], lower) }),
	"max":            filter("value case_sensitive? attribute?", func(m *machine, a []Value) Value { return extreme(m, a, ">") }),
	"min":            filter("value case_sensitive? attribute?", func(m *machine, a []Value) Value { return extreme(m, a, "<") }),
	"pprint":         filter("value", filterPrettyPrint),
	"random":         filter("seq", func(*machine, []Value) Value { refuse("random draws: no two renderings would be equal"); return nil }),
	"replace":        filter("s old new count?", filterReplace),
	"reverse":        filter("value", filterReverse),
	"round":          filter("value precision? method?", filterRound),
	"safe":           filter("value", func(m *machine, a []Value) Value { return Markup(m.str(a[0])) }),
	"slice":          filter("value slices fill_with?", filterSlice),
	"sort":           filter("value reverse? case_sensitive? attribute?", filterSort),
	"string":         positional("s", func(m *machine, a []Value) Value { return m.softText(a[0]) }),
	"striptags":      filter("value", func(m *machine, a []Value) Value { s := m.str(a[0]); m.grow(int64(len(s))); return stripTags(s) }),
	"sum":            filter("iterable attribute? start?", filterSum),
	"title":          filter("s", filterTitle),
	"tojson":         filter("x ensure_ascii? indent? separators? sort_keys?", filterJSON),
	"trim":           filter("value chars?", filterTrim),
	"truncate":       filter("s length? killwords? end? leeway?", filterTruncate),
	"unique":         filter("value case_sensitive? attribute?", filterUnique),
	"upper":          filter("s", func(m *machine, a []Value) Value { return m.mapText(a[0], upper) }),
	"urlencode":      filter("value", filterURLEncode),
	"urlize":         filter("value trim_url_limit? nofollow? target? rel? extra_schemes?", filterURLize),
	"wordcount":      filter("s", filterWordCount),
	"wordwrap":       filter("s width? break_long_words? wrapstring? break_on_hyphens?", filterWordWrap),
	"xmlattr":        filter("d autospace?", filterXMLAttr),
})

func named(table map[string]*builtin) map[string]*builtin {
	for name, b := range table {
		b.name = name
		if name == "random" {
			b.context = true
		}
	}
	return table
}

// softText is markupsafe's soft_str.
func (m *machine) softText(v Value) Value {
	if _, ok := text(v); ok {
		return v
	}
	return m.str(v)
}

// mapText applies f to the text of v; Markup stays Markup.
func (m *machine) mapText(v Value, f func(string) string) Value {
	soft := m.softText(v)
	s, _ := text(soft)
	m.grow(3 * int64(len(s)))
	return like(soft, f(s))
}

func isTrue(v Value) bool { return v != nil && truth(v) }

func filterAbs(m *machine, a []Value) Value {
	if u, ok := a[0].(*Missing); ok {
		typeError("bad operand type for abs(): '%s'", typeName(u))
	}
	if f, ok := a[0].(float64); ok {
		return math.Abs(f)
	}
	n, ok := number(a[0])
	if !ok {
		typeError("bad operand type for abs(): '%s'", typeName(a[0]))
	}
	return shrink(new(big.Int).Abs(toBig(n)))
}

// filterAttr is an attribute without the items that x.name falls back on.
func filterAttr(m *machine, a []Value) Value {
	name, ok := text(a[1])
	if !ok {
		typeError("attribute name must be string, not '%s'", typeName(a[1]))
	}
	if u, isMissing := a[0].(*Missing); isMissing && !strings.HasPrefix(name, "_") {
		u.fail()
	}
	if v, ok := m.attribute(a[0], name); ok {
		return safe(a[0], name, v)
	}
	return &Missing{of: a[0], name: a[1]}
}

func filterLength(m *machine, a []Value) Value { return m.mustLength(a[0]) }

func filterDefault(m *machine, a []Value) Value {
	_, missing := a[0].(*Missing)
	if missing || isTrue(a[2]) && !truth(a[0]) {
		if a[1] == nil {
			return ""
		}
		return a[1]
	}
	return a[0]
}

func filterFirst(m *machine, a []Value) Value {
	if v, ok := m.mustIterate(a[0])(); ok {
		return v
	}
	return &Missing{hint: "No first item, sequence was empty."}
}

func filterLast(m *machine, a []Value) Value {
	next := m.backwards(a[0])
	if next == nil {
		typeError("'%s' object is not reversible", typeName(a[0]))
	}
	if v, ok := next.next(); ok {
		return v
	}
	return &Missing{hint: "No last item, sequence was empty."}
}

// backwards is reversed(v), nil for what cannot be gone through backwards.
func (m *machine) backwards(v Value) *iterator {
	kind := ""
	n := int64(0)
	at := func(i int64) Value { x, _ := m.item(v, i); return x }
	switch v := v.(type) {
	case string, Markup:
		kind = "reversed"
		characters := []rune(func() string { s, _ := text(v); return s }())
		at = func(i int64) Value { return like(v, string(characters[i])) }
		n = int64(len(characters))
	case *List:
		kind, n = "list_reverseiterator", int64(len(v.items))
	case *Tuple:
		kind, n = "reversed", int64(len(v.items))
	case *span:
		kind, n = "range_iterator", v.len()
	case *Dict:
		kind, n = "dict_reversekeyiterator", int64(len(v.keys))
		at = func(i int64) Value { return v.keys[i] }
	case *view:
		kind, n = "dict_reverseitemiterator", int64(len(v.of.keys))
		at = func(i int64) Value { return v.at(int(i)) }
	case *Missing:
		kind = "reversed"
	default:
		return nil
	}
	return &iterator{kind: kind, next: func() (Value, bool) {
		if n == 0 {
			return nil, false
		}
		n--
		return at(n), true
	}}
}

func filterReverse(m *machine, a []Value) Value {
	if s, ok := text(a[0]); ok {
		m.grow(int64(len(s)))
		characters := []rune(s)
		for i, j := 0, len(characters)-1; i < j; i, j = i+1, j-1 {
			characters[i], characters[j] = characters[j], characters[i]
		}
		return like(a[0], string(characters))
	}
	if it := m.backwards(a[0]); it != nil {
		return it
	}
	next, ok := m.iterate(a[0])
	if !ok {
		valueError("argument must be iterable")
	}
	var items []Value
	for v, ok := next(); ok; v, ok = next() {
		m.grow(16)
		items = append(items, v)
	}
	for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
		items[i], items[j] = items[j], items[i]
	}
	return NewList(items)
}

func filterInt(m *machine, a []Value) Value {
	fallback := Value(int64(0))
	if a[1] != nil {
		fallback = a[1]
	}
	if s, ok := text(a[0]); ok {
		base, ok := int64(10), true
		if a[2] != nil {
			base, ok = index(a[2])
		}
		if ok && (base == 0 || base >= 2 && base <= 36) { // what is no base is an error that the filter forgives
			if n, ok := parseInteger(s, base); ok {
				return n
			}
		}
		f, ok := parseFloat(s)
		if !ok || f != f || math.IsInf(f, 0) {
			return fallback
		}
		return truncate(f)
	}
	switch v := a[0].(type) {
	case float64:
		if f := v; f != f {
			return fallback
		}
		return truncate(v)
	case *Missing:
		v.fail()
	}
	if n, ok := number(a[0]); ok {
		return n
	}
	return fallback
}

func filterFloat(m *machine, a []Value) Value {
	if s, ok := text(a[0]); ok {
		if f, ok := parseFloat(s); ok {
			return f
		}
	} else if u, ok := a[0].(*Missing); ok {
		u.fail()
	} else if f, ok := toFloat(a[0]); ok {
		return f
	}
	if a[1] == nil {
		return 0.0
	}
	return a[1]
}

func filterRound(m *machine, a []Value) Value {
	method := Value("common")
	if a[2] != nil {
		method = a[2]
	}
	if !m.equal(method, "common") && !m.equal(method, "ceil") && !m.equal(method, "floor") {
		if _, ok := hashOf(m.key(method)); !ok {
			typeError("unhashable type: '%s'", typeName(method))
		}
		valueError("method must be common, ceil or floor")
	}
	precision := Value(int64(0))
	if a[1] != nil {
		precision = a[1]
	}
	if m.equal(method, "common") {
		return m.round(a[0], precision)
	}
	scale := m.binary("**", int64(10), precision)
	scaled := m.binary("*", a[0], scale)
	var whole Value
	switch v := scaled.(type) {
	case float64:
		if v != v {
			valueError("cannot convert float NaN to integer")
		}
		if m.equal(method, "ceil") {
			whole = truncate(math.Ceil(v))
		} else {
			whole = truncate(math.Floor(v))
		}
	default:
		n, ok := number(v)
		if !ok {
			typeError("must be real number, not %s", typeName(v))
		}
		whole = n
	}
	return m.binary("/", whole, scale)
}

// round is Python's round(v, precision).
func (m *machine) round(v, precision Value) Value {
	if u, ok := v.(*Missing); ok {
		typeError("type %s doesn't define __round__ method", typeName(u))
	}
	if n, ok := number(v); ok {
		if precision == None {
			return n
		}
		p := needIndex(precision)
		if p >= 0 {
			return n
		}
		if p < -maxDigits {
			return int64(0)
		}
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-p), nil)
		q, r := new(big.Int).DivMod(toBig(n), unit, new(big.Int))
		if c := r.Lsh(r, 1).Cmp(unit); c > 0 || c == 0 && q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
		return shrink(q.Mul(q, unit))
	}
	f, ok := v.(float64)
	if !ok {
		typeError("type %s doesn't define __round__ method", typeName(v))
	}
	if precision == None {
		return truncate(math.RoundToEven(f))
	}
	return roundFloat(f, needIndex(precision))
}

// filterFileSize is jinja2's filesizeformat.
func filterFileSize(m *machine, a []Value) Value {
	var bytes float64
	if s, ok := text(a[0]); ok {
		if bytes, ok = parseFloat(s); !ok {
			valueError("could not convert string to float: %s", quote(s))
		}
	} else if u, ok := a[0].(*Missing); ok {
		u.fail()
	} else if bytes, ok = toFloat(a[0]); !ok {
		typeError("float() argument must be a string or a real number, not '%s'", typeName(a[0]))
	}
	base, suffix := 1000.0, "B"
	prefixes := []string{"k", "M", "G", "T", "P", "E", "Z", "Y"}
	if isTrue(a[1]) {
		base, suffix = 1024, "iB"
		prefixes[0] = "K"
	}
	switch {
	case bytes == 1:
		return "1 Byte"
	case bytes < base:
		return m.repr(truncate(bytes)) + " Bytes"
	case bytes != bytes:
		return "nan YB"
	}
	unit := toBig(int64(base))
	for i, prefix := range prefixes {
		unit = new(big.Int).Mul(unit, toBig(int64(base))) // compared to the last digit, as Python does with its integers
		if m.order("<", bytes, unit) || i == len(prefixes)-1 {
			of, _ := toFloat(unit)
			return m.formatValue(base*bytes/of, ".1f") + " " + prefix + suffix
		}
	}
	return nil
}
