package main

import (
	"errors"
	"strings"
	"testing"

	"example.com/gotrain/nn"
)

// painter is a model that no command of text takes.
type painter struct{ nn.Core }

func (*painter) Family() string { return "painter" }

func (*painter) Config() any                          { return nil }
func (*painter) HuggingFace() (map[string]any, error) { return nil, nn.ErrNoCounterpart }

// TestKinds holds that each command names the kinds of models that it takes, and is
// wrongly used with another.
func TestKinds(t *testing.T) {
	for command, can := range map[string]func(kind) bool{
		"gotrain sample":      func(k kind) bool { return k.sample != nil },
		"gotrain eval":        func(k kind) bool { return k.eval != nil },
		"gotrain eval --task": func(k kind) bool { return k.asked != nil },
		"gotrain score":       func(k kind) bool { return k.score != nil },
	} {
		_, err := kindOf(&painter{}, command, can)
		var wrong usageError
		if !errors.As(err, &wrong) {
			t.Fatalf("%s takes a painter: %v", command, err)
		}
		for _, part := range []string{"--model", command + " takes ", "language models", "family painter"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q lacks %q", command, err, part)
			}
		}
	}
}

// TestKindsHaveNames holds that the rows can be told apart.
func TestKindsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds() {
		if k.plural == "" || k.has == nil || seen[k.plural] {
			t.Errorf("a kind is called %q", k.plural)
		}
		seen[k.plural] = true
	}
}
