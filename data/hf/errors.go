package hf

import (
	"fmt"
	"strings"
)

// A FormatError reports a tokenizer file, or a Config, that does not say what it must.
type FormatError struct {
	File   string // path or name of the source; "" where there is none
	Key    string // place inside the document, as model.merges[17]; "" where the offset says it all
	Offset int64  // byte offset of the fault, -1 where unknown
	Fault  string // what is wrong
	Cure   string // what to do about it; may be empty
}

func (e *FormatError) Error() string {
	var b strings.Builder
	b.WriteString("tokenizer: ")
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Fault)
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	if e.Cure != "" {
		b.WriteString("; " + e.Cure)
	}
	return b.String()
}

// An UnsupportedError reports something well-formed that no code here does, such as an unknown split pattern.
type UnsupportedError struct {
	File  string // path or name of the source; "" where there is none
	What  string // kind of thing, as "split pattern"
	Value string // the thing itself
	Cure  string
}

func (e *UnsupportedError) Error() string {
	file := ""
	if e.File != "" {
		file = e.File + ": "
	}
	return fmt.Sprintf("tokenizer: %sunsupported %s %q; %s", file, e.What, e.Value, e.Cure)
}

// InFile names the source of an error that this package or a tokenizer made.
func InFile(err error, file string) error {
	switch e := err.(type) {
	case *FormatError:
		e.File = file
	case *UnsupportedError:
		e.File = file
	}
	return err
}

// Faultf makes the FormatError of a key.
func Faultf(key, format string, args ...any) *FormatError {
	return &FormatError{Key: key, Offset: -1, Fault: fmt.Sprintf(format, args...)}
}

// Quote shortens s for an error text.
func Quote(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%q…", s[:40])
	}
	return fmt.Sprintf("%q", s)
}
