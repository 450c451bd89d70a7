package train

import (
	"errors"
	"fmt"

	"gotrain/nn"
	"gotrain/train/config"
)

// ModelSection is a section model: of the first of the families, unless it names
// another.
func ModelSection(families nn.Families) config.Section {
	choices := make([]config.Choice, len(families))
	for i, f := range families {
		choices[i] = config.Choice{Name: f.Name, New: f.Config}
	}
	name := ""
	if len(families) > 0 {
		name = families[0].Name
	}
	return config.NewSection("family", name, choices)
}

// Text is what the model section says of text, zero in a family without any.
func (c Config) Text() nn.Text {
	if t, ok := c.Model.Value().(nn.TextConfig); ok {
		return t.Text()
	}
	return nn.Text{}
}

// SetText changes what the model section says of text.
func (c *Config) SetText(t nn.Text) error {
	value, ok := c.Model.Value().(nn.TextConfig)
	if !ok {
		return fmt.Errorf("a model of family %s has no text", c.Model.Name())
	}
	value.SetText(t)
	return c.Model.Set(c.Model.Name(), value)
}

// SetVocab gives the model the vocabulary of its tokenizer.
func (c *Config) SetVocab(n int) error {
	t := c.Text()
	t.Vocab = n
	return c.SetText(t)
}

// conflicts names the keys of a model section that differ from the base's, apart
// from dropout, which is no part of what was trained in any family.
func conflicts(base, now config.Section) error {
	if base.Name() != now.Name() {
		return fmt.Errorf("model.family is %s, but the base has %s: leave it out", now.Name(), base.Name())
	}
	var errs []error
	for _, d := range config.Differences(base.Filled(), now.Filled()) {
		if d.Key != "dropout" {
			errs = append(errs, fmt.Errorf("model.%s is %v, but the base has %v: leave it out", d.Key, d.Is, d.Was))
		}
	}
	return errors.Join(errs...)
}
