package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/gotrain/data/vfs"
)

// Write writes tensors and metadata as one file to w and checks that each tensor
// has exactly the bytes of its dtype and shape. The header comes first, then one
// Write for each tensor with Data. The bytes depend on the content alone: wide
// dtypes first and names in order within a dtype, as the reference implementation
// has it, so that with a header padded to 8 bytes every tensor is aligned. A fault
// in what was given is a *FormatError, found before the first byte is written,
// except for a From that produces another number of bytes than its tensor has.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.DType, a.DType), cmp.Compare(a.Name, b.Name))
	})
	header, err := encodeHeader(tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		if t.From == nil {
			if _, err := w.Write(t.Data); err != nil {
				return err
			}
			continue
		}
		size, _ := bytesOf(t.DType, t.Shape)
		n, err := vfs.CopyAtMost(w, t.From, size)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if n != size {
			return &FormatError{Tensor: t.Name, Problem: fmt.Sprintf("From wrote %d bytes, %v %v has %d", n, t.DType, t.Shape, size)}
		}
	}
	return nil
}

// encodeHeader checks sorted tensors and gives the length and the JSON, padded
// with spaces to a multiple of 8 bytes.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	if len(tensors) > MaxTensors {
		return nil, &FormatError{Problem: fmt.Sprintf("%d tensors, at most %d go into a file", len(tensors), MaxTensors), Cure: "write several files"}
	}
	h := bytes.NewBuffer(make([]byte, 8))
	sep := byte('{')
	if len(metadata) > 0 {
		h.WriteByte(sep)
		quote(h, metadataKey)
		h.WriteByte(':')
		inner := byte('{')
		for _, key := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(key) || !utf8.ValidString(metadata[key]) {
				return nil, &FormatError{Problem: fmt.Sprintf("metadata %q is not UTF-8", key)}
			}
			h.WriteByte(inner)
			quote(h, key)
			h.WriteByte(':')
			quote(h, metadata[key])
			inner = ','
		}
		h.WriteByte('}')
		sep = ','
	}
	var at int64
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		size, err := checkTensor(t)
		if err == nil && seen[t.Name] {
			err = &FormatError{Tensor: t.Name, Problem: "appears twice"}
		}
		if err == nil && size > math.MaxInt64-at {
			err = &FormatError{Tensor: t.Name, Problem: "the file would be larger than any"}
		}
		if err != nil {
			return nil, err
		}
		seen[t.Name] = true
		h.WriteByte(sep)
		quote(h, t.Name)
		shape := strings.Join(strings.Fields(fmt.Sprint(t.Shape)), ",")
		fmt.Fprintf(h, `:{"dtype":"%v","shape":%s,"data_offsets":[%d,%d]}`, t.DType, shape, at, at+size)
		sep = ','
		at += size
	}
	if sep == '{' {
		h.WriteByte(sep)
	}
	h.WriteByte('}')
	for h.Len()%8 != 0 {
		h.WriteByte(' ')
	}
	header := h.Bytes()
	if len(header)-8 > MaxHeader {
		return nil, &FormatError{Problem: fmt.Sprintf("header of %d bytes, at most %d are allowed", len(header)-8, MaxHeader), Cure: "write several files"}
	}
	binary.LittleEndian.PutUint64(header, uint64(len(header)-8))
	return header, nil
}

func checkTensor(t Tensor) (size int64, err error) {
	size, ok := bytesOf(t.DType, t.Shape)
	problem := ""
	switch {
	case t.Name == metadataKey || !utf8.ValidString(t.Name):
		problem = "cannot be a tensor's name"
	case len(t.Shape) > MaxDims:
		problem = fmt.Sprintf("%d dimensions, at most %d are allowed", len(t.Shape), MaxDims)
	case !ok:
		problem = fmt.Sprintf("%v %v is no tensor", t.DType, t.Shape)
	case t.From == nil && int64(len(t.Data)) != size:
		problem = fmt.Sprintf("%d bytes of data, %v %v has %d", len(t.Data), t.DType, t.Shape, size)
	}
	if problem != "" {
		return 0, &FormatError{Tensor: t.Name, Problem: problem}
	}
	return size, nil
}

// quote writes s, which is UTF-8, as a JSON string with the escapes that the
// reference implementation uses.
func quote(h *bytes.Buffer, s string) {
	h.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			h.Write([]byte{'\\', c})
		case '\b':
			h.WriteString(`\b`)
		case '\f':
			h.WriteString(`\f`)
		case '\n':
			h.WriteString(`\n`)
		case '\r':
			h.WriteString(`\r`)
		case '\t':
			h.WriteString(`\t`)
		default:
			if c < ' ' {
				fmt.Fprintf(h, `\u%04x`, c)
				continue
			}
			h.WriteByte(c)
		}
	}
	h.WriteByte('"')
}
