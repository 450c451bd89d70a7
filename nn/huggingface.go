package nn

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNoCounterpart says that no architecture of transformers computes a model.
var ErrNoCounterpart = errors.New("no architecture of transformers computes this model")

// ownType is the model_type of models without counterpart; their configuration
// stands under ownKey.
const (
	ownType = "gotrain"
	ownKey  = "gotrain"
)

// SpecialTokens are the ids that config.json and generation_config.json name;
// negative ids and an empty EOS mean none.
type SpecialTokens struct {
	BOS, PAD int
	EOS      []int // any of them ends a text
}

// keys adds the ids to the keys of a configuration file.
func (s SpecialTokens) keys(to map[string]any) {
	if s.BOS >= 0 {
		to["bos_token_id"] = s.BOS
	}
	if s.PAD >= 0 {
		to["pad_token_id"] = s.PAD
	}
	switch len(s.EOS) {
	case 0:
	case 1:
		to["eos_token_id"] = s.EOS[0]
	default:
		to["eos_token_id"] = s.EOS
	}
}

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

// ParseSpecialTokens reads the ids from a config.json or generation_config.json.
// An id may be absent, null, a number or a list of numbers.
func ParseSpecialTokens(text []byte) (SpecialTokens, error) {
	raw, err := ParseHF(text)
	if err != nil {
		return SpecialTokens{}, err
	}
	s := SpecialTokens{BOS: raw.Int("bos_token_id", -1), PAD: raw.Int("pad_token_id", -1)}
	var list []int
	if json.Unmarshal(raw.keys["eos_token_id"], &list) == nil {
		s.EOS = list
	} else if id := raw.Int("eos_token_id", -1); id >= 0 {
		s.EOS = []int{id}
	}
	return s, errors.Join(*raw.faults...)
}

// activationNames pairs the names of Config.Activation with transformers' keys;
// where transformers has several names for one function the first is written.
var activationNames = []struct{ own, hf string }{
	{"gelu_tanh", "gelu_new"},
	{"gelu_tanh", "gelu_pytorch_tanh"},
	{"gelu_tanh", "gelu_fast"},
	{"gelu", "gelu"},
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

// HF reads the keys of a config.json. Faults collect until Finish. An absent
// key and null give the caller's default.
type HF struct {
	path   string
	keys   map[string]json.RawMessage
	faults *[]error
}

// ParseHF reads a JSON object.
func ParseHF(text []byte) (HF, error) {
	h := HF{faults: new([]error)}
	if err := json.Unmarshal(text, &h.keys); err != nil {
		return HF{}, fmt.Errorf("config.json: %w", err)
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

// Object reads a nested object; its faults go to h. Absent is empty.
func (h HF) Object(key string) HF {
	return HF{path: h.path + key + ".", keys: read(h, key, map[string]json.RawMessage(nil)), faults: h.faults}
}

// IsNull tells whether key is there and null.
func (h HF) IsNull(key string) bool { return string(h.keys[key]) == "null" }

// Activation reads transformers' name of an activation and returns ours.
func (h HF) Activation(key, absent string) string {
	name := read(h, key, absent)
	for _, a := range activationNames {
		if a.hf == name {
			return a.own
		}
	}
	h.fail(key, "activation %q is not supported", name)
	return ""
}

// Want records a fault unless key is as wanted.
func (h HF) Want(key string, want, absent any) {
	got := read(h, key, absent)
	if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
		h.fail(key, "%s is not supported, only %s", a, b)
	}
}

// WantEach records a fault unless every element of the list key, if it is
// there, is as wanted.
func (h HF) WantEach(key, want string) {
	for _, got := range read(h, key, []string(nil)) {
		if got != want {
			h.fail(key, "%q among %q is not supported", got, want)
			return
		}
	}
}

// Finish fills in the defaults of c, or returns all faults of the reading and of
// c.
func (h HF) Finish(c Configuration) error {
	if err := errors.Join(*h.faults...); err != nil {
		return err
	}
	c.SetDefaults()
	if err := Complete(c); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	return nil
}

func (h HF) fail(key, format string, args ...any) {
	*h.faults = append(*h.faults, fmt.Errorf("config.json: %s%s: %s", h.path, key, fmt.Sprintf(format, args...)))
}

func read[T any](h HF, key string, absent T) T {
	text, ok := h.keys[key]
	if !ok || string(text) == "null" {
		return absent
	}
	v := absent
	if err := json.Unmarshal(text, &v); err != nil {
		h.fail(key, "%s does not fit: %v", text, err)
		return absent
	}
	return v
}
