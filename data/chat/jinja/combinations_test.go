package jinja

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// family are templates with places $1, $2 … and what stands there in turn, the last place turning fastest; sums are those of
// scripts/golden/combinations.py.
type family struct {
	Templates, Sums []string
	Places          [][]string
}

// TestCombinations renders each operator, filter, test and method with values of each type, and statements within statements.
// A sum that differs is that of a template and of a choice of all places but the last: scripts/golden/combinations.py tells
// what jinja2 makes of it.
func TestCombinations(t *testing.T) {
	raw, err := os.ReadFile("testdata/combinations.json")
	if err != nil {
		t.Fatal(err)
	}
	var families []family
	if err := json.Unmarshal(raw, &families); err != nil {
		t.Fatal(err)
	}
	_, sets := readGolden(t)
	if len(families) < 16 {
		t.Errorf("only %d families", len(families))
	}
	for i, f := range families {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			f.compare(t, sets["chat"])
		})
	}
}

func (f family) compare(t *testing.T, variables map[string]Value) {
	sums := f.Sums
	for _, template := range f.Templates {
		each(f.Places[:len(f.Places)-1], func(choice []string) {
			if len(sums) == 0 {
				t.Fatal("too few sums")
			}
			h := sha256.New()
			for _, last := range f.Places[len(f.Places)-1] {
				h.Write([]byte(combined(template, append(slices.Clone(choice), last), variables) + "\x00"))
			}
			if got := fmt.Sprintf("%x", h.Sum(nil))[:8]; got != sums[0] {
				t.Errorf("%q with %q has the sum %s, want %s", template, choice, got, sums[0])
			}
			sums = sums[1:]
		})
	}
	if len(sums) > 0 {
		t.Errorf("%d sums are left", len(sums))
	}
}

// each calls f for each choice of one text of each place.
func each(places [][]string, f func(choice []string)) {
	if len(places) == 0 {
		f(nil)
		return
	}
	for _, first := range places[0] {
		each(places[1:], func(choice []string) { f(append([]string{first}, choice...)) })
	}
}

// combined is what a template becomes with its places filled in: its text, or "!" for an error that is none of the engine's.
func combined(template string, choice []string, variables map[string]Value) string {
	for i, text := range choice {
		template = strings.ReplaceAll(template, "$"+strconv.Itoa(i+1), text)
	}
	got, err := render(template, variables)
	var fault *Error
	switch {
	case err == nil:
		return got.Text
	case errors.As(err, &fault) && fault.Kind != Internal:
		return "!"
	}
	return err.Error()
}
