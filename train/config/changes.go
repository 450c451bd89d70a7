package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"

	"example.com/gotrain/nn"
)

// Change is a key that a run goes on with another value of, values written as a
// configuration has them.
type Change struct{ Key, Was, Is string }

// Changes lists the keys of c, the configuration of a run, that now has otherwise, in
// the order in which configurations are written. The directory of the run is none: runs
// may be moved.
func (c Config) Changes(now Config) ([]Change, error) {
	was, err := c.Leaves()
	if err != nil {
		return nil, err
	}
	is, err := now.Leaves()
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, k := range is {
		if old, ok := find(was, k.Key); k.Key != "run.dir" && (!ok || old != k.Text) {
			changes = append(changes, Change{k.Key, old, k.Text})
		}
	}
	for _, k := range was {
		if _, ok := find(is, k.Key); !ok {
			changes = append(changes, Change{k.Key, k.Text, nothing})
		}
	}
	return changes, nil
}

// nothing stands for a key that a section of another kind lacks.
const nothing = "–"

// Leaf is a key that holds a value: its path, and the value as YAML.
type Leaf struct{ Key, Text string }

// Leaves lists the values of the configuration in the order in which it is written.
func (c Config) Leaves() ([]Leaf, error) {
	text, err := Encode(c)
	if err != nil {
		return nil, err
	}
	var all yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &all, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	return flatten(nil, "", all)
}

func find(leaves []Leaf, key string) (text string, ok bool) {
	for _, l := range leaves {
		if l.Key == key {
			return l.Text, true
		}
	}
	return nothing, false
}

func flatten(leaves []Leaf, path string, all yaml.MapSlice) ([]Leaf, error) {
	for _, item := range all {
		key := join(path, fmt.Sprint(item.Key))
		if section, ok := item.Value.(yaml.MapSlice); ok {
			var err error
			if leaves, err = flatten(leaves, key, section); err != nil {
				return nil, err
			}
			continue
		}
		text, err := yaml.MarshalWithOptions(item.Value, yaml.Flow(true))
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, Leaf{key, strings.TrimSpace(string(text))})
	}
	return leaves, nil
}

// Fixed lists those of Changes with which weights that were trained under c cannot go
// on: what decides the shape of the models, the tokens that they know and the states of
// their optimizers. own says that now is the configuration of the very run, which goes
// on with its recipe and base too.
func (c Config) Fixed(now Config, own bool) ([]Change, error) {
	if v := now.Text().Vocab; (v == 0 || now.Tokenizer.Grows()) && c.Text().Vocab > v {
		// The tokenizer told it.
		if err := now.SetVocab(c.Text().Vocab); err != nil {
			return []Change{{"model.family", c.Model.Name(), now.Model.Name()}}, nil
		}
	}
	if err := now.takePictures(c); err != nil {
		return nil, err
	}
	if err := now.ChooseOutputs(c.outputs()); err != nil {
		return nil, err
	}
	changes, err := c.Changes(now)
	if err != nil {
		return nil, err
	}
	var fixed []Change
	for _, change := range changes {
		if c.fixed(change.Key, now, own) {
			fixed = append(fixed, change)
		}
	}
	return fixed, nil
}

// fixed tells whether a key that now has otherwise has to stay.
func (c Config) fixed(key string, now Config, own bool) bool {
	section, name, _ := strings.Cut(key, ".")
	a, b := c.Optimizer, now.Optimizer
	switch section {
	case "model":
		return name != "dropout"
	case "tokenizer":
		moved := own && c.LoRA.Rank > 0 && c.Tokenizer.Path == c.Base && now.Tokenizer.Path == now.Base
		return name != "path" || !moved // with the base, whose tokenizer the run has frozen
	case "base":
		return own && c.LoRA.Rank == 0 // else the weights are compared with those that the adapter was trained on
	case "adapter":
		return own
	case "lora":
		return own && name != "dropout" && name != "merge" && !sameAdapter(c.LoRA, now.LoRA)
	}
	switch key {
	case "recipe.kind":
		return own
	case "optimizer.kind":
		return true
	case "optimizer.momentum":
		return a.Kind == "sgd" && (a.Momentum > 0) != (b.Momentum > 0)
	case "optimizer.ema":
		return (a.EMA > 0) != (b.EMA > 0)
	case "train.freeze":
		return true
	}
	return false
}

// sameAdapter tells whether two sections lora describe the same, apart from what may
// change.
func sameAdapter(a, b nn.Adapter) bool {
	a, b = a.WithDefaults(), b.WithDefaults()
	a.Dropout, b.Dropout, a.Merge, b.Merge = 0, 0, false, false
	return reflect.DeepEqual(a, b)
}
