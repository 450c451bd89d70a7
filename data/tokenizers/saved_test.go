package tokenizers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"testing"
)

// parts decodes a tokenizer.json.
func parts(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// same tells whether two decoded values are equal, numbers but for their last bits:
// tokenizers rounds scores twice as it reads them.
func same(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Abs(a-b) <= 1e-14*math.Abs(a)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	}
	return a == b
}

// TestSavedAsTokenizersSave writes tokenizers again that Hugging Face tokenizers has
// written: each part says the same. Of a post_processor that is what a single text
// gets; a byte-level tokenizer without a decoder gets the one of bytes.
func TestSavedAsTokenizersSave(t *testing.T) {
	files := map[string][]byte{}
	for _, name := range []string{"hf_gpt2", "hf_gpt4", "hf_o200k"} {
		text, err := os.ReadFile("../bpe/testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	for i, g := range readGenerated(t) {
		files[fmt.Sprint(i, " ", g.Kind)] = g.Tokenizer
	}
	for name, text := range files {
		tok, err := Read(bytes.NewReader(text), name)
		if err != nil {
			t.Fatal(err)
		}
		got, want := parts(t, tok.AppendJSON(nil)), parts(t, text)
		for part := range want {
			switch {
			case part == "decoder" && want[part] == nil && got[part] != nil:
				want[part] = map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}
			case part == "post_processor":
				theirs, _ := want[part].(map[string]any)
				if theirs["type"] != "TemplateProcessing" {
					continue
				}
				ours := got[part].(map[string]any)
				got[part], want[part] = ours["single"], theirs["single"]
				for content, special := range ours["special_tokens"].(map[string]any) {
					if !same(special, theirs["special_tokens"].(map[string]any)[content]) {
						t.Errorf("%s: %s of the post_processor is %v", name, content, special)
					}
				}
			}
			if !same(got[part], want[part]) {
				t.Errorf("%s: %s is\n%.600v, tokenizers has\n%.600v", name, part, got[part], want[part])
			}
		}
	}
}
