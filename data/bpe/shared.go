package bpe

import "example.com/gotrain/data/hf"

// The types that all tokenizers share.
type (
	// An AddedToken is found in text as it stands, before the split pattern sees any of it.
	AddedToken = hf.AddedToken
	// Roles says which special tokens play which part.
	Roles = hf.Roles
	// A FormatError reports a tokenizer file, or a Config, that does not say what it must.
	FormatError = hf.FormatError
	// An UnsupportedError reports something well-formed that this package does not do.
	UnsupportedError = hf.UnsupportedError
)

// faultf makes the FormatError of a key.
func faultf(key, format string, args ...any) *FormatError { return hf.Faultf(key, format, args...) }

// quote shortens s for an error text.
func quote(s string) string { return hf.Quote(s) }

// inFile names the source of an error.
func inFile(err error, file string) error { return hf.InFile(err, file) }
