package nn

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/gotrain/autograd/ir"
)

// A family's configuration is a struct of its own package, whose fields have yaml
// and json tags. A zero value means the family's default, which its method
// SetDefaults fills in; its method Validate returns Faults. The rest of this file
// is what such structs share.

// Configuration is a pointer to a family's configuration.
type Configuration interface {
	// SetDefaults fills in every default that is left open. Faults stay for
	// Validate to find.
	SetDefaults()
	// Validate returns all faults of the configuration, defaults filled in, with
	// their cures, as Faults, or nil. What only data tell, such as the vocabulary,
	// may be missing.
	Validate() error
}

// Text is what whoever trains on text wants to know of a configuration.
type Text struct {
	Context int     // most tokens of a sequence
	Vocab   int     // V; 0 takes the tokenizer's
	Dropout float64 // in training only
}

// TextConfig is the configuration of a family that reads or writes text.
type TextConfig interface {
	Configuration
	Text() Text
	SetText(Text)
}

// HeadConfig is the configuration of a family whose head may be its table of tokens.
type HeadConfig interface {
	Configuration
	// Head names the parameters that are one where tied is set, as they are called
	// in files.
	Head() (head, table string, tied bool)
	SetTied(bool)
}

// BiasConfig is the configuration of a family whose files may have a constant that is
// added to the logits: Hugging Face stores one of zeros too.
type BiasConfig interface {
	Configuration
	HeadBias() (name string, there bool)
	SetHeadBias(there bool)
}

// Extending is the configuration of a family whose models may be trained further with
// other values of some keys than those that they were trained with, on the same weights.
type Extending interface {
	Configuration
	// Extend compares the configuration, of which defaults may be open, with that of the
	// base, a pointer of the same type with its defaults filled in. It returns the keys
	// that may differ, having filled in what the base tells of them, and what is wrong
	// with their values.
	Extend(base Configuration) (keys []string, err error)
}

// Limits of sizes, far above any model: they keep a damaged config.json from
// asking for absurd graphs and products of sizes inside int64.
const (
	MaxLayers = 1 << 12
	MaxSize   = 1 << 24
)

// Fault is what is wrong with a key of a configuration, and its cure.
type Fault struct{ Key, Text string }

// Faults are all that is wrong with a configuration.
type Faults []Fault

// Add appends a fault.
func (f *Faults) Add(key, format string, args ...any) {
	*f = append(*f, Fault{key, fmt.Sprintf(format, args...)})
}

// Err returns f, or nil when it is empty.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Error writes a line for each fault, of the section model.
func (f Faults) Error() string { return f.At("model").Error() }

// At returns the faults of a section of that path.
func (f Faults) At(path string) error {
	errs := make([]error, len(f))
	for i, fault := range f {
		errs[i] = fmt.Errorf("%s.%s: %s", path, fault.Key, fault.Text)
	}
	return errors.Join(errs...)
}

// Size wants value in [1, most].
func (f *Faults) Size(key string, value, most int) {
	if value == 0 {
		f.Add(key, "is missing: give a whole number of at least 1")
		return
	}
	f.OptionalSize(key, value, most)
}

// OptionalSize wants value in [1, most], or 0 for the default.
func (f *Faults) OptionalSize(key string, value, most int) {
	if value < 0 || value > most {
		f.Add(key, "%d is outside [1, %d]", value, most)
	}
}

// Heads wants a width that divides into heads.
func (f *Faults) Heads(key string, width, heads int) {
	if heads > 0 && width > 0 && width%heads != 0 {
		f.Add(key, "%d does not divide into %d heads: use a multiple, such as %d", width, heads, max(1, width/heads)*heads)
	}
}

// Dropout wants a probability below 1.
func (f *Faults) Dropout(key string, p float64) {
	if !(p >= 0 && p < 1) {
		f.Add(key, "%g is outside [0, 1): 0 turns it off", p)
	}
}

// Activation wants a known name.
func (f *Faults) Activation(key, name string) {
	if _, ok := activations[name]; !ok {
		f.Add(key, "%q is unknown: use %s", name, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
	}
}

// NormEps wants a small positive number.
func (f *Faults) NormEps(key string, eps float64) {
	if !(eps > 0 && eps < 1) {
		f.Add(key, "%g is outside (0, 1): 1e-5 is usual", eps)
	}
}

// InitStd wants a positive standard deviation.
func (f *Faults) InitStd(key string, std float64) {
	if !(std > 0 && std < 1e3) {
		f.Add(key, "%g is outside (0, 1000): 0.02 is usual", std)
	}
}

// Complete is Validate for the constructor of a model, which needs the vocabulary
// too.
func Complete(c Configuration) error {
	err := c.Validate()
	if text, ok := c.(TextConfig); ok && text.Text().Vocab == 0 {
		var f Faults
		f.Add("vocab", "is missing: it is the size of the tokenizer")
		err = errors.Join(err, f)
	}
	return err
}

// Default gives field the value unless it has one.
func Default[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Bool returns a pointer to v, for optional flags of a configuration.
func Bool(v bool) *bool { return &v }

// IsSet tells whether an optional flag is there and true.
func IsSet(flag *bool) bool { return flag != nil && *flag }

// Act returns the activation that Faults.Activation accepts by name.
func Act(name string) ir.Act { return activations[name] }

var activations = map[string]ir.Act{
	"gelu":      ir.GELU,
	"gelu_tanh": ir.GELUTanh,
	"silu":      ir.SiLU,
	"relu":      ir.ReLU,
	"relu2":     ir.ReLU2,
}
