package convert

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/spm"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

const pieceModels = "../../../data/spm/testdata/"

// readPieceTokenizer reads a SentencePiece tokenizer.json.
func readPieceTokenizer(t *testing.T, text []byte) *spm.Tokenizer {
	t.Helper()
	tokenizer, err := spm.ReadJSON(bytes.NewReader(text), "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// TestPieces takes SentencePiece tokenizers to GGUF and back: ids stay.
func TestPieces(t *testing.T) {
	for _, name := range []string{"bpe", "unigram", "unigram_bytes"} {
		original, err := spm.Load(pieceModels + name + ".model")
		if err != nil {
			t.Fatal(err)
		}
		want := readPieceTokenizer(t, original.AppendJSON(nil))
		vocab := original.Vocab() + 3
		special, roles := nn.SpecialTokens{BOS: -1, PAD: -1}, []string{`"unk_token": "<unk>"`}
		if id, ok := original.Special("<s>"); ok {
			special.BOS, roles = int(id), append(roles, `"bos_token": "<s>"`)
		}
		if id, ok := original.Special("</s>"); ok {
			special.EOS, roles = []int{int(id)}, append(roles, `"eos_token": "</s>"`)
		}
		m, notes, err := tokenizerMetadata(tokenizerFiles{tokenizer: original.AppendJSON(nil), config: []byte("{}")}, vocab, special)
		if err != nil || len(notes) > 0 {
			t.Fatal(name, err, notes)
		}
		m = throughFile(t, m)
		back, err := ggufTokenizer(m, 64, special)
		if err != nil {
			t.Fatal(name, err)
		}
		got := readPieceTokenizer(t, back.tokenizer)
		if got.Vocab() != vocab {
			t.Errorf("%s: %d tokens, want %d", name, got.Vocab(), vocab)
		}
		for _, text := range append(strings.Fields(piecesProbe), piecesProbe, "<s>a</s>", "") {
			a, b := got.AppendEncode(nil, []byte(text)), want.AppendEncode(nil, []byte(text))
			if !slices.Equal(a, b) {
				t.Errorf("%s: %q is %v, want %v", name, text, a, b)
			}
			a, b = got.AppendEncodeSpecial(nil, []byte(text)), want.AppendEncodeSpecial(nil, []byte(text))
			if !slices.Equal(a, b) {
				t.Errorf("%s: with special tokens %q is %v, want %v", name, text, a, b)
			}
		}
		if a, b := got.Frame(), want.Frame(); !slices.Equal(a.Before, b.Before) || !slices.Equal(a.After, b.After) {
			t.Errorf("%s: frame %v, want %v", name, a, b)
		}
		for _, role := range roles {
			if !strings.Contains(string(back.config), role) {
				t.Errorf("%s: no %s in %s", name, role, back.config)
			}
		}
	}
}

// throughFile writes metadata to a file and reads them again.
func throughFile(t *testing.T, m gguf.Metadata) gguf.Metadata {
	t.Helper()
	var text bytes.Buffer
	if err := gguf.Write(io.Writer(&text), m, nil); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse("x.gguf", text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return f.Metadata()
}

// TestPiecesFaults changes one entry of good metadata.
func TestPiecesFaults(t *testing.T) {
	original, err := spm.Load(pieceModels + "bpe.model")
	if err != nil {
		t.Fatal(err)
	}
	special := nn.SpecialTokens{BOS: 1, PAD: -1, EOS: []int{2}}
	good, _, err := tokenizerMetadata(tokenizerFiles{tokenizer: original.AppendJSON(nil), config: []byte("{}")}, original.Vocab(), special)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"tokenizer.ggml.scores", []float32{1}, "holds no float32 for each"},
		{"tokenizer.ggml.token_type", []int32{1}, "has 1 elements"},
		{"tokenizer.ggml.token_type", make([]int32, original.Vocab()), "is of type 0"},
		{"tokenizer.ggml.add_space_prefix", "yes", "is of type string"},
		{"tokenizer.ggml.tokens", make([]string, 2), "for each of the 2 tokens"},
		{"tokenizer.ggml.model", "bert", `tokenizers of kind "bert"`},
	} {
		m := slices.Clone(good)
		for i := range m {
			if m[i].Key == c.key {
				m[i].Value = c.value
			}
		}
		if _, err := ggufTokenizer(m, 64, special); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %v: %v, want %s", c.key, c.value, err, c.want)
		}
	}
	if _, err := ggufTokenizer(good, 64, nn.SpecialTokens{BOS: 1 << 20, PAD: -1}); err == nil || !strings.Contains(err.Error(), "token_id") {
		t.Errorf("a BOS token out of range: %v", err)
	}
}

// TestModelFile imports the tokenizer of a directory that has tokenizer.model alone.
func TestModelFile(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(pieceModels + "bpe.model")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tokenizer.model"), string(text))
	files, err := readTokenizer(dir)
	if err != nil {
		t.Fatal(err)
	}
	original, err := spm.ReadModel(bytes.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(files.tokenizer, original.AppendJSON(nil)) {
		t.Error("another tokenizer")
	}
	write(t, filepath.Join(dir, "added_tokens.json"), "{}")
	if _, err := readTokenizer(dir); err == nil || !strings.Contains(err.Error(), "added_tokens.json adds tokens") {
		t.Errorf("with added_tokens.json: %v", err)
	}
}
