package config

import (
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// chooseSteps settles whether train.steps or train.epochs holds, by what was given last:
// an assignment goes over the file, and both in one place are a fault.
func (c *Config) chooseSteps(file string, src []byte, assignments []string) error {
	if c.Train.Epochs == 0 {
		return nil
	}
	inFile, set, err := given("train", file, src, assignments)
	if err != nil {
		return err
	}
	switch {
	case set["steps"] && set["epochs"], !set["steps"] && !set["epochs"] && inFile["steps"] && inFile["epochs"]:
		if set["steps"] {
			file = "--set"
		}
		return &Error{File: file, Message: "train.steps and train.epochs are both given: keep one; epochs are passes over the data, from which the steps follow"}
	case set["steps"]:
		c.Train.Epochs = 0
	}
	return nil
}

// contrary are keys of the section data of which a configuration has one or the other.
var contrary = [][2]string{{"validation", "validation_paths"}, {"train", "sources"}}

// chooseData has an assignment to one of two contrary keys go over the other one in the file.
func (c *Config) chooseData(file string, src []byte, assignments []string) error {
	if c.Data.Value() == nil {
		return nil
	}
	_, set, err := given("data", file, src, assignments)
	if err != nil {
		return err
	}
	value := c.Data.Value()
	changed := false
	for _, keys := range contrary {
		for i, key := range keys {
			if other, ok := field(reflect.ValueOf(value).Elem(), keys[1-i]); ok && set[key] && !set[keys[1-i]] && !other.IsZero() {
				if now, ok := field(reflect.ValueOf(value).Elem(), key); ok && !empty(now) {
					other.SetZero()
					changed = true
				}
			}
		}
	}
	if !changed {
		return nil
	}
	return c.Data.Set(c.Data.Name(), value)
}

// empty tells whether a value says nothing: zero, or a list of none.
func empty(v reflect.Value) bool { return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 }

// given are the keys of a section that a file has, and those that assignments set.
func given(section, file string, src []byte, assignments []string) (inFile, set map[string]bool, err error) {
	body, err := parseBody(file, src)
	if err != nil {
		return nil, nil, err
	}
	set = map[string]bool{}
	for _, a := range assignments {
		path, text, _ := strings.Cut(a, "=")
		if key, ok := strings.CutPrefix(path, section+"."); ok {
			set[key] = true
		} else if n, err := (&decoder{}).parseValue(text); path == section && err == nil {
			for key := range keysOf(n) {
				set[key] = true
			}
		}
	}
	return keysOf(valueOf(body, section)), set, nil
}

// valueOf is the value of a key of a mapping, nil for none.
func valueOf(n ast.Node, key string) ast.Node {
	for _, pair := range mappingOf(n) {
		if keyOf(pair) == key {
			return pair.Value
		}
	}
	return nil
}

// keysOf are the keys of a mapping.
func keysOf(n ast.Node) map[string]bool {
	keys := map[string]bool{}
	for _, pair := range mappingOf(n) {
		keys[keyOf(pair)] = true
	}
	return keys
}
