// Package gguf reads and writes GGUF files, the format of llama.cpp and its
// relatives (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
//
//	"GGUF", version 2 or 3, number of tensors, number of metadata entries
//	metadata     key, type and value of each: "llama.block_count", uint32, 30
//	tensors      name, dimensions, type and offset of each: "blk.0.attn_q.weight", [576 576], Q4_1, 28317696
//	padding      to a multiple of "general.alignment", 32 if it is absent
//	data         of the tensors, each at a multiple of it; offsets count from here
//
// All numbers are little endian. [Open] maps a file into memory and gives its
// [Metadata] and [Tensor]s; [Parse] does so for bytes in hand. [Type] says how
// the elements of a tensor are stored and decodes them to float32, block by
// block. [Write] streams metadata and tensors to a writer.
//
// Shapes are row-major, the outermost dimension first, as in safetensors: the
// reverse of the dimensions in the file.
//
// Reading trusts nothing: every count, length and offset is checked against the
// bytes that are there before anything is allocated, so that memory is in
// proportion to the file's head. A bad file is a *FormatError.
package gguf

import (
	"fmt"
	"io"
	"math"
	"math/bits"
)

// Limits of what is read and written.
const (
	MaxTensors = 100_000 // tensors in a file
	MaxKeys    = 100_000 // metadata entries
	MaxName    = 65535   // bytes of a key or a tensor's name
	MaxDims    = 4       // dimensions of a tensor
	maxDepth   = 4       // arrays inside arrays
)

const (
	magic            = "GGUF"
	minVersion       = 2
	maxVersion       = 3 // the version that Write gives
	headerBytes      = 24
	alignmentKey     = "general.alignment"
	defaultAlignment = 32
)

// Tensor is one tensor of a file. When read, Data lies in the file's mapping: it
// is read-only and gone after File.Close. When written, its bytes come from Data
// or, if From is set, from that.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int  // row-major; a row of the last dimension is whole blocks
	Data  []byte // little endian
	From  io.WriterTo
}

// CopyFloat32 decodes the tensor into dst, which must have its number of
// elements. It fails for a Type that this package does not decode.
func (t Tensor) CopyFloat32(dst []float32) error {
	if err := t.Type.Decode(dst, t.Data); err != nil {
		return fmt.Errorf("tensor %q %v: %w", t.Name, t.Shape, err)
	}
	return nil
}

// bytesOf gives the size in bytes of a tensor; ok is false on overflow, a Type
// that is none, or rows that are not whole blocks.
func bytesOf(t Type, shape []int) (n int64, ok bool) {
	elements, size := t.Block()
	if elements == 0 {
		return 0, false
	}
	row := 1
	if len(shape) > 0 {
		row = shape[len(shape)-1]
	}
	ok = row%elements == 0
	total := uint64(1)
	for _, dim := range shape {
		hi, lo := bits.Mul64(total, uint64(dim))
		ok = ok && dim >= 0 && hi == 0 && lo <= math.MaxInt64
		total = lo
	}
	hi, lo := bits.Mul64(total/uint64(elements), uint64(size))
	return int64(lo), ok && hi == 0 && lo <= math.MaxInt64
}

// FormatError says what is wrong with a file or with what Write was given.
type FormatError struct {
	File    string // its name; empty when writing
	Key     string // the metadata key concerned, if any
	Tensor  string // the tensor concerned, if any
	Problem string
	Cure    string // what to do about it, if known
}

func (e *FormatError) Error() string {
	s := "gguf"
	if e.File != "" {
		s = e.File
	}
	if e.Key != "" {
		s += fmt.Sprintf(": key %q", e.Key)
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
