package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf16"
)

// tojson is Python's json.dumps with ensure_ascii off, as transformers sets the filter up.
type jsonWriter struct {
	m                *machine
	b                strings.Builder
	ascii, sorted    bool
	indent           *string // nil for one line
	separator, colon string
	depth            int
}

func filterJSON(m *machine, a []Value) Value {
	w := &jsonWriter{m: m, separator: ", ", colon: ": "}
	w.ascii, w.sorted = isTrue(a[1]), isTrue(a[4])
	var parts []Value
	if a[3] != nil && a[3] != None {
		parts = m.unpack(a[3], 2)
	}
	if s, ok := text(a[0]); ok { // whatever the arguments are
		w.text(s)
		return w.b.String()
	}
	if parts != nil {
		w.separator, w.colon = textArg(parts[0], "item separator"), textArg(parts[1], "key separator")
	}
	if a[2] != nil && a[2] != None {
		indent, ok := text(a[2])
		if !ok {
			n, ok := index(a[2])
			if !ok {
				typeError("can't multiply sequence by non-int of type '%s'", typeName(a[2]))
			}
			m.grow(max(n, 0))
			indent = strings.Repeat(" ", int(max(n, 0)))
		}
		w.indent = &indent
		if a[3] == nil || a[3] == None {
			w.separator = ","
		}
	}
	w.value(a[0])
	return w.b.String()
}

func (w *jsonWriter) value(v Value) {
	from := w.b.Len()
	switch v := v.(type) {
	case none:
		w.b.WriteString("null")
	case bool:
		fmt.Fprint(&w.b, v)
	case int64:
		fmt.Fprint(&w.b, v)
	case *big.Int:
		w.b.WriteString(integerText(v))
	case float64:
		w.b.WriteString(jsonFloat(v))
	case string:
		w.text(v)
	case Markup:
		w.text(string(v))
	case *List:
		w.list(v.items)
		return
	case *Tuple:
		w.list(v.items)
		return
	case *Dict:
		w.dict(v)
		return
	default:
		typeError("Object of type %s is not JSON serializable", typeName(v))
	}
	w.m.grow(int64(w.b.Len() - from))
}

func jsonFloat(f float64) string {
	switch {
	case f != f:
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

// line begins a line at the depth of what is open.
func (w *jsonWriter) line() {
	if w.indent != nil {
		w.m.growTimes(int64(len(*w.indent)), int64(w.depth))
		w.b.WriteString("\n" + strings.Repeat(*w.indent, w.depth))
	}
}

func (w *jsonWriter) open(mark byte) {
	w.m.grow(4)
	w.b.WriteByte(mark)
	if w.depth++; w.depth > maxDepth {
		fail(Limit, "values nested more than %d levels deep are written as JSON", maxDepth)
	}
}

func (w *jsonWriter) close(mark byte, empty bool) {
	if w.depth--; !empty {
		w.line()
	}
	w.b.WriteByte(mark)
}

func (w *jsonWriter) list(items []Value) {
	w.open('[')
	for i, item := range items {
		if i > 0 {
			w.b.WriteString(w.separator)
		}
		w.line()
		w.value(item)
		w.m.grow(int64(len(w.separator)))
	}
	w.close(']', len(items) == 0)
}

func (w *jsonWriter) dict(d *Dict) {
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	if w.sorted {
		slices.SortStableFunc(order, func(i, j int) int { return w.m.threeWay(d.keys[i], d.keys[j]) })
	}
	w.open('{')
	for n, i := range order {
		if n > 0 {
			w.b.WriteString(w.separator)
		}
		w.line()
		switch key := d.keys[i].(type) {
		case string:
			w.text(key)
		case Markup:
			w.text(string(key))
		case none:
			w.text("null")
		case bool:
			w.text(fmt.Sprint(key))
		case float64:
			w.text(jsonFloat(key))
		case int64:
			w.text(fmt.Sprint(key))
		case *big.Int:
			w.text(integerText(key))
		default:
			typeError("keys must be str, int, float, bool or None, not %s", typeName(key))
		}
		w.b.WriteString(w.colon)
		w.value(d.values[i])
		w.m.grow(int64(len(w.separator) + len(w.colon) + 8))
	}
	w.close('}', len(order) == 0)
}

func (w *jsonWriter) text(s string) {
	w.m.grow(int64(len(s)))
	w.b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			w.b.WriteByte('\\')
			w.b.WriteRune(c)
		case c == '\n':
			w.b.WriteString(`\n`)
		case c == '\r':
			w.b.WriteString(`\r`)
		case c == '\t':
			w.b.WriteString(`\t`)
		case c == '\f':
			w.b.WriteString(`\f`)
		case c == '\b':
			w.b.WriteString(`\b`)
		case c < ' ' || w.ascii && c >= 0x7f && c <= 0xffff && c != 0x7f:
			w.b.WriteString(`\u` + hex(c, 4))
		case w.ascii && c > 0xffff:
			high, low := utf16.EncodeRune(c)
			w.b.WriteString(`\u` + hex(high, 4) + `\u` + hex(low, 4))
		default:
			w.b.WriteRune(c)
		}
	}
	w.b.WriteByte('"')
}

// FromJSON reads a JSON value as Python's json.loads does: objects keep the order of their keys, numbers without a point or
// an exponent are integers of any size. Text that is no UTF-8 becomes U+FFFD.
func FromJSON(data []byte) (Value, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	v, err := readJSON(decoder, 0)
	if err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, fmt.Errorf("text behind the JSON value")
	}
	return v, nil
}

func readJSON(decoder *json.Decoder, depth int) (Value, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("JSON nested more than %d levels deep", maxDepth)
	}
	switch token := token.(type) {
	case nil:
		return None, nil
	case bool:
		return token, nil
	case string:
		return token, nil
	case json.Number:
		return jsonNumber(string(token))
	case json.Delim:
		if token == '[' {
			list := &List{}
			for decoder.More() {
				item, err := readJSON(decoder, depth+1)
				if err != nil {
					return nil, err
				}
				list.items = append(list.items, item)
			}
			_, err := decoder.Token()
			return list, err
		}
		d := NewDict()
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := readJSON(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			d.Set(key.(string), value)
		}
		_, err := decoder.Token()
		return d, err
	}
	return nil, fmt.Errorf("unexpected JSON token %v", token)
}

func jsonNumber(s string) (v Value, err error) {
	if strings.ContainsAny(s, ".eE") {
		f, ok := parseFloat(s)
		if !ok {
			return nil, fmt.Errorf("the number %s", s)
		}
		return f, nil
	}
	if fault := attempt(func() {
		n, ok := parseInteger(s, 10)
		if v = n; !ok {
			valueError("an integer of %d digits", len(s))
		}
	}); fault != nil {
		return nil, fault
	}
	return v, nil
}
