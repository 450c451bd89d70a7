package safetensors

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"example.com/gotrain/data/mmap"
	"example.com/gotrain/data/vfs"
)

// File is a file that was read. It may be used from several goroutines.
type File struct {
	tensors  []Tensor // in the order of their data
	index    map[string]int
	metadata map[string]string
	unmap    func() error
}

const (
	cureFetch = "the download or copy is incomplete: fetch the file again"
	cureWrite = "the file is damaged or was not written by a safetensors library: fetch or export it again"
	cureLimit = "convert the model with the safetensors library to fewer tensors per file or another dtype"
)

// Open maps the file into memory, as mmap.Open does, and reads its header. Tensors are
// read from the disk when their Data is touched.
func Open(path string) (*File, error) {
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

// Parse reads a safetensors file that is in memory. The tensors' Data are parts
// of data; name is for errors.
func Parse(name string, data []byte) (*File, error) {
	fault := func(cure, format string, args ...any) error {
		return &FormatError{File: name, Problem: fmt.Sprintf(format, args...), Cure: cure}
	}
	if vfs.IsPointer(data) {
		return nil, fault("", "%v", vfs.ErrPointer)
	}
	if len(data) < 8 {
		return nil, fault(cureFetch, "%d bytes are too few for a safetensors file", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	body := data[8:]
	switch {
	case n > MaxHeader && data[0] == '<':
		return nil, fault("download it again: a page that asks to log in may have come in its place", "it is a web page or XML, no safetensors file")
	case n > MaxHeader && string(data[:4]) == "PK\x03\x04":
		return nil, fault("save the model again with transformers' save_pretrained", "it is a pickle of torch.save or another zip file, no safetensors file")
	case n > MaxHeader:
		return nil, fault(cureWrite, "header of %d bytes, at most %d are allowed", n, MaxHeader)
	case n > uint64(len(body)):
		return nil, fault(cureFetch, "header of %d bytes in a file of %d", n, len(data))
	case n == 0 || body[0] != '{':
		return nil, fault(cureWrite, "the header does not begin with '{'")
	}
	header, body := body[:n], body[n:]
	decls, metadata, err := parseHeader(header)
	if err != nil {
		e := &FormatError{File: name, Problem: err.Error(), Cure: cureWrite}
		var in *tensorError
		if errors.As(err, &in) {
			e.Tensor, e.Problem = in.name, in.err.Error()
		}
		if errors.Is(err, errTooMany) {
			e.Cure = cureLimit
		}
		return nil, e
	}
	f := &File{metadata: metadata, index: make(map[string]int, len(decls))}
	if f.tensors, err = place(name, decls, body); err != nil {
		return nil, err
	}
	for i, t := range f.tensors {
		f.index[t.Name] = i
	}
	return f, nil
}

// place checks that the tensors cover the body without gap or overlap, each with
// the bytes that its dtype and shape need, and cuts it.
func place(name string, decls []declared, body []byte) ([]Tensor, error) {
	slices.SortFunc(decls, func(a, b declared) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	var tensors []Tensor
	var at uint64
	for _, d := range decls {
		fault := func(cure, format string, args ...any) error {
			return &FormatError{File: name, Tensor: d.name, Problem: fmt.Sprintf(format, args...), Cure: cure}
		}
		size, ok := bytesOf(d.dtype, d.shape)
		switch {
		case d.begin > d.end:
			return nil, fault(cureWrite, "data_offsets [%d, %d] run backward", d.begin, d.end)
		case d.begin < at:
			return nil, fault(cureWrite, "data_offsets [%d, %d] overlap the tensor that ends at %d", d.begin, d.end, at)
		case d.begin > at:
			return nil, fault(cureWrite, "data_offsets [%d, %d] leave a gap after %d", d.begin, d.end, at)
		case !ok || d.end-d.begin != uint64(size):
			return nil, fault(cureWrite, "data_offsets [%d, %d] do not fit %v %v", d.begin, d.end, d.dtype, d.shape)
		case d.end > uint64(len(body)):
			return nil, fault(cureFetch, "data_offsets [%d, %d] go beyond the %d bytes of data", d.begin, d.end, len(body))
		}
		at = d.end
		tensors = append(tensors, Tensor{Name: d.name, DType: d.dtype, Shape: d.shape, Data: body[d.begin:d.end:d.end]})
	}
	if at != uint64(len(body)) {
		return nil, &FormatError{File: name, Problem: fmt.Sprintf("tensors end at byte %d of %d of the data", at, len(body)), Cure: cureWrite}
	}
	return tensors, nil
}

// Tensors gives all tensors in the order of their data. The caller must not
// change the slice.
func (f *File) Tensors() []Tensor { return f.tensors }

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

// Metadata gives the texts under __metadata__, nil if there are none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Close unmaps the file; the Data of its tensors must not be touched after it.
func (f *File) Close() error {
	if f.unmap == nil {
		return nil
	}
	unmap := f.unmap
	f.unmap, f.tensors, f.index = nil, nil, nil
	return unmap()
}
