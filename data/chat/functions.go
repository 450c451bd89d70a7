package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// filterNames are gonja's filters that chat templates use and whose result is no longer than what they are given.
var filterNames = []string{
	"abs", "attr", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "last", "length",
	"list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "safe", "select", "selectattr",
	"sort", "string", "sum", "title", "trim", "unique", "upper",
}

// methodNames are the methods of strings, likewise.
var methodNames = []string{
	"capitalize", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower", "isspace", "isupper",
	"lower", "lstrip", "rfind", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper",
}

func filters() *exec.FilterSet {
	set := map[string]exec.FilterFunction{lengthToll: filterLengthToll, "tojson": filterJSON, "replace": filterReplace, "join": filterJoin}
	for _, name := range filterNames {
		set[name], _ = builtins.Filters.Get(name)
	}
	return exec.NewFilterSet(set)
}

func methods() exec.Methods {
	all := builtins.Methods
	text := map[string]exec.Method[string]{"replace": methodReplace, "join": methodJoin}
	for _, name := range methodNames {
		if method, ok := all.Str.Get(name); ok {
			text[name] = method
		}
	}
	dict := map[string]exec.Method[map[string]any]{}
	for _, name := range []string{"get", "items", "keys", "values"} {
		if method, ok := all.Dict.Get(name); ok {
			dict[name] = method
		}
	}
	list := map[string]exec.Method[[]any]{}
	for _, name := range []string{"append", "count", "index"} {
		if method, ok := all.List.Get(name); ok {
			list[name] = method
		}
	}
	return exec.Methods{
		Bool: all.Bool, Int: all.Int, Float: all.Float,
		Str: exec.NewMethodSet(text), Dict: exec.NewMethodSet(dict), List: exec.NewMethodSet(list),
	}
}

// errLong is the fault of a filter or method that would make a string longer than all that a template may hold.
var errLong = errors.New("a string longer than a template may build")

// maxBuilt bounds the bytes that one call makes.
const maxBuilt = 16 << 20

func replaced(s, from, to string) (string, error) {
	if n := strings.Count(s, from); n*(len(to)-len(from))+len(s) > maxBuilt {
		return "", errLong
	}
	return strings.ReplaceAll(s, from, to), nil
}

func filterReplace(_ *exec.Evaluator, in *exec.Value, params *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	if len(params.Args) != 2 {
		return exec.AsValue(errors.New("replace takes two arguments"))
	}
	text, err := replaced(in.String(), params.Args[0].String(), params.Args[1].String())
	if err != nil {
		return exec.AsValue(err)
	}
	return exec.AsValue(text)
}

func methodReplace(self string, _ *exec.Value, params *exec.VarArgs) (any, error) {
	if len(params.Args) != 2 {
		return nil, errors.New("replace takes two arguments")
	}
	return replaced(self, params.Args[0].String(), params.Args[1].String())
}

func joined(list *exec.Value, separator string) (string, error) {
	var b strings.Builder
	var err error
	list.Iterate(func(i, _ int, element, _ *exec.Value) bool {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(element.String())
		if b.Len() > maxBuilt {
			err = errLong
		}
		return err == nil
	}, func() {})
	return b.String(), err
}

func filterJoin(_ *exec.Evaluator, in *exec.Value, params *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	separator := ""
	if len(params.Args) > 0 {
		separator = params.Args[0].String()
	}
	text, err := joined(in, separator)
	if err != nil {
		return exec.AsValue(err)
	}
	return exec.AsValue(text)
}

func methodJoin(self string, _ *exec.Value, params *exec.VarArgs) (any, error) {
	if len(params.Args) != 1 {
		return nil, errors.New("join takes one argument")
	}
	return joined(params.Args[0], self)
}

// filterJSON writes JSON as Python's json.dumps does with ensure_ascii=False: a space behind each comma and colon, no
// escapes for HTML. The keys of objects are sorted.
func filterJSON(_ *exec.Evaluator, in *exec.Value, params *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	indent, indented := params.KwArgs["indent"]
	if indented && indent.IsInteger() {
		encoder.SetIndent("", strings.Repeat(" ", min(max(indent.Integer(), 0), 16)))
	}
	if err := encoder.Encode(in.ToGoSimpleType(false)); err != nil {
		return exec.AsValue(err)
	}
	out := strings.TrimSuffix(text.String(), "\n")
	if !indented {
		out = spaced(out)
	}
	return exec.AsValue(out)
}

// spaced puts a space behind each comma and colon that stands outside of strings.
func spaced(compact string) string {
	var b strings.Builder
	inString := false
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		b.WriteByte(c)
		switch {
		case inString && c == '\\':
			i++
			b.WriteByte(compact[i])
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// namespace is jinja2's, with the values themselves as fields.
func namespace(_ *exec.Evaluator, params *exec.VarArgs) map[string]any {
	fields := make(map[string]any, len(params.KwArgs))
	for name, value := range params.KwArgs {
		fields[name] = value.Interface()
	}
	return fields
}

// numbers is range().
func numbers(_ *exec.Evaluator, params *exec.VarArgs) ([]any, error) {
	bounds := [3]int{0, 0, 1}
	for i, arg := range params.Args {
		if i >= len(bounds) || !arg.IsInteger() {
			return nil, errors.New("range takes one to three integers")
		}
		bounds[i] = arg.Integer()
	}
	switch {
	case len(params.Args) == 0 || bounds[2] == 0:
		return nil, errors.New("range takes one to three integers, and a step that is not 0")
	case len(params.Args) == 1:
		bounds[0], bounds[1] = 0, bounds[0]
	}
	list := []any{}
	for i := bounds[0]; bounds[2] > 0 && i < bounds[1] || bounds[2] < 0 && i > bounds[1]; i += bounds[2] {
		if len(list) == maxList {
			return nil, fmt.Errorf("a range of more than %d numbers", maxList)
		}
		list = append(list, i)
	}
	return list, nil
}

// timeLayouts are the directives of C's strftime that templates use.
var timeLayouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
	'B': "January", 'b': "Jan", 'A': "Monday", 'a': "Mon", 'Z': "MST", 'z': "-0700", 'j': "002",
}

// strftime formats t as C's function of that name in the C locale.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout, ok := timeLayouts[format[i]]
		switch {
		case format[i] == '%':
			b.WriteByte('%')
		case ok:
			b.WriteString(t.Format(layout))
		default:
			return "", fmt.Errorf("strftime_now: the directive %%%c is not known", format[i])
		}
	}
	return b.String(), nil
}
