package config

import "fmt"

// Fault is a fault of a configuration that shows only when what it names is opened: a
// tokenizer, a base, the run that it goes on with.
type Fault struct{ Err error }

// Error tells the fault.
func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap returns what is behind it.
func (f *Fault) Unwrap() error { return f.Err }

// Faultf makes a Fault of a format.
func Faultf(format string, args ...any) error { return &Fault{fmt.Errorf(format, args...)} }
