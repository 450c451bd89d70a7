package hf

import (
	"errors"
	"fmt"

	"example.com/gotrain/data/onig"
)

// maxRegexBytes bounds an expression; the longest in use have 400 bytes.
const maxRegexBytes = 1 << 14

// CompileRegex reads an expression in the syntax of tokenizers, which is Oniguruma's. What is not known is an
// *UnsupportedError that names the construct and its place.
func CompileRegex(text string) (*onig.Regex, error) {
	if len(text) > maxRegexBytes {
		return nil, Faultf("", "a regular expression of %d bytes, more than %d", len(text), maxRegexBytes)
	}
	re, err := onig.Compile(text)
	var fault *onig.Error
	if errors.As(err, &fault) {
		return nil, &UnsupportedError{What: "regular expression", Value: text, Cure: fmt.Sprintf("at byte %d: %s", fault.At, fault.What)}
	}
	return re, err
}
