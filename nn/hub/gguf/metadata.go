package gguf

import (
	"fmt"
	"math"
)

// Kind is the type of a metadata value, with the format's numbers.
type Kind uint32

// The kinds and the Go types of their values.
const (
	Uint8   Kind = iota // uint8
	Int8                // int8
	Uint16              // uint16
	Int16               // int16
	Uint32              // uint32
	Int32               // int32
	Float32             // float32
	Bool                // bool
	String              // string
	Array               // a slice of one of the other types, or []any of such slices
	Uint64              // uint64
	Int64               // int64
	Float64             // float64
)

// KV is a metadata entry; Value has the Go type of its Kind, or is a slice.
type KV struct {
	Key   string
	Value any
}

// Metadata are the entries of a file in their order. The getters report whether
// a key is there; a value of another kind is a *FormatError.
type Metadata []KV

// Get finds the value of a key.
func (m Metadata) Get(key string) (any, bool) {
	for _, kv := range m {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return nil, false
}

// String reads a text.
func (m Metadata) String(key string) (s string, ok bool, err error) {
	v, ok := m.Get(key)
	if !ok {
		return "", false, nil
	}
	if s, ok = v.(string); !ok {
		return "", false, wrongKind(key, v, "a string")
	}
	return s, true, nil
}

// Int reads a whole number of any kind that fits int.
func (m Metadata) Int(key string) (n int, ok bool, err error) {
	v, ok := m.Get(key)
	if !ok {
		return 0, false, nil
	}
	if n, ok = toInt(v); !ok {
		return 0, false, wrongKind(key, v, "a whole number")
	}
	return n, true, nil
}

// Float reads a number of any kind.
func (m Metadata) Float(key string) (x float64, ok bool, err error) {
	v, ok := m.Get(key)
	if !ok {
		return 0, false, nil
	}
	switch v := v.(type) {
	case float32:
		return float64(v), true, nil
	case float64:
		return v, true, nil
	}
	n, ok := toInt(v)
	if !ok {
		return 0, false, wrongKind(key, v, "a number")
	}
	return float64(n), true, nil
}

// Bool reads true or false.
func (m Metadata) Bool(key string) (b, ok bool, err error) {
	v, ok := m.Get(key)
	if !ok {
		return false, false, nil
	}
	if b, ok = v.(bool); !ok {
		return false, false, wrongKind(key, v, "true or false")
	}
	return b, true, nil
}

// Strings reads an array of texts.
func (m Metadata) Strings(key string) (s []string, ok bool, err error) {
	v, ok := m.Get(key)
	if !ok {
		return nil, false, nil
	}
	if s, ok = v.([]string); !ok {
		return nil, false, wrongKind(key, v, "an array of strings")
	}
	return s, true, nil
}

// Ints reads an array of whole numbers of one kind.
func (m Metadata) Ints(key string) (n []int, ok bool, err error) {
	v, ok := m.Get(key)
	if !ok {
		return nil, false, nil
	}
	switch v := v.(type) {
	case []uint8:
		n, ok = toInts(v)
	case []int8:
		n, ok = toInts(v)
	case []uint16:
		n, ok = toInts(v)
	case []int16:
		n, ok = toInts(v)
	case []uint32:
		n, ok = toInts(v)
	case []int32:
		n, ok = toInts(v)
	case []uint64:
		n, ok = toInts(v)
	case []int64:
		n, ok = toInts(v)
	default:
		ok = false
	}
	if !ok {
		return nil, false, wrongKind(key, v, "an array of whole numbers")
	}
	return n, true, nil
}

func wrongKind(key string, v any, want string) error {
	return &FormatError{Key: key, Problem: fmt.Sprintf("is of type %T, want %s", v, want), Cure: "convert the model again with a current version of its converter"}
}

func toInts[T any](values []T) ([]int, bool) {
	out := make([]int, len(values))
	for i, v := range values {
		var ok bool
		if out[i], ok = toInt(v); !ok {
			return nil, false
		}
	}
	return out, true
}

func toInt(v any) (n int, ok bool) {
	switch v := v.(type) {
	case uint8:
		return int(v), true
	case int8:
		return int(v), true
	case uint16:
		return int(v), true
	case int16:
		return int(v), true
	case uint32:
		return int(v), uint64(v) <= math.MaxInt
	case int32:
		return int(v), true
	case uint64:
		return int(v), v <= math.MaxInt
	case int64:
		return int(v), int64(int(v)) == v
	}
	return 0, false
}
