// Package hf is what all tokenizers of the Hugging Face world share, whatever their model: errors of their files, added
// tokens and how text is cut at them, normalizers, pre-tokenizers, decoders, the special tokens around a sequence,
// tokenizer.json apart from its model, and tokenizer_config.json.
//
// The types in reading order: Text, which may know where each of its bytes comes from, and Editor, which makes one of
// another; AddedToken and Segmenter; Normalizer; PreTokenizer; Decoder; Frame; Document, which is tokenizer.json, with the
// table of its keys; TokenizerConfig, which is tokenizer_config.json, with another, and its Roles; FormatError and
// UnsupportedError.
//
// Values are immutable once made and safe for concurrent use. Nothing here prints or panics on input.
package hf
