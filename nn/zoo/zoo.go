// Package zoo knows every family of models: it is the table from a name to a
// constructor. A new family is a folder beside this one and a row here.
package zoo

import (
	"errors"
	"fmt"

	"gotrain/nn"
	"gotrain/nn/gpt2"
	"gotrain/nn/llama"
)

// family is one row of the table.
type family struct {
	name       string
	new        func(nn.Config) (nn.Model, error)
	modelTypes []string // of config.json
	parse      func(nn.HF) (nn.Config, error)
	prefix     string // that tensors of headless Hugging Face files lack
}

func families() []family {
	return []family{
		{nn.GPT2, gpt2.New, []string{"gpt2"}, gpt2.FromHuggingFace, "transformer."},
		{nn.Llama, llama.New, llama.ModelTypes(), llama.FromHuggingFace, "model."},
	}
}

// New returns the model that c describes, or all faults of c.
func New(c nn.Config) (nn.Model, error) {
	for _, f := range families() {
		if f.name == c.Family {
			return f.new(c)
		}
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("model.family: %q has no constructor", c.Family)
}

// ParseConfig reads a config.json: one of transformers' for a family of the
// table, or one that nn.ConfigJSON wrote.
func ParseConfig(text []byte) (nn.Config, error) {
	raw, err := nn.ParseHF(text)
	if err != nil {
		return nn.Config{}, err
	}
	if c, ok := raw.Own(); ok {
		return raw.Finish(c)
	}
	var known []string
	for _, f := range families() {
		for _, t := range f.modelTypes {
			if t == raw.ModelType() {
				return f.parse(raw)
			}
			known = append(known, t)
		}
	}
	return nn.Config{}, fmt.Errorf("config.json: model_type %q is not one of %q", raw.ModelType(), known)
}

// MatchNames maps the names of the tensors in a Hugging Face file to those of
// m's parameters. Files of a model without its head, such as the published
// GPT-2, lack the prefix "transformer." or "model.". Tensors that are no
// parameters, such as masks or a copy of a tied head, are left out; a parameter
// without tensor is an error.
func MatchNames(m nn.Model, stored []string) (map[string]string, error) {
	missing := map[string]nn.Param{}
	for _, p := range m.Params() {
		missing[p.Name] = p
	}
	prefix := ""
	for _, f := range families() {
		if f.name == m.Config().Family {
			prefix = f.prefix
		}
	}
	names := map[string]string{}
	for _, tensor := range stored {
		for _, name := range []string{tensor, prefix + tensor} {
			if _, ok := missing[name]; ok {
				names[tensor] = name
				delete(missing, name)
				break
			}
		}
	}
	var faults []error
	for _, p := range m.Params() {
		if _, ok := missing[p.Name]; ok {
			faults = append(faults, fmt.Errorf("there is no tensor for parameter %q %s", p.Name, p.Shape))
		}
	}
	return names, errors.Join(faults...)
}
