package tokenizers

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
)

// generated is a tokenizer made at random and what Hugging Face's tokenizers makes of texts with it; see
// scripts/parity/generated.py. What it gets wrong by itself is left out.
type generated struct {
	Kind      string
	Tokenizer json.RawMessage
	Results   []struct {
		Text                string
		IDs, Special, Frame []int32
		Spans               [][2]int
		Decoded             *string
	}
}

func readGenerated(t *testing.T) []generated {
	t.Helper()
	file, err := os.Open("testdata/generated.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []generated
	if err := json.NewDecoder(text).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Tokenizers of all kinds, with normalizers, pre-tokenizers, decoders, frames and added tokens of all kinds, give the ids, the
// places and the text of the original, as they are read and as they are read back from what is written of them.
func TestGeneratedTokenizers(t *testing.T) {
	kinds := map[string]int{}
	for number, g := range readGenerated(t) {
		tok, err := Read(bytes.NewReader(g.Tokenizer), "tokenizer.json")
		if err != nil {
			t.Errorf("%d %s: %v", number, g.Kind, err)
			continue
		}
		again, err := Read(bytes.NewReader(tok.AppendJSON(nil)), "written")
		if err != nil {
			t.Errorf("%d %s, written: %v", number, g.Kind, err)
			continue
		}
		kinds[g.Kind]++
		for _, r := range g.Results {
			checkGenerated(t, number, g.Kind, tok, r.Text, r.IDs, r.Special, r.Spans)
			checkGenerated(t, number, g.Kind+", written", again, r.Text, r.IDs, r.Special, r.Spans)
			if got := slices.Concat(tok.Frame().Before, r.Special, tok.Frame().After); !slices.Equal(got, r.Frame) {
				t.Errorf("%d %s: %q: frame %v, want %v", number, g.Kind, r.Text, got, r.Frame)
			}
			if got := bytes.ToValidUTF8(tok.AppendDecode(nil, r.Special), []byte("\ufffd")); r.Decoded != nil && string(got) != *r.Decoded {
				t.Errorf("%d %s: decoded %q, want %q", number, g.Kind, got, *r.Decoded)
			}
		}
	}
	for _, kind := range []string{"byte-level", "bpe", "unigram", "wordpiece", "wordlevel"} {
		if kinds[kind] < 2 {
			t.Errorf("%d tokenizers of kind %s", kinds[kind], kind)
		}
	}
}

func checkGenerated(t *testing.T, number int, kind string, tok data.Tokenizer, text string, ids, special []int32, want [][2]int) {
	t.Helper()
	if got := tok.AppendEncode(nil, []byte(text)); !slices.Equal(got, ids) {
		t.Errorf("%d %s: %q: %v, want %v", number, kind, text, got, ids)
	}
	if got := tok.AppendEncodeSpecial(nil, []byte(text)); !slices.Equal(got, special) {
		t.Errorf("%d %s: %q with special tokens: %v, want %v", number, kind, text, got, special)
	}
	got, spans := tok.EncodeSpans([]byte(text), nil)
	if !slices.Equal(got, special) || len(spans) != len(got) {
		t.Errorf("%d %s: %q with spans: %v and %d spans, want %v", number, kind, text, got, len(spans), special)
	}
	for i, s := range spans {
		if want != nil && (s != hf.Span{Begin: want[i][0], End: want[i][1]}) {
			t.Errorf("%d %s: %q: token %d stands for %v, want %v", number, kind, text, i, s, want[i])
			return
		}
	}
}
