// Package bpe is a byte-level BPE tokenizer: it trains, encodes, decodes, and reads and writes the files of its peers.
//
// Text is cut into pre-tokens by a Pattern; in each pre-token, which starts as single bytes, the adjacent pair of lowest
// rank, the leftmost of equals, is merged until no pair has a rank (Sennrich et al. 2016, arXiv:1508.07909; bytes as in
// GPT-2). Every byte is a token, so decoding an encoding gives back any bytes, valid UTF-8 or not.
//
// The types in reading order: Pattern, Config and Tokenizer; TrainConfig for Train; Load and Save for tokenizer.json of
// Hugging Face tokenizers; LoadTiktoken for the rank files of tiktoken; Bytes and Characters for trivial vocabularies.
//
// A Tokenizer is immutable and safe for concurrent use. Errors are *FormatError and *UnsupportedError, those of the
// operating system, and those of the caller's iterators; nothing here prints or panics on input.
package bpe

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"strconv"
	"sync"

	"example.com/gotrain/data/hf"
)

const maxVocab = hf.MaxVocab

// EndOfText is the special token that separates documents in GPT-2 and its descendants.
const EndOfText = "<|endoftext|>"

// A Merge joins two adjacent tokens into the token of their joined bytes.
type Merge struct{ Left, Right int32 }

// A Config is the whole definition of a Tokenizer.
type Config struct {
	Pattern Pattern
	// PreTokenizer cuts text in the place of Pattern, nil for Pattern. Its words are bytes.
	PreTokenizer *hf.PreTokenizer
	// Tokens holds the bytes of each id; "" for an id that is unused or only in Added. No two tokens may be equal. Single
	// bytes that are not there (SmolLM2 lacks some that UTF-8 hardly needs) are passed over in text, as in tokenizers.
	Tokens []string
	// Merges in order of rank, lowest first. The joined bytes of each must be in Tokens. Of a pair that comes twice the
	// later rank holds, as in tokenizers.
	Merges []Merge
	// Added tokens; those that are in Tokens too have the id that they have there.
	Added []AddedToken
	// IgnoreMerges makes a pre-token that is in Tokens that token, whatever the merges would make of it (tiktoken, Llama 3).
	IgnoreMerges bool
	// Normalizer alters text before it is split, as NFC does for Qwen; decoding gives the altered text.
	Normalizer hf.Normalizer
	// Frame is the special tokens that the original puts around a sequence.
	Frame hf.Frame
}

// A Tokenizer turns bytes into token ids and back. Make one with New, Train, Load, LoadTiktoken, Bytes or Characters.
type Tokenizer struct {
	cfg     Config
	split   splitter
	vocab   vocabulary
	byteIDs [256]int32 // -1 for a byte that is no token
	gaps    bool       // there are such bytes
	pairs   pairTable

	specials  map[string]int32 // special tokens by content
	segmenter *hf.Segmenter

	encoders    chan *encoder // idle ones, with warm caches
	fingerprint func() string
}

// New checks cfg and builds its Tokenizer. The slices of cfg must not be changed afterwards.
func New(cfg Config) (*Tokenizer, error) {
	if int(cfg.Pattern) >= len(patternTable) {
		return nil, faultf("Pattern", "%d is not a pattern", cfg.Pattern)
	}
	t := &Tokenizer{cfg: cfg, split: newSplitter(cfg.Pattern)}
	var err error
	if t.vocab, err = newVocabulary(cfg.Tokens, cfg.Added); err != nil {
		return nil, err
	}
	for b := range t.byteIDs {
		id, ok := t.vocab.id([]byte{byte(b)})
		if !ok {
			id, t.gaps = -1, true
		}
		t.byteIDs[b] = id
	}
	if t.pairs, err = newPairTable(&t.vocab, cfg.Merges); err != nil {
		return nil, err
	}
	t.specials = map[string]int32{}
	for _, a := range cfg.Added {
		if a.Special {
			t.specials[a.Content] = a.ID
		}
	}
	t.segmenter = hf.NewSegmenter(cfg.Added, cfg.Normalizer)
	if err := cfg.Frame.Check(t.Vocab()); err != nil {
		return nil, err
	}
	t.encoders = make(chan *encoder, runtime.GOMAXPROCS(0))
	t.fingerprint = sync.OnceValue(t.hash)
	return t, nil
}

// Config returns the definition of t. Its slices are shared: do not change them.
func (t *Tokenizer) Config() Config { return t.cfg }

// Pattern returns the split pattern.
func (t *Tokenizer) Pattern() Pattern { return t.cfg.Pattern }

// Model names the kind of tokenizer in words.
func (t *Tokenizer) Model() string {
	pattern := t.cfg.Pattern.String()
	if t.cfg.PreTokenizer != nil {
		pattern = "of its own"
	}
	return "byte-level BPE, pattern " + pattern + ", " + strconv.Itoa(len(t.cfg.Merges)) + " merges"
}

// Vocab returns the size of the vocabulary: one more than the largest id. Ids below it may be unused.
func (t *Tokenizer) Vocab() int { return t.vocab.size() }

// TokenBytes returns the bytes of a token, nil for an id that is unused or out of range.
func (t *Tokenizer) TokenBytes(id int32) []byte {
	if s := t.vocab.text(id); s != "" {
		return []byte(s)
	}
	return nil
}

// ID returns the id of the token with these bytes, ordinary or added.
func (t *Tokenizer) ID(token []byte) (int32, bool) {
	if id, ok := t.vocab.id(token); ok {
		return id, true
	}
	return hf.AddedID(t.cfg.Added, token)
}

// Special returns the id of a special token by its content, such as EndOfText.
func (t *Tokenizer) Special(content string) (int32, bool) {
	id, ok := t.specials[content]
	return id, ok
}

// Specials returns the special tokens in order of id.
func (t *Tokenizer) Specials() []AddedToken {
	return hf.Specials(t.cfg.Added)
}

// Frame returns the special tokens that the original puts before and behind a text.
func (t *Tokenizer) Frame() hf.Frame { return t.cfg.Frame }

// AppendDecode appends the bytes of ids to dst. Ids that are unused or out of range add nothing.
func (t *Tokenizer) AppendDecode(dst []byte, ids []int32) []byte {
	for _, id := range ids {
		dst = append(dst, t.vocab.text(id)...)
	}
	return dst
}

// Fingerprint returns a hash, in hexadecimal, of all that decides ids: equal fingerprints mean equal encodings.
func (t *Tokenizer) Fingerprint() string { return t.fingerprint() }

func (t *Tokenizer) hash() string {
	h := sha256.New()
	var buf []byte
	number := func(n int) { buf = binary.AppendVarint(buf, int64(n)) }
	flag := func(b bool) {
		if b {
			number(1)
		} else {
			number(0)
		}
	}
	text := func(s string) {
		number(len(s))
		buf = append(buf, s...)
	}
	buf = append(buf, "gotrain bpe 1\n"...)
	text(t.cfg.Pattern.String())
	flag(t.cfg.IgnoreMerges)
	number(t.Vocab())
	for id := range int32(t.Vocab()) {
		text(t.vocab.text(id))
	}
	number(len(t.cfg.Merges))
	for _, m := range t.cfg.Merges {
		number(int(m.Left))
		number(int(m.Right))
	}
	number(len(t.cfg.Added))
	for _, a := range t.cfg.Added {
		number(int(a.ID))
		text(a.Content)
		flag(a.Special)
		flag(a.SingleWord)
		flag(a.LStrip)
		flag(a.RStrip)
		flag(a.Normalized)
	}
	if p := t.cfg.PreTokenizer; p != nil {
		text(string(p.AppendJSON(nil)))
	}
	if !t.cfg.Normalizer.Identity() {
		text(string(t.cfg.Normalizer.AppendJSON(nil)))
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}
