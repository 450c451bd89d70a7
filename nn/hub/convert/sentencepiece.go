package convert

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/spm"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

// Kinds of SentencePiece in tokenizer.ggml.model: llama is BPE, t5 is unigram.
const (
	ggufBPEModel     = "llama"
	ggufUnigramModel = "t5"
)

// ggufPieces makes the tokenizer of pieces, scores and types as sentencepiece has
// them. Where a key is missing, the defaults are llama.cpp's (src/llama-vocab.cpp).
func ggufPieces(m gguf.Metadata, kind string, special nn.SpecialTokens) (*spm.Tokenizer, error) {
	pieces, err := readPieces(m)
	if err != nil {
		return nil, err
	}
	c := spm.Config{Algorithm: spm.BPE, Pieces: pieces, Added: spm.ControlTokens(pieces), Rules: &spm.Rules{}}
	if kind == ggufUnigramModel {
		c.Algorithm = spm.Unigram
	}
	c.ByteFallback = slices.ContainsFunc(pieces, func(p spm.Piece) bool { return p.Type == spm.Byte })
	addBOS, addEOS := c.Algorithm == spm.BPE, c.Algorithm == spm.Unigram
	c.Rules.DummyPrefix = true
	for key, to := range map[string]*bool{
		"add_space_prefix": &c.Rules.DummyPrefix, "remove_extra_whitespaces": &c.Rules.RemoveExtraSpace,
		"add_bos_token": &addBOS, "add_eos_token": &addEOS,
	} {
		value, ok, err := m.Bool("tokenizer.ggml." + key)
		if err != nil {
			return nil, err
		}
		if ok {
			*to = value
		}
	}
	if addBOS && special.BOS >= 0 {
		c.Frame.Before = []int32{int32(special.BOS)}
	}
	if addEOS && len(special.EOS) > 0 {
		c.Frame.After = []int32{int32(special.EOS[0])}
	}
	for _, id := range append(slices.Clone(c.Frame.Before), c.Frame.After...) {
		if int(id) >= len(pieces) {
			return nil, fmt.Errorf("a key of \"tokenizer.ggml.*_token_id\" is %d, there are %d tokens", id, len(pieces))
		}
	}
	if c.Rules.Charsmap, err = readCharsmap(m); err != nil {
		return nil, err
	}
	t, err := spm.New(c)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.ggml: %w", err)
	}
	return t, nil
}

// readPieces reads the tokens with their scores and types.
func readPieces(m gguf.Metadata) ([]spm.Piece, error) {
	tokens, _, err := m.Strings("tokenizer.ggml.tokens")
	if err != nil {
		return nil, err
	}
	types, _, err := m.Ints("tokenizer.ggml.token_type")
	if err != nil {
		return nil, err
	}
	value, _ := m.Get("tokenizer.ggml.scores")
	scores, ok := value.([]float32)
	if !ok || len(scores) != len(tokens) {
		return nil, fmt.Errorf("key \"tokenizer.ggml.scores\" holds no float32 for each of the %d tokens: convert the model again, or name a directory that has its tokenizer.json with --tokenizer", len(tokens))
	}
	if len(types) != len(tokens) {
		return nil, fmt.Errorf("key \"tokenizer.ggml.token_type\" has %d elements for %d tokens", len(types), len(tokens))
	}
	pieces := make([]spm.Piece, len(tokens))
	for id, text := range tokens {
		kind := types[id]
		if kind < int(spm.Normal) || kind > int(spm.Byte) {
			return nil, fmt.Errorf("key \"tokenizer.ggml.token_type\": token %d, %q, is of type %d; known are 1 … 6", id, text, kind)
		}
		pieces[id] = spm.Piece{Text: text, Score: float64(scores[id]), Type: spm.Type(kind)}
	}
	return pieces, nil
}

// readCharsmap reads the normalization of characters, nil where there is none.
func readCharsmap(m gguf.Metadata) (*hf.Charsmap, error) {
	const key = "tokenizer.ggml.precompiled_charsmap"
	values, _, err := m.Ints(key)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	raw := make([]byte, len(values))
	for i, v := range values {
		raw[i] = byte(v)
	}
	charsmap, err := hf.ParseCharsmap(raw)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", key, err)
	}
	return charsmap, nil
}

// piecesMetadata are the metadata of a SentencePiece tokenizer for a model of vocab
// tokens. Where llama.cpp would read them as another tokenizer, a note says so.
func piecesMetadata(t *spm.Tokenizer, vocab int) (gguf.Metadata, []string, error) {
	c := t.Config()
	if c.Hub == nil {
		return nil, nil, errors.New("the tokenizer is not that of a tokenizer.json")
	}
	rules, charsmap, err := rulesOfHub(c.Hub)
	if err != nil {
		return nil, nil, err
	}
	kind := ggufBPEModel
	if c.Algorithm == spm.Unigram {
		kind = ggufUnigramModel
	}
	pieces := typedPieces(c, vocab)
	tokens, types, scores := make([]string, vocab), make([]int32, vocab), make([]float32, vocab)
	for id, p := range pieces {
		tokens[id], types[id], scores[id] = p.Text, int32(p.Type), float32(p.Score)
	}
	m := gguf.Metadata{
		{Key: "tokenizer.ggml.model", Value: kind},
		{Key: "tokenizer.ggml.pre", Value: "default"},
		{Key: "tokenizer.ggml.tokens", Value: tokens},
		{Key: "tokenizer.ggml.scores", Value: scores},
		{Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.add_bos_token", Value: len(c.Frame.Before) > 0},
		{Key: "tokenizer.ggml.add_eos_token", Value: len(c.Frame.After) > 0},
		{Key: "tokenizer.ggml.add_space_prefix", Value: rules.DummyPrefix},
		{Key: "tokenizer.ggml.remove_extra_whitespaces", Value: rules.RemoveExtraSpace},
	}
	if c.Hub.Unknown >= 0 {
		m = append(m, gguf.KV{Key: "tokenizer.ggml.unknown_token_id", Value: uint32(c.Hub.Unknown)})
	}
	if charsmap != nil {
		m = append(m, gguf.KV{Key: "tokenizer.ggml.precompiled_charsmap", Value: charsmap.Raw()})
	}
	notes, err := pieceNotes(m, kind, t)
	return m, notes, err
}

// rulesOfHub finds sentencepiece's rules by what the normalizer and Metaspace do to
// a text.
func rulesOfHub(h *spm.Hub) (spm.Rules, *hf.Charsmap, error) {
	var r spm.Rules
	if h.Continuing != "" || h.Suffix != "" {
		return r, nil, errors.New("the tokenizer marks the inside or the end of words, as llama.cpp's do not")
	}
	normal := func(text string) string {
		var b strings.Builder
		h.PreTokenizer.Cut(h.Normalizer.ApplyTo(hf.NewText([]byte(text))), func(word hf.Text) { b.Write(word.Bytes) })
		return b.String()
	}
	one := normal("a b")
	if !strings.Contains(one, "▁") {
		return r, nil, errors.New("the tokenizer does not turn spaces into ▁, as llama.cpp's do")
	}
	r.DummyPrefix = !strings.HasPrefix(one, "a")
	r.RemoveExtraSpace = normal("a  b") == one
	return r, h.Normalizer.Charsmap(), nil
}

// typedPieces are the pieces of a tokenizer.json with the types and scores that
// sentencepiece would give them: a piece of a BPE scores minus the rank of the first
// merge that makes it, as in the models of Llama and Mistral.
func typedPieces(c spm.Config, vocab int) []spm.Piece {
	pieces := make([]spm.Piece, vocab)
	copy(pieces, c.Pieces)
	ids := make(map[string]int, len(c.Pieces))
	for id := range pieces {
		p := &pieces[id]
		ids[p.Text] = id
		switch {
		case p.Text == "":
			p.Text, p.Type = fmt.Sprintf("[PAD%d]", id), spm.Unused
		case c.ByteFallback && len(p.Text) == 6 && p.Text[:3] == "<0x" && p.Text[5] == '>':
			p.Type = spm.Byte
		}
	}
	for _, a := range c.Added {
		pieces[a.ID].Text, pieces[a.ID].Type = a.Content, spm.UserDefined
		if a.Special {
			pieces[a.ID].Type = spm.Control
		}
	}
	if c.Hub.Unknown >= 0 {
		pieces[c.Hub.Unknown].Type = spm.Unknown
	}
	if c.Algorithm == spm.BPE {
		ranked := make(map[int]bool, len(c.Hub.Merges))
		rank := func(id int) {
			if !ranked[id] {
				ranked[id] = true
				pieces[id].Score = -float64(len(ranked) - 1)
			}
		}
		for _, merge := range c.Hub.Merges {
			rank(ids[c.Pieces[merge.Left].Text+c.Pieces[merge.Right].Text])
		}
		for id, p := range pieces {
			if p.Type == spm.Normal {
				rank(id)
			}
		}
	}
	return pieces
}

// piecesProbe has what tokenizers treat differently: spaces at both ends and in
// runs, ligatures and full-width letters, capitals, bytes, line breaks, digits.
const piecesProbe = "  The quick  brown fox; the lazy dog's ﬁne Ｈｅｌｌｏ\n\n\tÄpfel naïve e\u0301 — 你好，世界 Привет 🦀 12345.678 if (x<=0) {return;} \x01 "

// pieceNotes tells where a tokenizer that is read from m, and becomes a tokenizer.json as
// in an import, differs from t. User-defined pieces are looked for in the text as it is
// then, as llama.cpp does, where sentencepiece does so once spaces are ▁.
func pieceNotes(m gguf.Metadata, kind string, t *spm.Tokenizer) ([]string, error) {
	pieces, err := ggufPieces(m, kind, nn.SpecialTokens{BOS: -1, PAD: -1})
	if err != nil {
		return nil, err
	}
	back, err := spm.ReadJSON(bytes.NewReader(pieces.AppendJSON(nil)), "tokenizer.ggml")
	if err != nil {
		return nil, err
	}
	for _, text := range append(strings.Fields(piecesProbe), piecesProbe) {
		want, got := t.AppendEncode(nil, []byte(text)), back.AppendEncode(nil, []byte(text))
		if !slices.Equal(got, want) {
			return []string{fmt.Sprintf("GGUF's tokenizers of kind %s cannot say all of this one: %q is tokens %v there, here %v", kind, text, got, want)}, nil
		}
	}
	return nil, nil
}

// modelTokenizer makes a tokenizer.json of the tokenizer.model in dir. It is
// os.ErrNotExist where there is none.
func modelTokenizer(dir string) ([]byte, error) {
	path := filepath.Join(dir, "tokenizer.model")
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	more := filepath.Join(dir, "added_tokens.json")
	if _, err := os.Stat(more); err == nil {
		return nil, fmt.Errorf("%s adds tokens to those of tokenizer.model: save the tokenizer with transformers' AutoTokenizer.save_pretrained", more)
	}
	t, err := spm.Load(path)
	if err != nil {
		return nil, err
	}
	return t.AppendJSON(nil), nil
}
