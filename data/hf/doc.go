// Package hf is what all tokenizers of the Hugging Face world share, whatever their model: errors of their files, added
// tokens and how text is cut at them, normalizers, the special tokens around a sequence, tokenizer.json apart from its
// model, and tokenizer_config.json.
//
// The types in reading order: AddedToken and Segmenter; Normalizer; Frame; Document, which is tokenizer.json; Roles, which
// is tokenizer_config.json; FormatError and UnsupportedError.
//
// Values are immutable once made and safe for concurrent use. Nothing here prints or panics on input.
package hf
