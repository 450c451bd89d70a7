package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"example.com/gotrain/nn"
)

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

// OutputChooser is the section recipe of one that decides what a text encoder tells of a
// text, and with it which heads the model has.
type OutputChooser interface {
	// Outputs are those of a model that had some until now, none for a new one.
	Outputs(was nn.Outputs) nn.Outputs
}

// ChooseOutputs gives the model the outputs that the recipe decides, if it does.
func (c *Config) ChooseOutputs(was nn.Outputs) error {
	chooser, ok := c.Recipe.Value().(OutputChooser)
	value, encoder := c.Model.Value().(nn.EncoderConfig)
	if !ok || !encoder {
		return nil
	}
	value.SetOutputs(chooser.Outputs(was))
	return c.Model.Set(c.Model.Name(), value)
}

// outputs are what the model tells of a text, none of another model.
func (c Config) outputs() nn.Outputs {
	if e, ok := c.Model.Value().(nn.EncoderConfig); ok {
		return e.Outputs()
	}
	return nn.Outputs{}
}

// takePictures gives a model section what the data told of pictures and captions in an earlier
// configuration of the run, where it leaves that open.
func (c *Config) takePictures(was Config) error {
	switch now := c.Model.Value().(type) {
	case nn.DenoiserConfig:
		before, ok := was.Model.Value().(nn.DenoiserConfig)
		if !ok {
			return nil
		}
		channels, _, context := now.Denoised()
		channelsBefore, _, contextBefore := before.Denoised()
		now.SetDenoised(cmp.Or(channels, channelsBefore), cmp.Or(context, contextBefore))
		return c.Model.Set(c.Model.Name(), now)
	case nn.AutoencoderConfig:
		before, ok := was.Model.Value().(nn.AutoencoderConfig)
		if !ok {
			return nil
		}
		channels, _, _ := now.Picture()
		channelsBefore, _, _ := before.Picture()
		now.SetChannels(cmp.Or(channels, channelsBefore))
		if logits, err := before.Logits(); err == nil {
			if _, open := now.Logits(); open != nil {
				now.SetLogits(logits)
			}
		}
		return c.Model.Set(c.Model.Name(), now)
	}
	return nil
}

// SetVocab gives the model the vocabulary of its tokenizer.
func (c *Config) SetVocab(n int) error {
	t := c.Text()
	t.Vocab = n
	return c.SetText(t)
}

// NewModel returns the model that the section describes, with what the run decides
// about it.
func (c Config) NewModel(families nn.Families) (nn.Model, error) {
	m, err := families.New(nn.Spec{Family: c.Model.Name(), Config: c.Model.Value()}, nn.Tuning{Adapter: c.LoRA, Freeze: c.Train.Freeze})
	if err != nil {
		return nil, &Fault{err}
	}
	return m, nil
}

// shown is a value as it may be written: a section with the names of its keys.
func shown(v any) any {
	if reflect.ValueOf(v).Kind() != reflect.Struct {
		return v
	}
	if text, err := json.Marshal(v); err == nil {
		return string(text)
	}
	return v
}

// Extends lists the keys of the model section that differ from the base's, apart from
// dropout.
func (c Config) Extends(base nn.Spec) []string {
	was := c.Model
	if err := was.Set(base.Family, base.Config); err != nil || was.Name() != c.Model.Name() {
		return nil // a fault, which conflicts names
	}
	var names []string
	for _, d := range Differences(was.Filled(), c.Model.Filled()) {
		if d.Key != "dropout" {
			names = append(names, d.Key)
		}
	}
	return names
}

// conflicts names the keys of a model section that differ from the base's, apart
// from dropout, which is no part of what was trained in any family, and from those that
// a base may go on with other values of. What the base tells of those is filled in. grows
// tells that the tokenizer may get more tokens than the base has.
func conflicts(base Section, now *Section, grows bool) error {
	if base.Name() != now.Name() {
		return fmt.Errorf("model.family is %s, but the base has %s: leave it out", now.Name(), base.Name())
	}
	may := []string{"dropout"}
	var errs []error
	was, value := base.Filled(), now.Value()
	if c, ok := value.(nn.Extending); ok {
		keys, err := c.Extend(was.(nn.Configuration))
		may = append(may, keys...)
		errs = append(errs, err)
		if err := now.Set(now.Name(), value); err != nil {
			return err
		}
	}
	if before, ok := was.(nn.TextConfig); ok && grows && now.Value().(nn.TextConfig).Text().Vocab > before.Text().Vocab {
		may = append(may, "vocab")
	}
	for _, d := range Differences(was, now.Filled()) {
		if !slices.Contains(may, d.Key) {
			errs = append(errs, fmt.Errorf("model.%s is %v, but the base has %v: leave it out", d.Key, shown(d.Is), shown(d.Was)))
		}
	}
	return errors.Join(errs...)
}
