package wordpiece

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
)

// Special tokens of BERT.
const (
	Pad     = "[PAD]"
	Unknown = "[UNK]"
	CLS     = "[CLS]"
	Sep     = "[SEP]"
	Mask    = "[MASK]"
)

// Roles are those of the special tokens that Train gives a tokenizer.
func Roles() hf.Roles { return hf.Roles{Unknown: Unknown, Sep: Sep, Pad: Pad, CLS: CLS, Mask: Mask} }

// prefix marks pieces inside of words, maxChars is the longest word that is looked at; as
// BERT has them.
const (
	prefix   = "##"
	maxChars = 100
)

// A TrainConfig says what Train learns.
type TrainConfig struct {
	// Vocab is the number of tokens, special ones and characters included. The text may
	// give fewer.
	Vocab int
	// Lowercase has text lose case and accents.
	Lowercase bool
	// MinFrequency is the least count of a pair that is merged; 0 and 1 are the same.
	MinFrequency int64
	// Progress, if not nil, is called now and then.
	Progress func(bpe.Progress)
}

// Train learns BERT's tokenizer from documents: its normalizer and pre-tokenizer, pieces,
// [CLS] and [SEP] around a text. The special tokens have the first ids, then come the
// characters of the text in their order, those that stand inside words in the same order,
// and the pieces as they are merged.
//
// Pieces are those of WordPieceTrainer of Hugging Face tokenizers 0.23 on the same documents:
// of pairs of equal count it merges that of the smallest ids first, but the ids of characters
// inside words are in a random order there, so that its own runs differ in the order of
// pieces, and in which of equal ones come last.
//
// It returns an error of the iterator or of ctx as it is.
func Train(ctx context.Context, docs iter.Seq2[[]byte, error], cfg TrainConfig) (*Tokenizer, error) {
	c, err := blank(cfg.Lowercase)
	if err != nil {
		return nil, err
	}
	words, err := countWords(ctx, docs, c, cfg.Progress)
	if err != nil {
		return nil, err
	}
	alphabet, inside := characters(words)
	c.Pieces = append(append(append([]string{}, specials...), alphabet...), inside...)
	if n := len(c.Pieces); n > cfg.Vocab {
		return nil, &hf.FormatError{Key: "Vocab", Offset: -1, Fault: fmt.Sprintf("a vocabulary of %d tokens is out of range", cfg.Vocab),
			Cure: fmt.Sprintf("the %d characters of the text, at the beginning of words and inside, and %d special tokens need at least %d", len(alphabet), len(specials), n)}
	}
	join := func(left, right string) string { return left + strings.TrimPrefix(right, prefix) }
	c.Pieces, err = bpe.Learn(ctx, spell(words, c.Pieces), bpe.LearnConfig{Tokens: c.Pieces, Vocab: cfg.Vocab, MinFrequency: cfg.MinFrequency, Join: join, Progress: cfg.Progress})
	if err != nil {
		return nil, err
	}
	return New(c)
}

var specials = []string{Pad, Unknown, CLS, Sep, Mask}

// blank is BERT's tokenizer without pieces.
func blank(lowercase bool) (c Config, err error) {
	normalizer := fmt.Sprintf(`{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": %t}`, lowercase)
	c = Config{Prefix: prefix, MaxChars: maxChars, Unknown: int32(slices.Index(specials, Unknown))}
	if c.Normalizer, err = hf.ParseNormalizer(json.RawMessage(normalizer)); err != nil {
		return c, err
	}
	if c.PreTokenizer, err = hf.ParsePreTokenizer(json.RawMessage(`{"type": "BertPreTokenizer"}`), false, nil); err != nil {
		return c, err
	}
	if c.Decoder, err = hf.ParseDecoder(json.RawMessage(`{"type": "WordPiece", "prefix": "##", "cleanup": true}`)); err != nil {
		return c, err
	}
	for id, content := range specials {
		c.Added = append(c.Added, hf.AddedToken{ID: int32(id), Content: content, Special: true})
	}
	cls, sep := int32(slices.Index(specials, CLS)), int32(slices.Index(specials, Sep))
	c.Frame = hf.Frame{Before: []int32{cls}, After: []int32{sep}, Pair: hf.BertPair(cls, sep)}
	return c, nil
}

// countWords counts the words of all documents.
func countWords(ctx context.Context, docs iter.Seq2[[]byte, error], c Config, progress func(bpe.Progress)) (map[string]int64, error) {
	counts, read := map[string]int64{}, int64(0)
	segments := hf.NewSegmenter(nil, c.Normalizer)
	for doc, err := range docs {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		segments.Cut(hf.NewText(doc), hf.AllSpecial, func(p hf.Piece) {
			c.PreTokenizer.Cut(p.Text, func(word hf.Text) { counts[string(word.Bytes)]++ })
		})
		if read += int64(len(doc)); progress != nil {
			progress(bpe.Progress{Bytes: read})
		}
	}
	return counts, nil
}

// characters are those of the words, and those that stand inside of words, as pieces, in
// their order.
func characters(words map[string]int64) (all, inside []string) {
	seen, within := map[rune]bool{}, map[rune]bool{}
	for word := range words {
		for i, r := range word {
			seen[r] = true
			if i > 0 {
				within[r] = true
			}
		}
	}
	for _, r := range slices.Sorted(maps.Keys(seen)) {
		all = append(all, string(r))
	}
	for _, r := range slices.Sorted(maps.Keys(within)) {
		inside = append(inside, prefix+string(r))
	}
	return all, inside
}

// spell writes the words in characters by the ids of their pieces.
func spell(words map[string]int64, pieces []string) bpe.Words {
	ids := make(map[string]int32, len(pieces))
	for id, piece := range pieces {
		ids[piece] = int32(id)
	}
	var out bpe.Words
	for _, word := range slices.Sorted(maps.Keys(words)) {
		for i, r := range word {
			piece := string(r)
			if i > 0 {
				piece = prefix + piece
			}
			out.Symbols = append(out.Symbols, ids[piece])
		}
		out.Ends, out.Counts = append(out.Ends, len(out.Symbols)), append(out.Counts, words[word])
	}
	return out
}
