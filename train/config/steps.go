package config

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// chooseSteps settles whether train.steps or train.epochs holds, by what was given last:
// an assignment goes over the file, and both in one place are a fault.
func (c *Config) chooseSteps(file string, src []byte, assignments []string) error {
	if c.Train.Epochs == 0 {
		return nil
	}
	body, err := parseBody(file, src)
	if err != nil {
		return err
	}
	inFile := keysOf(valueOf(body, "train"))
	set := map[string]bool{}
	for _, a := range assignments {
		path, text, _ := strings.Cut(a, "=")
		if key, ok := strings.CutPrefix(path, "train."); ok {
			set[key] = true
		} else if n, err := (&decoder{}).parseValue(text); path == "train" && err == nil {
			for key := range keysOf(n) {
				set[key] = true
			}
		}
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
