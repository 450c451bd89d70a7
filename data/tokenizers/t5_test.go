package tokenizers

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"example.com/gotrain/data/hf"
)

// TestT5: T5's forms of tokenizer.json, SentencePiece's Unigram with sentinels, give the ids and the texts of tokenizers,
// and so do the files that are written of them.
func TestT5(t *testing.T) {
	var golden struct {
		Texts []string
		Forms []struct {
			Name      string
			Tokenizer json.RawMessage
			IDs       [][]int32
			Decoded   []string
		}
	}
	raw, err := os.ReadFile("testdata/t5.json")
	if err == nil {
		err = json.Unmarshal(raw, &golden)
	}
	if err != nil || len(golden.Forms) != 3 {
		t.Fatalf("%d forms, %v", len(golden.Forms), err)
	}
	for _, form := range golden.Forms {
		first, notes, err := read(bytes.NewReader(form.Tokenizer), File, hf.TokenizerConfig{})
		if err != nil || len(notes) > 0 {
			t.Fatalf("%s: %v, %q", form.Name, err, notes)
		}
		again, _, err := read(bytes.NewReader(first.AppendJSON(nil)), File, hf.TokenizerConfig{})
		if err != nil {
			t.Fatalf("%s, written: %v", form.Name, err)
		}
		special := map[int32]bool{}
		for _, s := range first.Specials() {
			special[s.ID] = true
		}
		for i, text := range golden.Texts {
			frame := first.Frame()
			for way, tok := range map[string]interface {
				AppendEncodeSpecial([]int32, []byte, ...string) []int32
			}{"": first, ", written": again} {
				ids := append(tok.AppendEncodeSpecial(slices.Clone(frame.Before), []byte(text)), frame.After...)
				if !slices.Equal(ids, form.IDs[i]) {
					t.Errorf("%s%s: %q is %v, want %v", form.Name, way, text, ids, form.IDs[i])
				}
			}
			kept := slices.DeleteFunc(slices.Clone(form.IDs[i]), func(id int32) bool { return special[id] })
			if got := string(first.AppendDecode(nil, kept)); got != form.Decoded[i] {
				t.Errorf("%s: %v is %q, want %q", form.Name, form.IDs[i], got, form.Decoded[i])
			}
		}
	}
}
