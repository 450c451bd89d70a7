package nn

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Family is a row of the table of families; package zoo has the table.
type Family struct {
	Name string
	// Config returns a pointer to the family's configuration as a file that sets
	// nothing has it.
	Config func() any
	// New returns the model of a configuration, a pointer as Config returns it,
	// whose defaults it fills in on a copy, or all faults of both arguments.
	New func(config any, t Tuning) (Model, error)
	// Hub is how other programs store models of the family, nil when none does.
	Hub *Hub
}

// Hub is how Hugging Face stores models of a family.
type Hub struct {
	ModelTypes []string // values of model_type in config.json
	// Keys are those of config.json that the family knows beside CommonKeys, whose
	// rows count after these.
	Keys Keys
	// Parse reads a config.json of one of them. Absent keys take transformers'
	// defaults. The error tells of all that the family does not compute and of
	// sizes that do not fit.
	Parse func(HF) (any, error)
}

// NewFamily returns the row of a family whose configuration is C.
func NewFamily[C any, M Model](name string, defaults C, construct func(C, Tuning) (M, error), hub *Hub) Family {
	return Family{
		Name:   name,
		Config: func() any { c := defaults; return &c },
		New: func(config any, t Tuning) (Model, error) {
			c, ok := config.(*C)
			if !ok {
				return nil, fmt.Errorf("family %s is configured by %T, not %T", name, c, config)
			}
			m, err := construct(*c, t)
			if err != nil {
				return nil, err
			}
			return m, nil
		},
		Hub: hub,
	}
}

// Spec is a family by its name, and a pointer to a configuration of it.
type Spec struct {
	Family string
	Config any
	Scored bool // a language model has a score in place of its head; see Scored
}

// SpecOf is what m was made of, apart from its tuning.
func SpecOf(m Model) Spec {
	_, scored := m.(*Scored)
	return Spec{m.Family(), m.Config(), scored}
}

// Families is a table of families.
type Families []Family

// Find returns the family called name.
func (fs Families) Find(name string) (Family, error) {
	var known []string
	for _, f := range fs {
		if f.Name == name {
			return f, nil
		}
		known = append(known, f.Name)
	}
	return Family{}, fmt.Errorf("model.family: %q is not one of %q", name, known)
}

// New returns the model that s describes, or all faults of s and t.
func (fs Families) New(s Spec, t Tuning) (Model, error) {
	f, err := fs.Find(s.Family)
	if err != nil {
		return nil, err
	}
	m, err := f.New(s.Config, t)
	if s.Scored {
		return scored(m, err)
	}
	return m, err
}

// Keys are the rows of the family that has a model_type, beside CommonKeys.
func (fs Families) Keys(modelType string) Keys {
	for _, f := range fs {
		if f.Hub != nil && slices.Contains(f.Hub.ModelTypes, modelType) {
			return f.Hub.Keys
		}
	}
	return nil
}

// Parse is Read without notes.
func (fs Families) Parse(text []byte) (Spec, error) {
	s, _, err := fs.Read(text)
	return s, err
}

// Read reads a config.json: one of transformers' for a family of the table, or one
// that ConfigJSON wrote. Defaults are filled in. Keys that no table knows, and values
// that others overrule, are notes for the user.
func (fs Families) Read(text []byte) (Spec, []string, error) {
	raw, err := ParseHF(configFile, text)
	if err != nil {
		return Spec{}, nil, err
	}
	if raw.ModelType() == ownType {
		s, err := fs.parseOwn(raw)
		s.Scored = isScored(raw)
		return s, nil, err
	}
	var known []string
	for _, f := range fs {
		if f.Hub == nil {
			continue
		}
		if slices.Contains(f.Hub.ModelTypes, raw.ModelType()) {
			raw.Check(slices.Concat(f.Hub.Keys, CommonKeys), raw.ModelType())
			c, err := f.Hub.Parse(raw)
			return Spec{f.Name, c, isScored(raw)}, *raw.notes, err
		}
		known = append(known, f.Hub.ModelTypes...)
	}
	if why := lacking[raw.ModelType()]; why != "" {
		return Spec{}, nil, fmt.Errorf("%s: model_type %q is not supported: %s", configFile, raw.ModelType(), why)
	}
	return Spec{}, nil, fmt.Errorf("%s: model_type %q is not one of %q", configFile, raw.ModelType(), known)
}

// parseOwn reads the model section that ConfigJSON stores for a model without
// counterpart. What it leaves out is zero, not the default of a file.
func (fs Families) parseOwn(raw HF) (Spec, error) {
	own := raw.Object(ownKey)
	f, err := fs.Find(own.String("family", ""))
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", configFile, err)
	}
	c := reflect.New(reflect.TypeOf(f.Config()).Elem()).Interface()
	if text := raw.keys[ownKey]; text != nil {
		if err := json.Unmarshal(text, c); err != nil {
			raw.Fault(ownKey, "does not fit: %v", err)
		}
	}
	if configuration, ok := c.(Configuration); ok {
		return Spec{Family: f.Name, Config: c}, raw.Finish(configuration)
	}
	return Spec{Family: f.Name, Config: c}, errors.Join(*raw.faults...)
}
