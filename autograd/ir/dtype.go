package ir

import "fmt"

// DType is the element type of a value.
type DType uint8

const (
	F32 DType = iota
	BF16
	I32
	// TF32 is F32 in memory; as the precision of Products it lets a back end round
	// the operands of products to TensorFloat-32, 10 bits of mantissa.
	TF32
	// U8, U4 and U1 are unsigned integers that ToFloat decodes. Several of the
	// smaller ones lie in a byte, the first in its lowest bits; a tensor begins at
	// a byte.
	U8
	U4
	U1
	// Int8 and those behind it are what frozen matrices are quantised to: kinds read them
	// as weights (Weight, Lookup) and decode them as they go. Package quant has the codes.
	//
	// Int8 has a byte an element and, behind all of them, a float32 absmax for each row,
	// as LLM.int8 does (Dettmers et al. 2022).
	Int8
	// NF4 has 4 bits an element, the first of two in the high half of a byte, and behind
	// all of them a float32 absmax for each 64 elements, whatever row they are of
	// (Dettmers et al. 2023). NF4Double has a byte for each absmax, a float32 for each
	// 256 of these, and one to add: 4.127 bits an element.
	NF4
	NF4Double
)

// Block is the number of elements of NF4 that have one absmax, and Group that of absmax
// of NF4Double that have one scale.
const (
	Block = 64
	Group = 256
)

var dtypes = [...]struct {
	name string
	bits int // of an element, without what several share
}{
	F32: {"f32", 32}, BF16: {"bf16", 16}, I32: {"i32", 32}, TF32: {"tf32", 32}, U8: {"u8", 8}, U4: {"u4", 4}, U1: {"u1", 1},
	Int8: {"int8", 8}, NF4: {"nf4", 4}, NF4Double: {"nf4-double", 4},
}

// Bits returns the width of an element.
func (d DType) Bits() int { return dtypes[d].bits }

// Bytes returns the size of a tensor. Of a quantised one, each part begins at a multiple
// of 4 bytes.
func (d DType) Bytes(s Shape) int64 {
	n := int64(s.Size())
	bytes := (n*int64(d.Bits()) + 7) / 8
	switch d {
	case Int8:
		return words(bytes) + 4*int64(s.Rows())
	case NF4:
		return words(bytes) + 4*parts(n, Block)
	case NF4Double:
		blocks := parts(n, Block)
		return words(bytes) + words(blocks) + 4*parts(blocks, Group) + 4
	}
	return bytes
}

// words rounds a number of bytes up to a multiple of 4.
func words(bytes int64) int64 { return (bytes + 3) &^ 3 }

// parts is the number of parts of so many that n elements make.
func parts(n, of int64) int64 { return (n + of - 1) / of }

// Float tells whether elements are floating-point numbers.
func (d DType) Float() bool { return d == F32 || d == BF16 || d == TF32 }

// Packed tells whether elements are unsigned integers of a byte or less.
func (d DType) Packed() bool { return d == U8 || d == U4 || d == U1 }

// Quantised tells whether elements are codes that share scales.
func (d DType) Quantised() bool { return d >= Int8 }

// String returns the name used in dumps and configurations: f32, bf16, nf4, ….
func (d DType) String() string { return dtypes[d].name }

// CheckStored returns an error for a tensor that has no such type: quantised ones are
// matrices.
func (d DType) CheckStored(s Shape) error {
	if d.Quantised() && len(s) != 2 {
		return fmt.Errorf("%s%s: only matrices are quantised", d, s)
	}
	return nil
}
