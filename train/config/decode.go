// Package config reads strict YAML into configuration structs: an unknown
// key, a wrong type or a key given twice is an error that names file, line,
// column and the cure.
//
// [Decode] reads a file over the defaults that a struct holds, [Set] applies
// one assignment of the command line, [Encode] writes the struct back with
// every key spelled out. Fields are named by their yaml tag; embedded structs
// and pointers to scalars (nil when absent) are understood.
package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

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
func Decode(file string, src []byte, into any) error {
	if len(src) > maxSize {
		return &Error{File: file, Message: fmt.Sprintf("the file has %d bytes; a configuration has at most %d: is this the right file?", len(src), maxSize)}
	}
	parsed, err := parse(file, src)
	if err != nil {
		return err
	}
	if len(parsed.Docs) == 0 || parsed.Docs[0].Body == nil || parsed.Docs[0].Body.Type() == ast.NullType {
		return &Error{File: file, Message: "the file is empty; README shows a configuration"}
	}
	if len(parsed.Docs) > 1 {
		return &Error{File: file, Message: "the file holds several YAML documents; use one"}
	}
	d := decoder{file: file}
	d.value(parsed.Docs[0].Body, reflect.ValueOf(into).Elem(), "")
	return errors.Join(d.errs...)
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
	path, text, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return &Error{File: "--set", Message: fmt.Sprintf("%q is not path.to.key=VALUE", assignment)}
	}
	d := decoder{file: "--set " + path}
	v := reflect.ValueOf(into).Elem()
	keys := strings.Split(path, ".")
	for i, key := range keys {
		if v.Kind() != reflect.Struct {
			return &Error{File: d.file, Message: fmt.Sprintf("%s holds a value, not keys", strings.Join(keys[:i], "."))}
		}
		next, ok := field(v, key)
		if !ok {
			return &Error{File: d.file, Message: unknownKey(key, v)}
		}
		v = next
	}
	if text == "" && v.Kind() == reflect.String {
		v.SetString("")
		return nil
	}
	parsed, err := parse(d.file, []byte(text))
	if err != nil {
		return err
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return &Error{File: d.file, Message: fmt.Sprintf("the value %q is empty; write --set path.to.key=VALUE", text)}
	}
	d.inline = true
	d.value(parsed.Docs[0].Body, v, path)
	return errors.Join(d.errs...)
}

type decoder struct {
	file   string
	inline bool // positions mean nothing
	errs   []error
}

func (d *decoder) fail(n ast.Node, format string, args ...any) {
	e := &Error{File: d.file, Message: fmt.Sprintf(format, args...)}
	if tok := n.GetToken(); !d.inline && tok != nil && tok.Position != nil {
		e.Line, e.Column = tok.Position.Line, tok.Position.Column
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
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		d.fail(n, "%s wants keys and values, as in {%s: …}", orRoot(path), firstKey(v))
		return
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		if seen[key] {
			d.fail(pair.Key, "the key %q is given twice", key)
			continue
		}
		seen[key] = true
		f, ok := field(v, key)
		if !ok {
			d.fail(pair.Key, "%s", unknownKey(key, v))
			continue
		}
		d.value(pair.Value, f, join(path, key))
	}
}

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
		panic("configfile: field " + path + " has kind " + v.Kind().String())
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
