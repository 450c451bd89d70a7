package tokenizers

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestCLIP compares ids of scripts/golden/clip.py: lower case, and another alphabet at the end of
// words.
func TestCLIP(t *testing.T) {
	f, err := os.Open("testdata/clip.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Tokenizer json.RawMessage
		Texts     []string
		IDs       [][]int32
	}
	if err := json.NewDecoder(z).Decode(&golden); err != nil {
		t.Fatal(err)
	}
	tokens, err := Read(bytes.NewReader(golden.Tokenizer), "clip.json")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(bytes.NewReader(tokens.AppendJSON(nil)), "again.json")
	if err != nil || again.Fingerprint() != tokens.Fingerprint() {
		t.Fatalf("written and read it is another: %v", err)
	}
	frame := tokens.Frame()
	for i, text := range golden.Texts {
		got := slices.Concat(frame.Before, tokens.AppendEncodeSpecial(nil, []byte(text)), frame.After)
		if !slices.Equal(got, golden.IDs[i]) {
			t.Errorf("%q is %v, want %v", text, got, golden.IDs[i])
		}
	}
}

// TestWordsCLIP: words of the texts are tokens, others are spelled, and a caption has its length.
func TestWordsCLIP(t *testing.T) {
	tokens, err := WordsCLIP([]string{"red circle", "Blue circle at the top", "circus"}, 600)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := tokens.Special(clipEnd)
	for text, want := range map[string]int{"red circle": 2, "RED  Circle": 2, "circus at": 2, "redd": 3, "": 0, "é": 2} {
		if got := tokens.AppendEncode(nil, []byte(text)); len(got) != want {
			t.Errorf("%q is %v, not %d tokens", text, got, want)
		}
	}
	got := Caption(tokens, "blue circle", 6, 7)
	if len(got) != 6 || got[3] != end || got[4] != 7 || got[5] != 7 {
		t.Errorf("a caption is %v", got)
	}
	if got := Caption(tokens, "blue circle at the top", 4, 7); len(got) != 4 || got[3] != end {
		t.Errorf("a long caption is %v", got)
	}
	again, err := WordsCLIP([]string{"circus", "Blue circle at the top", "red circle"}, 600)
	if err != nil || again.Fingerprint() != tokens.Fingerprint() {
		t.Error("the order of texts changes the tokenizer", err)
	}
	if _, err := CLIP(map[string]int64{"a": 0}, nil); err == nil {
		t.Error("a vocabulary without start and end is taken")
	}
}
