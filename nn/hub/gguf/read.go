package gguf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"example.com/gotrain/data/mmap"
	"example.com/gotrain/data/vfs"
)

// File is a file that was read. It may be used from several goroutines.
type File struct {
	Version  int
	metadata Metadata
	tensors  []Tensor // in the order of the file
	index    map[string]int
	unmap    func() error
}

const (
	cureFetch   = "the download or copy is incomplete: fetch the file again"
	cureDamaged = "the file is damaged or was not written by a GGUF library: fetch or convert it again"
)

// oldMagics begin the formats before GGUF.
var oldMagics = []string{"lmgg", "fmgg", "tjgg", "algg"}

// Open maps the file into memory, as mmap.Open does, and reads its head. Tensors are
// read from the disk when their Data is touched. Of a model in several files, as
// llama-gguf-split makes them, path names any part, and the others lie beside it.
func Open(path string) (*File, error) {
	f, err := openOne(path)
	if err != nil {
		return nil, err
	}
	if err := f.join(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func openOne(path string) (*File, error) {
	data, unmap, err := mmap.Open(path)
	if errors.Is(err, mmap.ErrIrregular) {
		return nil, &FormatError{File: path, Problem: mmap.ErrIrregular.Error()}
	}
	if err != nil {
		return nil, err
	}
	file, err := Parse(path, data)
	if err != nil {
		return nil, errors.Join(err, unmap())
	}
	file.unmap = unmap
	return file, nil
}

// Parse reads a GGUF file that is in memory. The tensors' Data are parts of
// data, the metadata are not; name is for errors.
func Parse(name string, data []byte) (*File, error) {
	if vfs.IsPointer(data) {
		return nil, &FormatError{File: name, Problem: vfs.ErrPointer.Error()}
	}
	f := &File{}
	r := &reader{data: data}
	if err := f.read(r); err != nil {
		var fault *FormatError
		if errors.As(err, &fault) {
			fault.File = name
		}
		return nil, err
	}
	return f, nil
}

func (f *File) read(r *reader) error {
	if len(r.data) < headerBytes {
		return &FormatError{Problem: fmt.Sprintf("%d bytes are too few for a GGUF file", len(r.data)), Cure: cureFetch}
	}
	if string(r.data[:4]) != magic {
		cure := "name a GGUF file, or the directory of a Hugging Face model"
		if slices.Contains(oldMagics, string(r.data[:4])) {
			cure = "this older format of llama.cpp (GGML, GGJT) must be converted with llama.cpp of 2023"
		}
		return &FormatError{Problem: "does not begin with \"GGUF\"", Cure: cure}
	}
	r.pos = 4
	version := r.uint32()
	switch {
	case version&0xffff == 0:
		return &FormatError{Problem: "is big-endian", Cure: "convert it with gguf-convert-endian of the Python package gguf"}
	case version < minVersion || version > maxVersion:
		return &FormatError{Problem: fmt.Sprintf("is of version %d, this program reads %d and %d", version, minVersion, maxVersion), Cure: "convert the model again with a current version of its converter"}
	}
	f.Version = int(version)
	tensors, keys := r.uint64(), r.uint64()
	if err := f.readMetadata(r, keys); err != nil {
		return err
	}
	return f.readTensors(r, tensors)
}

// minEntry is the least bytes of a metadata entry: the lengths of its key and its
// type, and a value of one byte.
const minEntry = 8 + 4 + 1

func (f *File) readMetadata(r *reader, n uint64) error {
	if n > MaxKeys || n > uint64(r.left()/minEntry) {
		return &FormatError{Problem: fmt.Sprintf("%d metadata entries do not fit the file", n), Cure: cureDamaged}
	}
	f.metadata = make(Metadata, 0, n)
	seen := make(map[string]bool, n)
	for i := range n {
		key, err := r.name()
		if err != nil {
			return &FormatError{Problem: fmt.Sprintf("metadata entry %d: %v", i, err), Cure: cureDamaged}
		}
		if seen[key] {
			return &FormatError{Key: key, Problem: "appears twice", Cure: cureDamaged}
		}
		seen[key] = true
		value, err := r.value(Kind(r.uint32()), 0)
		if err == nil && r.short {
			err = errShort
		}
		if err != nil {
			return &FormatError{Key: key, Problem: err.Error(), Cure: cureOf(err)}
		}
		f.metadata = append(f.metadata, KV{key, value})
	}
	return nil
}

// minTensor is the least bytes of a tensor's entry: the lengths of its name and
// dimensions, its type and offset.
const minTensor = 8 + 4 + 4 + 8

func (f *File) readTensors(r *reader, n uint64) error {
	if n > MaxTensors || n > uint64(r.left()/minTensor) {
		return &FormatError{Problem: fmt.Sprintf("%d tensors do not fit the file", n), Cure: cureDamaged}
	}
	alignment, err := f.metadata.alignment()
	if err != nil {
		return err
	}
	f.tensors = make([]Tensor, 0, n)
	f.index = make(map[string]int, n)
	offsets := make([]uint64, 0, n)
	for i := range n {
		name, err := r.name()
		if err != nil {
			return &FormatError{Problem: fmt.Sprintf("tensor %d: %v", i, err), Cure: cureDamaged}
		}
		if _, twice := f.index[name]; twice {
			return &FormatError{Tensor: name, Problem: "appears twice", Cure: cureDamaged}
		}
		t := Tensor{Name: name}
		offset, err := r.tensor(&t)
		if err != nil {
			return &FormatError{Tensor: name, Problem: err.Error(), Cure: cureOf(err)}
		}
		f.index[name] = len(f.tensors)
		f.tensors = append(f.tensors, t)
		offsets = append(offsets, offset)
	}
	if len(f.tensors) == 0 {
		return nil
	}
	return f.place(r, offsets, uint64(alignment))
}

// place cuts the data section into the tensors' data, which must be aligned,
// whole and apart.
func (f *File) place(r *reader, offsets []uint64, alignment uint64) error {
	start := (uint64(r.pos) + alignment - 1) / alignment * alignment
	if start > uint64(len(r.data)) {
		return &FormatError{Problem: "ends before the tensors' data", Cure: cureFetch}
	}
	data := r.data[start:]
	order := make([]int, len(offsets))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(offsets[a], offsets[b]) })
	end, previous := uint64(0), ""
	for _, i := range order {
		t, at := &f.tensors[i], offsets[i]
		size, _ := bytesOf(t.Type, t.Shape)
		fault := &FormatError{Tensor: t.Name, Cure: cureDamaged}
		switch {
		case at%alignment != 0:
			fault.Problem = fmt.Sprintf("offset %d is no multiple of the alignment %d", at, alignment)
		case at < end:
			fault.Problem = fmt.Sprintf("overlaps tensor %q", previous)
		case at > uint64(len(data)) || uint64(size) > uint64(len(data))-at:
			fault.Problem, fault.Cure = fmt.Sprintf("%d bytes at offset %d go beyond the %d bytes of data", size, at, len(data)), cureFetch
		}
		if fault.Problem != "" {
			return fault
		}
		end, previous = at+uint64(size), t.Name
		t.Data = data[at:end:end]
	}
	return nil
}

// alignment reads general.alignment.
func (m Metadata) alignment() (int, error) {
	n, ok, err := m.Int(alignmentKey)
	if err != nil {
		return 0, err
	}
	if !ok {
		return defaultAlignment, nil
	}
	if n <= 0 || n&(n-1) != 0 || n > 1<<20 {
		return 0, &FormatError{Key: alignmentKey, Problem: fmt.Sprintf("%d is no power of two up to 1048576", n), Cure: cureDamaged}
	}
	return n, nil
}

// Metadata gives the metadata. The caller must not change them.
func (f *File) Metadata() Metadata { return f.metadata }

// Tensors gives all tensors in the order of the file. The caller must not change
// the slice.
func (f *File) Tensors() []Tensor { return f.tensors }

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

// Close unmaps the file; the Data of its tensors must not be touched after it.
func (f *File) Close() error {
	if f.unmap == nil {
		return nil
	}
	unmap := f.unmap
	f.unmap, f.tensors, f.index = nil, nil, nil
	return unmap()
}

// errShort says that a file ends inside its head.
var errShort = errors.New("the file ends inside it")

func cureOf(err error) string {
	if errors.Is(err, errShort) {
		return cureFetch
	}
	return cureDamaged
}

// reader walks over the head of a file. Beyond its end it gives zeros and sets
// short.
type reader struct {
	data  []byte
	pos   int
	short bool
}

func (r *reader) left() int { return len(r.data) - r.pos }

// take gives the next n bytes; n was checked or is small.
func (r *reader) take(n int) []byte {
	if n > r.left() {
		r.short = true
		r.pos = len(r.data)
		return make([]byte, 8)
	}
	r.pos += n
	return r.data[r.pos-n : r.pos]
}

func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// string reads a length and so many bytes. They need not be UTF-8: old converters
// stored tokens as raw bytes.
func (r *reader) string() (string, error) {
	n := r.uint64()
	if r.short || n > uint64(r.left()) {
		return "", errShort
	}
	return string(r.take(int(n))), nil
}

// name reads a key or the name of a tensor.
func (r *reader) name() (string, error) {
	n := r.uint64()
	if r.short || n > uint64(r.left()) {
		return "", errShort
	}
	if n == 0 || n > MaxName {
		return "", fmt.Errorf("a name of %d bytes, want 1 to %d", n, MaxName)
	}
	name := r.take(int(n))
	if !utf8.Valid(name) {
		return "", fmt.Errorf("name %q is not UTF-8", name)
	}
	return string(name), nil
}

// tensor reads type, shape and offset of a tensor.
func (r *reader) tensor(t *Tensor) (offset uint64, err error) {
	dims := r.uint32()
	if dims > MaxDims {
		return 0, fmt.Errorf("%d dimensions, at most %d are allowed", dims, MaxDims)
	}
	t.Shape = make([]int, dims)
	for i := range t.Shape {
		d := r.uint64()
		if d > math.MaxInt {
			return 0, fmt.Errorf("dimension %d is too large", d)
		}
		t.Shape[len(t.Shape)-1-i] = int(d)
	}
	t.Type = Type(r.uint32())
	offset = r.uint64()
	if r.short {
		return 0, errShort
	}
	if n, _ := t.Type.Block(); n == 0 {
		return 0, fmt.Errorf("type %d is unknown", uint32(t.Type))
	}
	if _, ok := bytesOf(t.Type, t.Shape); !ok {
		return 0, fmt.Errorf("%v %v is no tensor: rows must be whole blocks", t.Type, t.Shape)
	}
	return offset, nil
}
