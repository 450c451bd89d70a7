// Package config reads strict YAML into configuration structs: an unknown
// key, a wrong type or a key given twice is an error that names file, line,
// column and the cure.
//
// [Read] reads a file and the assignments of a command line over the defaults
// that a struct holds, [Encode] writes the struct back with every key spelled
// out. Fields are named by their yaml tag; embedded structs and pointers (nil
// when absent) are understood. A [Section] is a field whose keys depend on a name
// that stands among them.
package config

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxSize bounds a configuration file; a larger one is some other file.
const maxSize = 1 << 20

// Error is a fault in a configuration.
type Error struct {
	File         string // or "--set"
	Line, Column int    // 0 when the place is not in a file
	Message      string
}

// Error writes file:line:column: message.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Decode reads YAML over the values in the struct that into points to. All
// faults are returned at once, joined.
func Decode(file string, src []byte, into any) error { return Read(file, src, nil, into) }

// Read is Decode and then Set for each assignment, with the sections decoded once
// all have been read: an assignment may name the kind of a section whose keys the
// file has.
func Read(file string, src []byte, assignments []string, into any) error {
	body, err := parseBody(file, src)
	if err != nil {
		return err
	}
	d := decoder{file: file}
	d.value(body, reflect.ValueOf(into).Elem(), "")
	for _, a := range assignments {
		d.set(into, a)
	}
	return d.finish()
}

// parseBody returns the one document of a configuration file.
func parseBody(file string, src []byte) (ast.Node, error) {
	if len(src) > maxSize {
		return nil, &Error{File: file, Message: fmt.Sprintf("the file has %d bytes; a configuration has at most %d: is this the right file?", len(src), maxSize)}
	}
	parsed, err := parse(file, withoutMark(src))
	if err != nil {
		return nil, err
	}
	if len(parsed.Docs) == 0 || parsed.Docs[0].Body == nil || parsed.Docs[0].Body.Type() == ast.NullType {
		return nil, &Error{File: file, Message: "the file is empty; README shows a configuration"}
	}
	if len(parsed.Docs) > 1 {
		return nil, &Error{File: file, Message: "the file holds several YAML documents; use one"}
	}
	return parsed.Docs[0].Body, nil
}

// withoutMark returns src as UTF-8 without the byte-order mark that editors put
// before it. UTF-16 is known by its mark.
func withoutMark(src []byte) []byte {
	order := binary.ByteOrder(binary.LittleEndian)
	switch {
	case bytes.HasPrefix(src, []byte("\xef\xbb\xbf")):
		return src[3:]
	case bytes.HasPrefix(src, []byte("\xfe\xff")):
		order = binary.BigEndian
	case !bytes.HasPrefix(src, []byte("\xff\xfe")):
		return src
	}
	units := make([]uint16, 0, len(src)/2)
	for at := 2; at+1 < len(src); at += 2 {
		units = append(units, order.Uint16(src[at:]))
	}
	return []byte(string(utf16.Decode(units)))
}

// parse runs the YAML parser, whose faults (panics included, as it reads what
// users wrote) become an Error.
func parse(file string, src []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, &Error{File: file, Message: "the file is not YAML"}
		}
	}()
	f, err = parser.ParseBytes(src, 0)
	if err != nil {
		e := &Error{File: file, Message: "not YAML: " + err.Error()}
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
			e.Line, e.Column, e.Message = syntax.Token.Position.Line, syntax.Token.Position.Column, "not YAML: "+syntax.Message
		}
		return nil, e
	}
	return f, nil
}

// Set applies "path.to.key=VALUE", VALUE in YAML.
func Set(into any, assignment string) error {
	var d decoder
	d.set(into, assignment)
	return d.finish()
}

// decoder collects faults, and the sections that are to be decoded.
type decoder struct {
	file    string // that is read, or "--set" and the path
	inline  bool   // positions mean nothing
	errs    []error
	pending []*Section
}

// finish decodes the sections that were met, those inside sections too, and
// returns all faults.
func (d *decoder) finish() error {
	for len(d.pending) > 0 {
		s := d.pending[0]
		d.pending = slices.DeleteFunc(d.pending, func(other *Section) bool { return other == s })
		s.decode(d)
	}
	return errors.Join(d.errs...)
}

// set applies an assignment.
func (d *decoder) set(into any, assignment string) {
	saved := *d
	defer func() { d.file, d.inline = saved.file, saved.inline }()
	path, text, ok := strings.Cut(assignment, "=")
	d.file, d.inline = "--set", true
	if !ok || path == "" {
		d.fail(nil, "%q is not path.to.key=VALUE", assignment)
		return
	}
	d.file = "--set " + path
	n, err := d.parseValue(text)
	if err != nil {
		d.errs = append(d.errs, err)
		return
	}
	d.assign(reflect.ValueOf(into).Elem(), strings.Split(path, "."), "", n)
}

// parseValue parses the right side of an assignment: nil when nothing stands
// there.
func (d *decoder) parseValue(text string) (ast.Node, error) {
	if text == "" {
		return nil, nil
	}
	parsed, err := parse(d.file, []byte(text))
	if err != nil {
		return nil, err
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return nil, &Error{File: d.file, Message: emptyValue(text)}
	}
	return parsed.Docs[0].Body, nil
}

func emptyValue(text string) string {
	return fmt.Sprintf("the value %q is empty; write --set path.to.key=VALUE", text)
}

// assign decodes n into the field of v that keys lead to; path names v.
func (d *decoder) assign(v reflect.Value, keys []string, path string, n ast.Node) {
	for len(keys) > 0 {
		if s, ok := asSection(v); ok {
			d.later(s, path, assignment{d.file, d.inline, keys, n})
			return
		}
		if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct {
			p := reflect.New(v.Type().Elem())
			if !v.IsNil() {
				p.Elem().Set(v.Elem()) // others may hold the old one
			}
			v.Set(p)
			v = p.Elem()
		}
		if v.Kind() != reflect.Struct {
			d.fail(nil, "%s holds a value, not keys", path)
			return
		}
		next, ok := field(v, keys[0])
		if !ok {
			if whole := strings.Join(keys, "."); len(keys) > 1 && counterparts[join(path, whole)].ours != "" {
				d.fail(nil, "unknown key %q; %s", whole, counterpartOf(path, whole))
				return
			}
			d.fail(nil, "%s", unknownKey(path, keys[0], v))
			return
		}
		v, path, keys = next, join(path, keys[0]), keys[1:]
	}
	switch {
	case n != nil:
		d.value(n, v, path)
	case v.Kind() == reflect.String:
		v.SetString("")
	default:
		d.fail(nil, "%s", emptyValue(""))
	}
}

// fail records a fault at n, which may be nil.
func (d *decoder) fail(n ast.Node, format string, args ...any) {
	e := &Error{File: d.file, Message: fmt.Sprintf(format, args...)}
	if n != nil && !d.inline {
		if tok := n.GetToken(); tok != nil && tok.Position != nil {
			e.Line, e.Column = tok.Position.Line, tok.Position.Column
		}
	}
	d.errs = append(d.errs, e)
}

// value decodes n into v; path names v in messages.
func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	switch n.Type() {
	case ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType:
		d.fail(n, "%s: anchors, aliases, tags and merges are not supported; write the value out", path)
		return
	}
	if s, ok := asSection(v); ok {
		d.later(s, path, assignment{d.file, d.inline, nil, n})
		return
	}
	if v.Kind() == reflect.Pointer {
		if n.Type() == ast.NullType {
			v.SetZero()
			return
		}
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem(), path)
		v.Set(p)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.sequence(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) {
	for _, pair := range d.pairs(n, path, firstKey(v)) {
		key := keyOf(pair)
		f, ok := field(v, key)
		if !ok {
			if !d.foreignSection(pair, join(path, key)) {
				d.fail(pair.Key, "%s", unknownKey(path, key, v))
			}
			continue
		}
		d.value(pair.Value, f, join(path, key))
	}
}

// foreignSection tells of each key of another trainer's section what it is here; known is false
// where it has none.
func (d *decoder) foreignSection(section *ast.MappingValueNode, path string) (known bool) {
	for _, pair := range mappingOf(section.Value) {
		if key := keyOf(pair); counterparts[join(path, key)].ours != "" {
			d.fail(pair.Key, "unknown key %q; %s", join(path, key), counterpartOf(path, key))
			known = true
		}
	}
	return known
}

// pairs are the keys and values of a mapping, each key once; example is one of
// them.
func (d *decoder) pairs(n ast.Node, path, example string) []*ast.MappingValueNode {
	all := mappingOf(n)
	if all == nil {
		d.fail(n, "%s wants keys and values, as in {%s: …}", orRoot(path), example)
		return nil
	}
	seen := map[string]bool{}
	var pairs []*ast.MappingValueNode
	for _, pair := range all {
		key := keyOf(pair)
		if seen[key] {
			d.fail(pair.Key, "the key %q is given twice", key)
			continue
		}
		seen[key] = true
		pairs = append(pairs, pair)
	}
	return pairs
}

// mappingOf returns the keys and values of a mapping, nil for another node.
func mappingOf(n ast.Node) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return append([]*ast.MappingValueNode{}, m.Values...)
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	return nil
}

func keyOf(pair *ast.MappingValueNode) string { return pair.Key.GetToken().Value }

func (d *decoder) sequence(n ast.Node, v reflect.Value, path string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(n, "%s wants a list, as in [a, b]", path)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		d.value(item, out.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	s, ok := n.(ast.ScalarNode)
	if !ok {
		d.fail(n, "%s wants a single value", path)
		return
	}
	text := s.GetToken().Value
	if n.Type() == ast.LiteralType {
		text = fmt.Sprint(s.GetValue())
	}
	switch v.Kind() {
	case reflect.String:
		if n.Type() == ast.NullType {
			text = ""
		}
		v.SetString(text)
	case reflect.Bool:
		b, ok := s.GetValue().(bool)
		if !ok {
			d.fail(n, "%s is %q; use true or false", path, text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		i, err := integer(text)
		if err != nil || v.OverflowInt(i) {
			d.fail(n, "%s is %q; use a whole number", path, text)
			return
		}
		v.SetInt(i)
	case reflect.Uint64:
		u, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 0, 64)
		if err != nil {
			d.fail(n, "%s is %q; use a whole number of 0 or more", path, text)
		}
		v.SetUint(u)
	case reflect.Float64, reflect.Float32:
		f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil || f != f {
			d.fail(n, "%s is %q; use a number", path, text)
			return
		}
		v.SetFloat(f)
	default:
		panic("config: field " + path + " has kind " + v.Kind().String())
	}
}

// integer also reads 1e6 and 10_000 where they are whole.
func integer(text string) (int64, error) {
	text = strings.ReplaceAll(text, "_", "")
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return i, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != float64(int64(f)) || f > 1<<53 || f < -1<<53 {
		return 0, errors.New("not a whole number")
	}
	return int64(f), nil
}
