package jinja

import (
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// str is Python's str().
func (m *machine) str(v Value) string {
	switch v := v.(type) {
	case string:
		return v
	case Markup:
		return string(v)
	case *Missing:
		return ""
	}
	return m.repr(v)
}

// repr is Python's repr().
func (m *machine) repr(v Value) string {
	var b strings.Builder
	r := printer{m: m, b: &b}
	r.print(v)
	return b.String()
}

// pyRepr is repr of a name in an error; what cannot be written is left out.
func pyRepr(v Value) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case int64, bool, none, float64, Markup, *big.Int:
		return (*machine)(nil).repr(v)
	}
	return "<" + typeName(v) + ">"
}

// printer writes repr()s.
type printer struct {
	m     *machine
	b     *strings.Builder
	depth int
	open  []Value // dicts of namespaces that are being written: one that holds itself ends there
}

func (r *printer) charge(from int) {
	if r.m != nil {
		r.m.grow(int64(r.b.Len() - from))
	}
}

func (r *printer) print(v Value) {
	from := r.b.Len()
	switch v := v.(type) {
	case none:
		r.b.WriteString("None")
	case bool:
		if v {
			r.b.WriteString("True")
		} else {
			r.b.WriteString("False")
		}
	case int64:
		fmt.Fprint(r.b, v)
	case *big.Int:
		r.b.WriteString(integerText(v))
	case float64:
		r.b.WriteString(floatText(v))
	case string:
		writeQuoted(r.b, v)
	case Markup:
		r.b.WriteString("Markup(")
		writeQuoted(r.b, string(v))
		r.b.WriteByte(')')
	case *Missing:
		r.b.WriteString("Undefined")
	case *span:
		fmt.Fprintf(r.b, "range(%d, %d", v.start, v.stop)
		if v.step != 1 {
			fmt.Fprintf(r.b, ", %d", v.step)
		}
		r.b.WriteByte(')')
	case *macro:
		if v.def.name == "" {
			r.b.WriteString("<Macro anonymous>")
		} else {
			r.b.WriteString("<Macro " + quote(v.def.name) + ">")
		}
	case *loopState:
		fmt.Fprintf(r.b, "<LoopContext %d/%d>", v.index0+1, v.length())
	case *function:
		if v.text == "" {
			refuse("a %s is printed, whose text in Python is an address", v.kind)
		}
		r.b.WriteString(v.text)
	case *selfRef:
		r.b.WriteString("<TemplateReference None>")
	case *List, *Tuple, *Dict, *view, *namespace:
		r.nested(v)
		return
	default:
		refuse("a %s is printed, whose text in Python is an address", typeName(v))
	}
	r.charge(from)
}

// nested writes what holds other values.
func (r *printer) nested(v Value) {
	if r.depth++; r.depth > maxDepth {
		fail(Limit, "values nested more than %d levels deep are printed", maxDepth)
	}
	defer func() { r.depth-- }()
	switch v := v.(type) {
	case *List:
		r.list("[", v.items, "]")
	case *Tuple:
		if len(v.items) == 1 {
			r.list("(", v.items, ",)")
		} else {
			r.list("(", v.items, ")")
		}
	case *Dict:
		r.dict(v)
	case *view:
		r.b.WriteString(v.kind + "(")
		items := make([]Value, len(v.of.keys))
		for i := range items {
			items[i] = v.at(i)
		}
		r.list("[", items, "]")
		r.b.WriteByte(')')
	case *namespace:
		for _, open := range r.open {
			if open == Value(v) {
				r.b.WriteString("<Namespace {...}>")
				return
			}
		}
		r.open = append(r.open, v)
		r.b.WriteString("<Namespace ")
		r.dict(&v.fields)
		r.b.WriteByte('>')
		r.open = r.open[:len(r.open)-1]
	}
}

func (r *printer) list(before string, items []Value, behind string) {
	r.b.WriteString(before)
	for i, item := range items {
		if i > 0 {
			r.b.WriteString(", ")
		}
		r.print(item)
		r.charge(r.b.Len() - 2)
	}
	r.b.WriteString(behind)
}

func (r *printer) dict(d *Dict) {
	r.b.WriteByte('{')
	for i, key := range d.keys {
		if i > 0 {
			r.b.WriteString(", ")
		}
		r.print(key)
		r.b.WriteString(": ")
		r.print(d.values[i])
		r.charge(r.b.Len() - 4)
	}
	r.b.WriteByte('}')
}

// quote is repr() of a string.
func quote(s string) string {
	var b strings.Builder
	writeQuoted(&b, s)
	return b.String()
}

func writeQuoted(b *strings.Builder, s string) {
	mark := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, "\"") {
		mark = '"'
	}
	b.WriteByte(mark)
	for _, c := range s {
		switch {
		case c == rune(mark) || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(b, `\x%02x`, c)
		case c < utf8.RuneSelf || isPrintable(c):
			b.WriteRune(c)
		case c <= 0xff:
			fmt.Fprintf(b, `\x%02x`, c)
		case c <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			fmt.Fprintf(b, `\U%08x`, c)
		}
	}
	b.WriteByte(mark)
}
