package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Choice is what a [Section] may be: a name and the keys that go with it.
type Choice struct {
	Name string
	// New returns a pointer to a struct that holds the defaults. It may have the
	// methods of Defaulter and Validator.
	New func() any
}

// Defaulter is a section's struct in which some defaults follow from other keys.
type Defaulter interface{ SetDefaults() }

// Validator is a section's struct that can be at fault. Where the error has a
// method At(path string) error, that gives the error of a section of another name.
type Validator interface{ Validate() error }

// Section is a section whose keys depend on a name in it, such as
//
//	model:  {family: gpt2, layers: 4}
//	recipe: {kind: dpo, beta: 0.1}
//
// Owner and table meet in [NewSection]:
//
//	type Config struct {
//		Model config.Section `yaml:"model"`
//	}
//	cfg := Config{Model: config.NewSection("family", "gpt2", choices)}
//	err := config.Read(file, src, []string{"model.family=llama", "model.width=64"}, &cfg)
//	model := cfg.Model.Value().(*llama.Config)
//
// The file and the assignments are kept as they were read and decoded when all of
// them are known, into the struct of the name that was given last. So the name may
// come after the keys, and an assignment may choose another name than the file. A
// fault has the file, line and column of its key, a key of another name says
// whose it is, and an unknown name brings the known ones.
//
// The zero Section keeps what it reads until [Section.Resolve] brings the table:
// for a section whose choices or defaults another section decides, such as one
// inside the struct of a recipe.
//
// A Section is a value: copies do not share what Value and Set see. Encode writes
// it flat, the name first, with every default spelled out.
type Section struct {
	key     string   // that names the choice
	choices []Choice // nil until it is resolved
	path    string   // of the section in the configuration
	base    chosen   // what the assignments go over
	now     chosen   // with them
	read    []assignment
}

// chosen is a name with a pointer to its struct.
type chosen struct {
	name  string
	value any
}

// assignment is a mapping of a file, with keys nil, or the value of the key that keys
// lead to, nil for an empty one.
type assignment struct {
	file   string
	inline bool
	keys   []string
	node   ast.Node
}

// NewSection returns a section in which key chooses, with the defaults of the
// choice called name.
func NewSection(key, name string, choices []Choice) Section {
	s := Section{key: key, choices: choices}
	if c := s.choice(name); c != nil {
		s.base = chosen{name, c.New()}
	}
	s.now = s.base
	return s
}

// Resolve decodes what a zero Section has read, as if it had come from NewSection.
// All faults are returned at once, joined.
func (s *Section) Resolve(key, name string, choices []Choice) error {
	resolved := NewSection(key, name, choices)
	resolved.path, resolved.read = s.path, s.read
	*s = resolved
	var d decoder
	s.decode(&d)
	return d.finish()
}

// Name returns the name that is chosen, "" before Resolve.
func (s Section) Name() string { return s.now.name }

// Value returns a pointer to a copy of the struct, nil before Resolve.
func (s Section) Value() any { return copyOf(s.now.value) }

// Filled returns a pointer to a copy of the struct in which every default is
// filled in, nil before Resolve.
func (s Section) Filled() any {
	v := s.Value()
	if d, ok := v.(Defaulter); ok {
		d.SetDefaults()
	}
	return v
}

// Set replaces name and struct; value is a pointer to the struct of the choice of
// that name. What was read before is forgotten.
func (s *Section) Set(name string, value any) error {
	c := s.choice(name)
	if c == nil {
		return errors.New(s.unknownName(name))
	}
	if want := reflect.TypeOf(c.New()); reflect.TypeOf(value) != want {
		return fmt.Errorf("%s %s is configured by %v, not %T", s.key, name, want, value)
	}
	s.base = chosen{name, copyOf(value)}
	s.now, s.read = s.base, nil
	return nil
}

// Equal tells whether two sections say the same, defaults filled in.
func (s Section) Equal(other Section) bool {
	return s.now.name == other.now.name && reflect.DeepEqual(s.Filled(), other.Filled())
}

// Validate returns all faults of the struct, joined.
func (s Section) Validate() error {
	v, ok := s.Value().(Validator)
	if !ok {
		return nil
	}
	err := v.Validate()
	var placed interface{ At(path string) error }
	if s.path != "" && errors.As(err, &placed) {
		return placed.At(s.path)
	}
	return err
}

// MarshalYAML returns a struct with the name and all keys.
func (s Section) MarshalYAML() (any, error) {
	if s.now.value == nil {
		return nil, fmt.Errorf("section %s is written before its %s is known", s.path, orName(s.key))
	}
	value := reflect.ValueOf(s.Filled()).Elem()
	flat := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "Name", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(fmt.Sprintf("yaml:%q", s.key))},
		{Name: "Value", Type: value.Type(), Tag: `yaml:",inline"`},
	})).Elem()
	flat.Field(0).SetString(s.now.name)
	flat.Field(1).Set(value)
	return flat.Interface(), nil
}

func orName(key string) string {
	if key == "" {
		return "name"
	}
	return key
}

// copyOf returns a pointer to a copy of the struct that v points to.
func copyOf(v any) any {
	if v == nil {
		return nil
	}
	c := reflect.New(reflect.TypeOf(v).Elem())
	c.Elem().Set(reflect.ValueOf(v).Elem())
	return c.Interface()
}

func (s *Section) choice(name string) *Choice {
	for i := range s.choices {
		if s.choices[i].Name == name {
			return &s.choices[i]
		}
	}
	return nil
}

func (s *Section) names() []string {
	names := make([]string, len(s.choices))
	for i, c := range s.choices {
		names[i] = c.Name
	}
	return names
}

// asSection returns v as a section.
func asSection(v reflect.Value) (*Section, bool) {
	if v.Type() != reflect.TypeFor[Section]() {
		return nil, false
	}
	return v.Addr().Interface().(*Section), true
}

// later keeps what was read for s, which path names, until finish.
func (d *decoder) later(s *Section, path string, a assignment) {
	s.path = path
	s.read = append(slices.Clip(s.read), a)
	d.pending = append(d.pending, s)
}

// decode makes s what its base is with all that was read for it.
func (s *Section) decode(d *decoder) {
	if s.choices == nil {
		return
	}
	file, inline := d.file, d.inline
	defer func() { d.file, d.inline = file, inline }()
	s.now = chosen{s.base.name, copyOf(s.base.value)}
	for _, a := range s.read {
		d.file, d.inline = a.file, a.inline
		s.decodeName(d, a)
	}
	if s.now.value == nil {
		return // no name was known
	}
	v := reflect.ValueOf(s.now.value).Elem()
	for _, a := range s.read {
		d.file, d.inline = a.file, a.inline
		if len(a.keys) > 0 {
			s.decodeKey(d, v, a.keys, nil, a.node)
			continue
		}
		for _, pair := range d.pairs(a.node, s.path, s.key) {
			s.decodeKey(d, v, []string{keyOf(pair)}, pair.Key, pair.Value)
		}
	}
}

// decodeName makes the choice that a names, if it names one.
func (s *Section) decodeName(d *decoder, a assignment) {
	n := a.node
	if len(a.keys) == 0 {
		i := slices.IndexFunc(mappingOf(n), func(pair *ast.MappingValueNode) bool { return keyOf(pair) == s.key })
		if i < 0 {
			return
		}
		n = mappingOf(n)[i].Value
	} else if len(a.keys) > 1 || a.keys[0] != s.key {
		return
	}
	var name string
	faults := len(d.errs)
	if n != nil {
		d.value(n, reflect.ValueOf(&name).Elem(), join(s.path, s.key))
	}
	if len(d.errs) > faults {
		return
	}
	c := s.choice(name)
	if c == nil {
		d.fail(n, "%s", s.unknownName(name))
		return
	}
	if s.now.name != name {
		s.now = chosen{name, c.New()}
		if name == s.base.name {
			s.now.value = copyOf(s.base.value)
		}
	}
}

// decodeKey decodes n into the field of v, the section's struct, that keys lead
// to. The first stands at the node at, nil in an assignment.
func (s *Section) decodeKey(d *decoder, v reflect.Value, keys []string, at, n ast.Node) {
	switch f, ok := field(v, keys[0]); {
	case keys[0] == s.key:
		if len(keys) > 1 {
			d.fail(at, "%s holds a value, not keys", join(s.path, s.key))
		}
	case ok:
		d.assign(f, keys[1:], join(s.path, keys[0]), n)
	default:
		s.decodeForeign(d, v, keys[0], at, n)
	}
}

// decodeForeign is decodeKey for a key that the chosen struct lacks. Where another
// one has it, the zero value is no fault, and the defaults of a whole group of keys:
// files that were written with the keys of all choices have them.
func (s *Section) decodeForeign(d *decoder, v reflect.Value, key string, at, n ast.Node) {
	var owners []string
	for _, c := range s.choices {
		f, ok := field(reflect.ValueOf(c.New()).Elem(), key)
		if !ok {
			continue
		}
		owners = append(owners, c.Name)
		usual := reflect.New(f.Type()).Elem()
		usual.Set(f)
		if trial := (decoder{file: d.file, inline: d.inline}); n != nil {
			if trial.value(n, f, key); trial.errs == nil && (f.IsZero() || f.Kind() == reflect.Struct && reflect.DeepEqual(f.Interface(), usual.Interface())) {
				return
			}
		}
	}
	if owners == nil {
		d.fail(at, "%s", unknownKey(s.path, key, v, s.key))
		return
	}
	d.fail(at, "%s: belongs to %s %s: leave it out", join(s.path, key), s.key, alternatives(owners))
}

func (s *Section) unknownName(name string) string {
	near := ""
	if best := nearest(name, s.names()); best != "" {
		near = fmt.Sprintf(" (did you mean %q?)", best)
	}
	return fmt.Sprintf("%s is %q; use %s%s", join(s.path, s.key), name, alternatives(s.names()), near)
}

// alternatives writes names as "a, b or c".
func alternatives(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
