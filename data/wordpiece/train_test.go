package wordpiece

import (
	"compress/gzip"
	"encoding/json"
	"iter"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// trained is a case of scripts/golden/wordpiece.py, which documents the fields.
type trained struct {
	Name      string
	Texts     []string
	Lowercase bool
	Vocab     int
	Tokens    []string
	IDs       [][4]json.RawMessage
	Pairs     [][4]json.RawMessage
	Tokenizer json.RawMessage
}

func readTrained(t *testing.T) (cases []trained) {
	t.Helper()
	f, err := os.Open("testdata/trained.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func documents(texts []string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, text := range texts {
			if !yield([]byte(text), nil) {
				return
			}
		}
	}
}

func decode[T any](t *testing.T, raw json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTrain learns the tokens of WordPieceTrainer, id by id, and gives the ids of hostile
// texts, of pairs of them, and the texts of ids that tokenizers gives.
func TestTrain(t *testing.T) {
	for _, c := range readTrained(t) {
		tok, err := Train(t.Context(), documents(c.Texts), TrainConfig{Vocab: c.Vocab, Lowercase: c.Lowercase})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if got := tok.Config().Pieces; !slices.Equal(got, c.Tokens) {
			at := 0
			for at < min(len(got), len(c.Tokens)) && got[at] == c.Tokens[at] {
				at++
			}
			t.Errorf("%s: %d tokens, want %d; from %d on %q, want %q", c.Name, len(got), len(c.Tokens), at, got[at:min(at+5, len(got))], c.Tokens[at:min(at+5, len(c.Tokens))])
			continue
		}
		checkIDs(t, c, tok)
	}
}

func checkIDs(t *testing.T, c trained, tok *Tokenizer) {
	t.Helper()
	encode := func(raw json.RawMessage) []int32 { return tok.AppendEncodeSpecial(nil, []byte(decode[string](t, raw))) }
	for _, row := range c.IDs {
		ids, _ := tok.Frame().Row(encode(row[0]), nil)
		if want := decode[[]int32](t, row[1]); !slices.Equal(ids, want) {
			t.Errorf("%s: %s: %v, want %v", c.Name, row[0], ids, want)
		}
		if got, want := string(tok.AppendDecode(nil, ids)), decode[string](t, row[3]); got != want {
			t.Errorf("%s: %s: decoded %q, want %q", c.Name, row[0], got, want)
		}
	}
	for _, row := range c.Pairs {
		second := encode(row[1])
		if second == nil {
			second = []int32{}
		}
		ids, kinds := tok.Frame().Row(encode(row[0]), second)
		if !slices.Equal(ids, decode[[]int32](t, row[2])) || !slices.Equal(kinds, decode[[]int32](t, row[3])) {
			t.Errorf("%s: %s and %s: %v of kinds %v, want %s %s", c.Name, row[0], row[1], ids, kinds, row[2], row[3])
		}
	}
}

// TestTrainedFile: the file says what that of tokenizers says, and is read to the same
// tokenizer.
func TestTrainedFile(t *testing.T) {
	for _, c := range readTrained(t) {
		tok, err := Train(t.Context(), documents(c.Texts), TrainConfig{Vocab: c.Vocab, Lowercase: c.Lowercase})
		if err != nil {
			t.Fatal(err)
		}
		file := tok.AppendJSON(nil)
		got, want := decode[map[string]any](t, file), decode[map[string]any](t, c.Tokenizer)
		for _, part := range []string{"normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "added_tokens"} {
			if !reflect.DeepEqual(got[part], want[part]) {
				t.Errorf("%s: %s is %.300v, tokenizers has %.300v", c.Name, part, got[part], want[part])
			}
		}
		again, err := read(t, string(file))
		if err != nil {
			t.Fatal(err)
		}
		if again.Fingerprint() != tok.Fingerprint() {
			t.Errorf("%s: read back it is another tokenizer", c.Name)
		}
	}
}

// TestTrainRefuses a vocabulary that the characters do not fit, and stops at the end of its
// context.
func TestTrainRefuses(t *testing.T) {
	_, err := Train(t.Context(), documents([]string{"abc de"}), TrainConfig{Vocab: 12, Lowercase: true})
	if err == nil || !strings.Contains(err.Error(), "the 5 characters of the text, at the beginning of words and inside, and 5 special tokens need at least 13") {
		t.Errorf("%v", err)
	}
	tok, err := Train(t.Context(), documents([]string{"abc de"}), TrainConfig{Vocab: 13, Lowercase: true})
	if err != nil || tok.Vocab() != 13 {
		t.Errorf("%v", err)
	}
}
