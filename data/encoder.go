package data

// Encoder is what this package needs of a tokenizer. AppendEncode must be safe for concurrent use.
type Encoder interface {
	// AppendEncode appends the ids of text to dst, without any special tokens, and returns the extended slice.
	// Text may be invalid UTF-8 and may be a part of a longer document.
	AppendEncode(dst []int32, text []byte) []int32
	// VocabSize is one more than the largest id.
	VocabSize() int
	// BeginOfText are the ids that begin a document, such as BOS; there may be none. They are no targets.
	BeginOfText() []int32
	// EndOfText is the id that ends a document.
	EndOfText() int32
	// Fingerprint identifies the mapping from text to ids: equal fingerprints, equal ids.
	Fingerprint() string
}

// TokenByter is an Encoder that knows the bytes behind an id, with which [Eval] counts bytes exactly.
type TokenByter interface {
	// TokenBytes returns the text of id, empty for special tokens. The caller does not modify it.
	TokenBytes(id int32) []byte
}
