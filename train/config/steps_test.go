package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStepsOrEpochs: of the two that holds which was given last; both in one place are a fault.
func TestStepsOrEpochs(t *testing.T) {
	for _, tc := range []struct {
		train string
		set   []string
		want  string // steps and epochs, or a part of the error
	}{
		{"{batch: 2}", nil, "600 0"},
		{"{steps: 5}", nil, "5 0"},
		{"{epochs: 2}", nil, "600 2"},
		{"{steps: 5, epochs: 0}", nil, "5 0"},
		{"{steps: 5, epochs: 2}", nil, "c.yaml: train.steps and train.epochs are both given"},
		{"{steps: 5, epochs: 2}", []string{"train.batch=3"}, "c.yaml: train.steps and train.epochs are both given"},
		{"{epochs: 2}", []string{"train.steps=7"}, "7 0"},
		{"{epochs: 2}", []string{"train={steps: 7}"}, "7 0"},
		{"{steps: 5}", []string{"train.epochs=0.5"}, "5 0.5"},
		{"{steps: 5, epochs: 2}", []string{"train.epochs=3"}, "5 3"},
		{"{steps: 5, epochs: 2}", []string{"train.epochs=0"}, "5 0"},
		{"{batch: 2}", []string{"train.steps=7", "train.epochs=3"}, "--set: train.steps and train.epochs are both given"},
		{"{batch: 2}", []string{"train={steps: 7, epochs: 3}"}, "--set: train.steps and train.epochs are both given"},
	} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		text := "data: {train: [x]}\nmodel: {family: gpt2, layers: 1, heads: 1, width: 8, context: 8}\ntrain: " + tc.train + "\n"
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, tc.set, changeTables())
		got := fmt.Sprint(c.Train.Steps, c.Train.Epochs)
		if err != nil {
			got = err.Error()
		}
		if got != tc.want && (err == nil || !strings.Contains(got, tc.want)) {
			t.Errorf("train: %s with %q: %s, want %s", tc.train, tc.set, got, tc.want)
		}
	}
}

// TestContraryData: of two contrary keys of the data an assignment goes over the other one in the file; both in one place are
// a fault.
func TestContraryData(t *testing.T) {
	for _, tc := range []struct {
		data string
		set  []string
		want string // train, sources, validation and validation_paths, or a part of the error
	}{
		{"{train: [x], validation: 0.1}", nil, "[x] 0 0.1 []"},
		{"{train: [x], validation: 0.1}", []string{"data.validation_paths=[y]"}, "[x] 0 0 [y]"},
		{"{train: [x], validation: 0.1}", []string{"data={validation_paths: [y]}"}, "[x] 0 0 [y]"},
		{"{train: [x], validation: 0.1}", []string{"data.validation_paths=[]"}, "[x] 0 0.1 []"},
		{"{train: [x], validation_paths: [y]}", []string{"data.validation=0.2"}, "[x] 0 0.2 []"},
		{"{train: [x], validation_paths: [y]}", []string{"data.validation=0"}, "[x] 0 0 [y]"},
		{"{train: [x], validation_paths: [y], validation: 0.1}", nil, "validation and validation_paths are both set"},
		{"{train: [x]}", []string{"data.validation_paths=[y]", "data.validation=0.1"}, "validation and validation_paths are both set"},
		{"{train: [x]}", []string{"data.sources=[{train: [z]}]"}, "[] 1 0 []"},
		{"{sources: [{train: [z]}]}", []string{"data.train=[x]"}, "[x] 0 0 []"},
		{"{train: [x], sources: [{train: [z]}]}", nil, "train and sources are both set"},
		{"{train: [x]}", []string{"data.sources=[{paths: [z]}]"}, `unknown key "paths"; did you mean "train"?`},
		{"{format: text, train: [x], validation: 0.1}", []string{"data.validation_paths=[y]", "train.epochs=2"}, "[x] 0 0 [y]"},
	} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		text := "data: " + tc.data + "\nmodel: {family: gpt2, layers: 1, heads: 1, width: 8, context: 8}\n"
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, tc.set, changeTables())
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			d, _ := c.Texts()
			got = fmt.Sprint(d.Paths, len(d.Sources), d.Validation, d.ValidationPaths)
		}
		if got != tc.want && (err == nil || !strings.Contains(got, tc.want)) {
			t.Errorf("data: %s with %q: %s, want %s", tc.data, tc.set, got, tc.want)
		}
	}
}
