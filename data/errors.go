package data

import "fmt"

// SettingError is a fault of a setting that shows only when the texts are read, such as a held-out part of nothing.
type SettingError struct{ Err error }

// Error tells the fault.
func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns the fault itself.
func (e *SettingError) Unwrap() error { return e.Err }

func settingf(format string, args ...any) error { return &SettingError{fmt.Errorf(format, args...)} }
