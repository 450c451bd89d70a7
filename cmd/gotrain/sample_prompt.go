package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// readPrompt returns the text to continue. Of what comes from a pipe or a file the last
// line end is no part: it is the end of a line that was typed.
func (f *sampleFlags) readPrompt(in io.Reader) (string, error) {
	if f.promptFile == "" && f.prompt != "-" {
		return f.prompt, nil
	}
	name, read := "--prompt -", io.ReadAll
	if f.promptFile != "" {
		name = "--prompt-file"
		read = func(io.Reader) ([]byte, error) { return os.ReadFile(f.promptFile) }
	}
	text, err := read(in)
	if errors.Is(err, os.ErrNotExist) {
		return "", usagef("%s: %w", name, err)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}
