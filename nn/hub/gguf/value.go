package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// kinds gives the bytes of a value of each Kind, the least for strings and arrays.
var kinds = [...]int{Uint8: 1, Int8: 1, Uint16: 2, Int16: 2, Uint32: 4, Int32: 4, Float32: 4, Bool: 1,
	String: 8, Array: 12, Uint64: 8, Int64: 8, Float64: 8}

// value reads a value; depth counts the arrays around it.
func (r *reader) value(k Kind, depth int) (any, error) {
	switch k {
	case Uint8:
		return r.take(1)[0], nil
	case Int8:
		return int8(r.take(1)[0]), nil
	case Uint16:
		return binary.LittleEndian.Uint16(r.take(2)), nil
	case Int16:
		return int16(binary.LittleEndian.Uint16(r.take(2))), nil
	case Uint32:
		return r.uint32(), nil
	case Int32:
		return int32(r.uint32()), nil
	case Float32:
		return math.Float32frombits(r.uint32()), nil
	case Bool:
		return r.bool()
	case String:
		return r.string()
	case Array:
		return r.array(depth)
	case Uint64:
		return r.uint64(), nil
	case Int64:
		return int64(r.uint64()), nil
	case Float64:
		return math.Float64frombits(r.uint64()), nil
	}
	return nil, fmt.Errorf("value type %d is unknown", uint32(k))
}

func (r *reader) bool() (bool, error) {
	switch b := r.take(1)[0]; b {
	case 0:
		return false, nil
	case 1:
		return true, nil
	default:
		return false, fmt.Errorf("%d is neither true nor false", b)
	}
}

func (r *reader) array(depth int) (any, error) {
	k, n := Kind(r.uint32()), r.uint64()
	switch {
	case r.short:
		return nil, errShort
	case int64(k) >= int64(len(kinds)):
		return nil, fmt.Errorf("element type %d is unknown", uint32(k))
	case n > uint64(r.left()/kinds[k]):
		return nil, fmt.Errorf("an array of %d elements: %w", n, errShort)
	case depth == maxDepth:
		return nil, fmt.Errorf("arrays are nested deeper than %d", maxDepth)
	}
	switch k {
	case Uint8:
		return elements[uint8](r, k, n)
	case Int8:
		return elements[int8](r, k, n)
	case Uint16:
		return elements[uint16](r, k, n)
	case Int16:
		return elements[int16](r, k, n)
	case Uint32:
		return elements[uint32](r, k, n)
	case Int32:
		return elements[int32](r, k, n)
	case Float32:
		return elements[float32](r, k, n)
	case Bool:
		return elements[bool](r, k, n)
	case String:
		return elements[string](r, k, n)
	case Uint64:
		return elements[uint64](r, k, n)
	case Int64:
		return elements[int64](r, k, n)
	case Float64:
		return elements[float64](r, k, n)
	}
	out := make([]any, 0, n)
	for range n {
		v, err := r.array(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// elements reads n values of kind k, whose Go type is T.
func elements[T any](r *reader, k Kind, n uint64) ([]T, error) {
	out := make([]T, n)
	for i := range out {
		v, err := r.value(k, 0)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		out[i] = v.(T)
	}
	return out, nil
}

// kindOf gives the Kind of a Go value.
func kindOf(v any) (Kind, bool) {
	switch v.(type) {
	case uint8:
		return Uint8, true
	case int8:
		return Int8, true
	case uint16:
		return Uint16, true
	case int16:
		return Int16, true
	case uint32:
		return Uint32, true
	case int32:
		return Int32, true
	case float32:
		return Float32, true
	case bool:
		return Bool, true
	case string:
		return String, true
	case uint64:
		return Uint64, true
	case int64:
		return Int64, true
	case float64:
		return Float64, true
	case []uint8, []int8, []uint16, []int16, []uint32, []int32, []float32, []bool, []string, []uint64, []int64, []float64, []any:
		return Array, true
	}
	return 0, false
}

// appendValue appends the bytes of a value; depth counts the arrays around it.
func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(b, v), nil
	case []string:
		return appendArray(b, String, v, depth)
	case []uint8:
		return appendArray(b, Uint8, v, depth)
	case []int8:
		return appendArray(b, Int8, v, depth)
	case []uint16:
		return appendArray(b, Uint16, v, depth)
	case []int16:
		return appendArray(b, Int16, v, depth)
	case []uint32:
		return appendArray(b, Uint32, v, depth)
	case []int32:
		return appendArray(b, Int32, v, depth)
	case []float32:
		return appendArray(b, Float32, v, depth)
	case []bool:
		return appendArray(b, Bool, v, depth)
	case []uint64:
		return appendArray(b, Uint64, v, depth)
	case []int64:
		return appendArray(b, Int64, v, depth)
	case []float64:
		return appendArray(b, Float64, v, depth)
	case []any:
		for _, inner := range v {
			if k, ok := kindOf(inner); !ok || k != Array {
				return nil, fmt.Errorf("an element of []any is of type %T, want a slice", inner)
			}
		}
		return appendArray(b, Array, v, depth)
	}
	if _, ok := kindOf(v); !ok {
		return nil, fmt.Errorf("a value of type %T cannot be stored", v)
	}
	return binary.Append(b, binary.LittleEndian, v)
}

func appendArray[T any](b []byte, k Kind, values []T, depth int) ([]byte, error) {
	if depth == maxDepth {
		return nil, fmt.Errorf("arrays are nested deeper than %d", maxDepth)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(k))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(values)))
	for _, v := range values {
		var err error
		if b, err = appendValue(b, v, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}
