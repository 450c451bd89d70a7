// Package safetensors reads and writes safetensors files, the format in which
// Hugging Face keeps model weights (https://github.com/huggingface/safetensors).
//
//	8 bytes   n, the length of the header, little endian
//	n bytes   header, JSON: {"__metadata__": {"format": "pt"},
//	              "wte.weight": {"dtype": "F32", "shape": [50257, 768], "data_offsets": [0, 154389504]}, …}
//	rest      the tensors, row-major, little endian, without gaps; offsets count from here
//
// [Open] maps a file into memory and gives its [Tensor]s; [OpenDir] does so for a
// directory of one file or several, [Parse] for bytes in hand. [Write] streams
// tensors to a writer; [Bytes] hands it a slice of numbers without copying.
// Reading trusts nothing: what a file declares is checked against its size before
// any of it is used, and memory and time are bounded by the header's length. A bad
// file is a *FormatError.
package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"unsafe"

	"example.com/gotrain/nn/hub/bits16"
)

// Limits of what is read and written.
const (
	MaxHeader  = 100_000_000 // bytes of the header, as in the reference implementation
	MaxTensors = 100_000     // tensors in a file
	MaxDims    = 16          // dimensions of a tensor
)

// DType is the type of a tensor's elements.
type DType uint8

// The element types, in the order of the reference implementation: files are
// laid out from the last to the first, so that every tensor is aligned.
const (
	Bool DType = iota + 1
	U8
	I8
	F8E5M2
	F8E4M3
	I16
	U16
	F16
	BF16
	I32
	U32
	F32
	F64
	I64
	U64
)

// dtypes gives the name in the header and the size in bytes of each DType.
var dtypes = [...]struct {
	name string
	size int
}{
	Bool: {"BOOL", 1}, U8: {"U8", 1}, I8: {"I8", 1}, F8E5M2: {"F8_E5M2", 1}, F8E4M3: {"F8_E4M3", 1},
	I16: {"I16", 2}, U16: {"U16", 2}, F16: {"F16", 2}, BF16: {"BF16", 2},
	I32: {"I32", 4}, U32: {"U32", 4}, F32: {"F32", 4},
	F64: {"F64", 8}, I64: {"I64", 8}, U64: {"U64", 8},
}

func (d DType) valid() bool { return d >= Bool && int(d) < len(dtypes) }

// Size gives the bytes of one element, 0 for a DType that is none.
func (d DType) Size() int {
	if !d.valid() {
		return 0
	}
	return dtypes[d].size
}

// String gives the name in the header, such as "BF16".
func (d DType) String() string {
	if !d.valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

func parseDType(name string) (DType, bool) {
	for d := Bool; d.valid(); d++ {
		if dtypes[d].name == name {
			return d, true
		}
	}
	return 0, false
}

// Tensor is one tensor of a file. When read, Data lies in the file's mapping: it
// is read-only and gone after File.Close. When written, its bytes come from Data
// or, if From is set, from that.
type Tensor struct {
	Name  string
	DType DType
	Shape []int  // nil or empty: a scalar
	Data  []byte // row-major, little endian
	From  io.WriterTo
}

// bytesOf gives the size of a tensor in bytes; ok is false on overflow or a bad
// DType or dimension.
func bytesOf(d DType, shape []int) (n int64, ok bool) {
	size := uint64(d.Size())
	ok = size > 0
	for _, dim := range shape {
		hi, lo := bits.Mul64(size, uint64(dim))
		ok = ok && dim >= 0 && hi == 0 && lo <= math.MaxInt64
		size = lo
	}
	return int64(size), ok
}

// CopyFloat32 converts a tensor of F32, F16, BF16 or F64 to float32 (F64 rounds
// to nearest) into dst, which must have its number of elements.
func (t Tensor) CopyFloat32(dst []float32) error {
	size := t.DType.Size()
	if size == 0 || len(t.Data) != len(dst)*size {
		return fmt.Errorf("tensor %q: %v %v of %d bytes do not fill %d float32", t.Name, t.DType, t.Shape, len(t.Data), len(dst))
	}
	switch t.DType {
	case F32:
		if littleEndian() {
			copy(Bytes(dst), t.Data)
			return nil
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = bits16.FromBF16(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = bits16.FromF16(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:])))
		}
	default:
		return fmt.Errorf("tensor %q: elements are %v, want F32, BF16, F16 or F64", t.Name, t.DType)
	}
	return nil
}

// Number is what Bytes takes; uint16 stands for the bits of F16 and BF16.
type Number interface {
	~uint8 | ~int8 | ~uint16 | ~int16 | ~uint32 | ~int32 | ~uint64 | ~int64 | ~float32 | ~float64
}

// Bytes gives the little endian bytes of v: its own memory, not a copy, on little
// endian machines.
func Bytes[T Number](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	if littleEndian() {
		return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
	}
	data, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(fmt.Sprintf("safetensors: Number holds a type without fixed size: %v", err))
	}
	return data
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// FormatError says what is wrong with a file or with what Write was given.
type FormatError struct {
	File    string // its name; empty when writing
	Tensor  string // the tensor concerned, if any
	Problem string
	Cure    string // what to do about it, if known
}

func (e *FormatError) Error() string {
	s := "safetensors"
	if e.File != "" {
		s = e.File
	}
	if e.Tensor != "" {
		s += fmt.Sprintf(": tensor %q", e.Tensor)
	}
	s += ": " + e.Problem
	if e.Cure != "" {
		s += "; " + e.Cure
	}
	return s
}
