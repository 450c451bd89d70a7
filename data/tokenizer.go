package data

import "example.com/gotrain/data/hf"

// A Tokenizer turns text into token ids and back: *bpe.Tokenizer, *spm.Tokenizer and *wordpiece.Tokenizer, which give the ids of the original
// that they were read from. It is immutable and safe for concurrent use.
type Tokenizer interface {
	// Model names the kind in words, such as "byte-level BPE, pattern gpt2".
	Model() string
	// Vocab is one more than the largest id. Ids below it may be unused.
	Vocab() int
	// TokenBytes returns what a token adds to a text in the middle of it, nil for an id that is unused or out of range.
	// A special token adds its content. The caller does not modify it.
	TokenBytes(id int32) []byte
	// ID returns the id of the token that is spelled so, ordinary, special or otherwise added.
	ID(token []byte) (int32, bool)
	// Special returns the id of a special token by its content.
	Special(content string) (int32, bool)
	// Specials returns the special tokens in order of id.
	Specials() []hf.AddedToken
	// Frame returns the special tokens that the original puts before and behind a text, such as BOS.
	Frame() hf.Frame

	// AppendEncode appends the ids of text, without a frame; special tokens are not recognised in it.
	AppendEncode(dst []int32, text []byte) []int32
	// AppendEncodeSpecial is AppendEncode that recognises the special tokens in allowed, all of them without any.
	AppendEncodeSpecial(dst []int32, text []byte, allowed ...string) []int32
	// EncodeSpans returns the ids of text and for each of them the bytes of text that it stands for. Special tokens for which
	// ordinary is true stay text; it is told where each stands. nil finds all.
	EncodeSpans(text []byte, ordinary func(*hf.AddedToken, hf.Span) bool) ([]int32, []hf.Span)
	// EncodeParallel is AppendEncode(nil, text) by n goroutines, n ≤ 0 for GOMAXPROCS.
	EncodeParallel(text []byte, n int) []int32
	// AppendDecode appends the text of ids, the beginning of a text. It is what TokenBytes gives for each id, but for the
	// space that SentencePiece puts before a text when it encodes it. So to stream what follows a prompt, write the
	// TokenBytes of each id as it comes; a character may come in several tokens.
	AppendDecode(dst []byte, ids []int32) []byte

	// Fingerprint identifies the mapping from text to ids: equal fingerprints, equal ids.
	Fingerprint() string
	// AppendJSON appends the tokenizer as tokenizer.json, which Hugging Face tokenizers loads to the same ids.
	AppendJSON(dst []byte) []byte
	// ConfigJSON returns the tokenizer_config.json that goes beside it.
	ConfigJSON(hf.Roles) ([]byte, error)
}
