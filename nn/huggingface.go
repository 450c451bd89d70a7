package nn

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ErrNoCounterpart says that no architecture of transformers computes a model.
var ErrNoCounterpart = errors.New("no architecture of transformers computes this model")

// ownType is the model_type of models without counterpart; their configuration
// stands under ownKey.
const (
	ownType = "gotrain"
	ownKey  = "gotrain"
)

// configFile is the file whose keys Families reads.
const configFile = "config.json"

// ConfigJSON returns the config.json of a checkpoint. Where a model has a
// counterpart it is transformers' own; else it holds the model section under
// "gotrain", and transformers refuses it. Families.Parse reads both back.
func ConfigJSON(m Model, s SpecialTokens) ([]byte, error) {
	keys, err := m.HuggingFace()
	if errors.Is(err, ErrNoCounterpart) {
		var own json.RawMessage
		own, err = ownSection(m)
		keys = map[string]any{"model_type": ownType, ownKey: own}
	}
	if err != nil {
		return nil, err
	}
	if scored, ok := m.(*Scored); ok {
		scored.label(keys)
	}
	s.keys(keys)
	return marshal(keys)
}

// ownSection is the model section as JSON: the family, and its keys.
func ownSection(m Model) (json.RawMessage, error) {
	family, err := json.Marshal(map[string]string{"family": m.Family()})
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(m.Config())
	if err != nil || string(keys) == "{}" {
		return family, err
	}
	return fmt.Appendf(nil, "%s,%s", family[:len(family)-1], keys[1:]), nil
}

// GenerationJSON returns the generation_config.json of a checkpoint.
func GenerationJSON(s SpecialTokens) ([]byte, error) {
	keys := map[string]any{"_from_model_config": true}
	s.keys(keys)
	return marshal(keys)
}

func marshal(keys map[string]any) ([]byte, error) {
	text, err := json.MarshalIndent(keys, "", "  ")
	return append(text, '\n'), err
}

// activationNames pairs the names of Config.Activation with transformers' keys;
// where transformers has several names for one function the first is written.
var activationNames = []struct{ own, hf string }{
	{"gelu_tanh", "gelu_new"},
	{"gelu_tanh", "gelu_pytorch_tanh"},
	{"gelu_tanh", "gelu_python_tanh"},
	{"gelu_tanh", "gelu_fast"},
	{"gelu_tanh", "gelu_accurate"},
	{"gelu", "gelu"},
	{"gelu", "gelu_python"},
	{"silu", "silu"},
	{"silu", "swish"},
	{"relu", "relu"},
	{"relu2", "relu2"},
}

// ActivationName returns transformers' name of an activation.
func ActivationName(own string) string {
	for _, a := range activationNames {
		if a.own == own {
			return a.hf
		}
	}
	return own
}

// ActivationOf returns our name of an activation by one of transformers', "" for none.
func ActivationOf(hf string) string {
	for _, a := range activationNames {
		if a.hf == hf {
			return a.own
		}
	}
	return ""
}

// HF reads the keys of a config.json. Faults and notes collect until Families.Read
// has done. An absent key and null give the caller's default.
type HF struct {
	file   string
	path   string
	keys   map[string]json.RawMessage
	faults *[]error
	notes  *[]string
}

// ParseHF reads a JSON object; file names it in errors.
func ParseHF(file string, text []byte) (HF, error) {
	h := HF{file: file, faults: new([]error), notes: new([]string)}
	if err := json.Unmarshal(text, &h.keys); err != nil {
		return HF{}, fmt.Errorf("%s: %w", file, err)
	}
	return h, nil
}

// ModelType returns the key "model_type", or "".
func (h HF) ModelType() string { return read(h, "model_type", "") }

// Int reads a whole number.
func (h HF) Int(key string, absent int) int { return read(h, key, absent) }

// Float reads a number.
func (h HF) Float(key string, absent float64) float64 { return read(h, key, absent) }

// Bool reads true or false.
func (h HF) Bool(key string, absent bool) bool { return read(h, key, absent) }

// String reads a text.
func (h HF) String(key, absent string) string { return read(h, key, absent) }

// Strings reads a list of texts.
func (h HF) Strings(key string) []string { return read(h, key, []string(nil)) }

// Object reads a nested object; its faults go to h. Absent is empty.
func (h HF) Object(key string) HF {
	o := h
	o.path, o.keys = h.path+key+".", read(h, key, map[string]json.RawMessage(nil))
	return o
}

// IsNull tells whether key is there and null.
func (h HF) IsNull(key string) bool { return string(h.keys[key]) == "null" }

// Has tells whether key is there and not null.
func (h HF) Has(key string) bool { _, ok := h.keys[key]; return ok && !h.IsNull(key) }

// Notes are what was recorded for the user.
func (h HF) Notes() []string { return *h.notes }

// Size is the number of keys.
func (h HF) Size() int { return len(h.keys) }

// Alias takes the value of key from another name of it where key is absent. Two
// values are a fault.
func (h HF) Alias(key, other string) {
	value, ok := h.keys[other]
	if !ok {
		return
	}
	if own, ok := h.keys[key]; ok && !SameJSON(own, value) {
		h.Fault(other, "%s contradicts %s, which is %s: take one out", shown(value), key, shown(own))
	}
	h.keys[key] = value
}

// Activation reads transformers' name of an activation and returns ours.
func (h HF) Activation(key, absent string) string {
	name := read(h, key, absent)
	own := ActivationOf(name)
	if own == "" {
		h.Fault(key, "activation %q is not supported", name)
	}
	return own
}

// Value reads a key into what a pointer points to, which stays as it is where the key is
// absent or null.
func (h HF) Value(key string, into any) {
	if !h.Has(key) {
		return
	}
	if err := json.Unmarshal(h.keys[key], into); err != nil {
		h.Fault(key, "%s does not fit: %v", shown(h.keys[key]), err)
	}
}

// Is tells whether key has a value, in JSON.
func (h HF) Is(key, value string) bool { return SameJSON(h.keys[key], json.RawMessage(value)) }

// Check compares the keys of h with a table; of model_type where it has one. Keys
// that the table lacks are a note.
func (h HF) Check(table Keys, modelType string) { h.check(table, modelType, "") }

// CheckStrictly is Check where a key that the table lacks and that asks for something is
// a fault; why is its end.
func (h HF) CheckStrictly(table Keys, why string) { h.check(table, "", why) }

func (h HF) check(table Keys, modelType, strict string) {
	faults, unknown := table.Check(h.keys, modelType)
	for _, f := range faults {
		h.Fault(f.Key, "%s", f.Text)
	}
	var harmless []string
	for _, key := range unknown {
		if strict != "" && Asks(h.keys[key]) {
			h.Fault(key, "%s is not known here: %s", shown(h.keys[key]), strict)
			continue
		}
		harmless = append(harmless, h.path+key)
	}
	if note := UnknownKeys(h.file, harmless); note != "" {
		h.Note("%s", note)
	}
}

// NoteSampling says which of SamplingKeys ask for something.
func (h HF) NoteSampling() {
	for _, key := range SamplingKeys {
		if value, there := h.keys[key.Name]; there && key.asks(value) {
			h.Note("%s: %s %s is not heeded: a text is sampled as the flags of a command say", h.file, key.Name, shown(value))
		}
	}
}

// Err are all faults so far, nil for none.
func (h HF) Err() error { return errors.Join(*h.faults...) }

// Finish fills in the defaults of c, or returns all faults of the reading and of
// c.
func (h HF) Finish(c Configuration) error {
	if err := h.Err(); err != nil {
		return err
	}
	c.SetDefaults()
	if err := Complete(c); err != nil {
		return fmt.Errorf("%s: %w", h.file, err)
	}
	return nil
}

// Fault records what is wrong with a key.
func (h HF) Fault(key, format string, args ...any) {
	*h.faults = append(*h.faults, fmt.Errorf("%s: %s%s: %s", h.file, h.path, key, fmt.Sprintf(format, args...)))
}

// Note records what a user should know; once where it is said again.
func (h HF) Note(format string, args ...any) {
	if note := fmt.Sprintf(format, args...); !slices.Contains(*h.notes, note) {
		*h.notes = append(*h.notes, note)
	}
}

func read[T any](h HF, key string, absent T) T {
	text, ok := h.keys[key]
	if !ok || string(text) == "null" {
		return absent
	}
	v := absent
	if err := json.Unmarshal(text, &v); err != nil {
		h.Fault(key, "%s does not fit: %v", shown(text), err)
		return absent
	}
	return v
}
