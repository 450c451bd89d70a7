package hf

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// steps is what scripts/golden/steps.py has written: each step of a tokenizer.json beside what tokenizers makes of texts
// or tokens with it.
type steps struct {
	Texts         []string
	Tokens        [][]string
	Normalizers   []step[string]
	PreTokenizers []step[[]string] `json:"pre_tokenizers"`
	Decoders      []step[string]
}

type step[T any] struct {
	raw  json.RawMessage
	want []T
}

func (s *step[T]) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&s.raw, &s.want})
}

func readSteps(t *testing.T) (s steps) {
	t.Helper()
	raw, err := os.ReadFile("testdata/steps.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Normalizers) < 50 || len(s.PreTokenizers) < 100 || len(s.Decoders) < 20 {
		t.Fatal("the golden file is cut")
	}
	return s
}

func TestNormalizersAsTokenizers(t *testing.T) {
	golden := readSteps(t)
	for _, s := range golden.Normalizers {
		n, err := ParseNormalizer(s.raw)
		if err != nil {
			t.Errorf("%s: %v", s.raw, err)
			continue
		}
		for i, text := range golden.Texts {
			if got := string(n.Apply([]byte(text))); got != s.want[i] {
				t.Errorf("%s makes %q of %q, want %q", s.raw, got, text, s.want[i])
			}
			if got := string(n.ApplyTo(TracedText([]byte(text))).Bytes); got != s.want[i] {
				t.Errorf("%s makes %q of %q with its places, want %q", s.raw, got, text, s.want[i])
			}
		}
	}
}

func TestPreTokenizersAsTokenizers(t *testing.T) {
	golden := readSteps(t)
	for _, s := range golden.PreTokenizers {
		p, err := ParsePreTokenizer(s.raw, false, nil)
		if err != nil {
			t.Errorf("%s: %v", s.raw, err)
			continue
		}
		for i, text := range golden.Texts {
			got := []string{}
			p.Cut(NewText([]byte(text)), func(word Text) { got = append(got, string(word.Bytes)) })
			if want := slices.DeleteFunc(s.want[i], func(w string) bool { return w == "" }); !slices.Equal(got, want) {
				t.Errorf("%s cuts %q into %q, want %q", s.raw, text, got, want)
			}
		}
	}
}

func TestDecodersAsTokenizers(t *testing.T) {
	golden := readSteps(t)
	for _, s := range golden.Decoders {
		d, err := ParseDecoder(s.raw)
		if err != nil {
			t.Errorf("%s: %v", s.raw, err)
			continue
		}
		for i, tokens := range golden.Tokens {
			got := strings.ToValidUTF8(string(d.Append([]byte("before"), tokens)), "\ufffd")
			if got != "before"+s.want[i] {
				t.Errorf("%s makes %q of %q, want %q", s.raw, got[len("before"):], tokens, s.want[i])
			}
		}
	}
}
