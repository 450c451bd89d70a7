package tokenizers

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestAddedAsTokenizersDoes adds special tokens to tokenizers of all kinds: the ids of texts
// are those of Hugging Face's tokenizers, and what is written reads back to the same; see
// scripts/golden/added.py.
func TestAddedAsTokenizersDoes(t *testing.T) {
	raw, err := os.ReadFile("testdata/added.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Number, Vocab int
		Added         []string
		IDs           []int32
		Texts         [][2]json.RawMessage
	}
	if err := json.Unmarshal(raw, &cases); err != nil || len(cases) < 10 {
		t.Fatal(len(cases), err)
	}
	all := readGenerated(t)
	for _, c := range cases {
		number := c.Number
		before, err := Read(bytes.NewReader(all[number].Tokenizer), File)
		if err != nil {
			t.Fatal(err)
		}
		o, err := AddSpecial(Opened{Tokenizer: before}, c.Added)
		if err != nil || len(o.Notes) > 0 {
			t.Errorf("%d: %v, %q", number, err, o.Notes)
			continue
		}
		again, err := AddSpecial(o, c.Added)
		if err != nil || again.Tokenizer != o.Tokenizer {
			t.Errorf("%d: adding again changes the tokenizer, %v", number, err)
		}
		if again.Tokenizer, err = Read(bytes.NewReader(o.Tokenizer.AppendJSON(nil)), "written"); err != nil {
			t.Errorf("%d: %v", number, err)
			continue
		}
		for i, content := range c.Added {
			if id, ok := o.Tokenizer.Special(content); !ok || id != c.IDs[i] {
				t.Errorf("%d: %s is %d, want %d", number, content, id, c.IDs[i])
			}
		}
		if o.Tokenizer.Vocab() != c.Vocab {
			t.Errorf("%d: %d tokens, want %d", number, o.Tokenizer.Vocab(), c.Vocab)
		}
		for _, text := range c.Texts {
			s, want := decode[string](t, text[0]), decode[[]int32](t, text[1])
			for _, tok := range []Opened{o, again} {
				if got := tok.Tokenizer.AppendEncodeSpecial(nil, []byte(s)); !slices.Equal(got, want) {
					t.Errorf("%d: %q: %v, want %v", number, s, got, want)
				}
			}
		}
	}
}
