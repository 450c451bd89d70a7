package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"example.com/gotrain/data/vfs"
)

// Write writes metadata and tensors as one file of version 3 to w, in the order
// given. The head comes first, then one Write for each tensor with Data, each
// tensor padded to the alignment, which is 32 bytes unless the metadata has
// "general.alignment". A fault in what was given is a *FormatError, found before
// the first byte is written, except for a From that produces another number of
// bytes than its tensor has.
func Write(w io.Writer, metadata Metadata, tensors []Tensor) error {
	alignment, err := metadata.alignment()
	if err != nil {
		return err
	}
	head, err := encodeHead(metadata, tensors, alignment)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	if err := pad(w, int64(len(head)), alignment); err != nil {
		return err
	}
	for _, t := range tensors {
		size, _ := bytesOf(t.Type, t.Shape)
		if err := writeTensor(w, t, size); err != nil {
			return err
		}
		if err := pad(w, size, alignment); err != nil {
			return err
		}
	}
	return nil
}

// padding gives the number of zeros after n bytes up to a multiple of the
// alignment.
func padding(n int64, alignment int) int64 { return -n & int64(alignment-1) }

func pad(w io.Writer, n int64, alignment int) error {
	zeros := padding(n, alignment)
	if zeros == 0 {
		return nil
	}
	_, err := w.Write(make([]byte, zeros))
	return err
}

func writeTensor(w io.Writer, t Tensor, size int64) error {
	if t.From == nil {
		_, err := w.Write(t.Data)
		return err
	}
	n, err := vfs.CopyAtMost(w, t.From, size)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if n != size {
		return &FormatError{Tensor: t.Name, Problem: fmt.Sprintf("From wrote %d bytes, %v %v has %d", n, t.Type, t.Shape, size)}
	}
	return nil
}

// encodeHead checks everything and gives the bytes before the padding.
func encodeHead(metadata Metadata, tensors []Tensor, alignment int) ([]byte, error) {
	if len(metadata) > MaxKeys || len(tensors) > MaxTensors {
		return nil, &FormatError{Problem: fmt.Sprintf("%d metadata entries and %d tensors, at most %d and %d go into a file", len(metadata), len(tensors), MaxKeys, MaxTensors)}
	}
	b := append([]byte(nil), magic...)
	b = binary.LittleEndian.AppendUint32(b, maxVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(metadata)))
	seen := map[string]bool{}
	for _, kv := range metadata {
		kind, ok := kindOf(kv.Value)
		problem := ""
		switch {
		case !validName(kv.Key) || seen[kv.Key]:
			problem = "cannot be a key, or appears twice"
		case !ok:
			problem = fmt.Sprintf("a value of type %T cannot be stored", kv.Value)
		}
		if problem != "" {
			return nil, &FormatError{Key: kv.Key, Problem: problem}
		}
		seen[kv.Key] = true
		b = binary.LittleEndian.AppendUint32(appendString(b, kv.Key), uint32(kind))
		var err error
		if b, err = appendValue(b, kv.Value, 0); err != nil {
			return nil, &FormatError{Key: kv.Key, Problem: err.Error()}
		}
	}
	return appendTensors(b, tensors, alignment)
}

// appendTensors appends name, dimensions, type and offset of each tensor.
func appendTensors(b []byte, tensors []Tensor, alignment int) ([]byte, error) {
	var offset int64
	seen := map[string]bool{}
	for _, t := range tensors {
		size, ok := bytesOf(t.Type, t.Shape)
		problem := ""
		switch {
		case !validName(t.Name) || seen[t.Name]:
			problem = "cannot be a tensor's name, or appears twice"
		case len(t.Shape) > MaxDims:
			problem = fmt.Sprintf("%d dimensions, at most %d are allowed", len(t.Shape), MaxDims)
		case !ok:
			problem = fmt.Sprintf("%v %v is no tensor: rows must be whole blocks", t.Type, t.Shape)
		case size > math.MaxInt64-offset-int64(alignment):
			problem = "the file would be larger than any"
		case t.From == nil && int64(len(t.Data)) != size:
			problem = fmt.Sprintf("%d bytes of data, %v %v has %d", len(t.Data), t.Type, t.Shape, size)
		}
		if problem != "" {
			return nil, &FormatError{Tensor: t.Name, Problem: problem}
		}
		seen[t.Name] = true
		b = binary.LittleEndian.AppendUint32(appendString(b, t.Name), uint32(len(t.Shape)))
		for i := range t.Shape {
			b = binary.LittleEndian.AppendUint64(b, uint64(t.Shape[len(t.Shape)-1-i]))
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Type))
		b = binary.LittleEndian.AppendUint64(b, uint64(offset))
		offset += size + padding(size, alignment)
	}
	return b, nil
}

func validName(s string) bool { return len(s) > 0 && len(s) <= MaxName && utf8.ValidString(s) }
