package convert

import (
	"fmt"
	"io"

	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/safetensors"
)

// tensor is a parameter as a file stores it.
type tensor struct {
	name   string // Hugging Face's
	stored string // in the file
	shape  []int  // as the model has it
	typ    gguf.Type
	data   []byte // mapped, row-major
	// order gives the stored row of row r; nil is the same row.
	order func(r int) int
	// transposed says that data holds the transpose of shape.
	transposed bool
	// change is made to the elements, which are given from an offset on; nil is none.
	change func(values []float32, offset int)
}

// numbers is the type of the elements: that of the file, unless they are changed.
func (t tensor) numbers() gguf.Type {
	if t.change != nil {
		return gguf.F32
	}
	return t.typ
}

// size is the number of elements.
func (t tensor) size() int {
	n := 1
	for _, dim := range t.shape {
		n *= dim
	}
	return n
}

// bytes is the size of the tensor as typ.
func (t tensor) bytes(typ gguf.Type) int {
	elements, size := typ.Block()
	return t.size() / elements * size
}

// chunkElements is what a tensor streams through: memory does not grow with the
// model, except that a reordered vector and a transposed matrix are whole in it.
const chunkElements = 1 << 20

// floats calls yield with the elements as float32, a part from offset on at a time;
// values is reused between calls.
func (t tensor) floats(yield func(offset int, values []float32) error) error {
	if t.change == nil {
		return t.decode(yield)
	}
	return t.decode(func(offset int, values []float32) error {
		t.change(values, offset)
		return yield(offset, values)
	})
}

// decode is floats before the change.
func (t tensor) decode(yield func(offset int, values []float32) error) error {
	switch {
	case t.transposed, t.order != nil && len(t.shape) == 1:
		values, err := t.whole()
		if err != nil {
			return err
		}
		return yield(0, values)
	case t.order != nil:
		return t.rows(yield)
	}
	elements, size := t.typ.Block()
	step := chunkElements / elements * elements
	values := make([]float32, min(step, t.size()))
	for offset := 0; offset < t.size(); offset += step {
		part := values[:min(step, t.size()-offset)]
		at := offset / elements * size
		if err := t.typ.Decode(part, t.data[at:at+len(part)/elements*size]); err != nil {
			return fmt.Errorf("tensor %q: %w", t.stored, err)
		}
		if err := yield(offset, part); err != nil {
			return err
		}
	}
	return nil
}

// rows is floats for a matrix whose rows are in another order.
func (t tensor) rows(yield func(offset int, values []float32) error) error {
	cols := t.shape[1]
	rowBytes := len(t.data) / t.shape[0]
	perChunk := max(1, chunkElements/cols)
	values := make([]float32, min(perChunk, t.shape[0])*cols)
	for first := 0; first < t.shape[0]; first += perChunk {
		n := min(perChunk, t.shape[0]-first)
		for i := range n {
			at := t.order(first+i) * rowBytes
			if err := t.typ.Decode(values[i*cols:(i+1)*cols], t.data[at:at+rowBytes]); err != nil {
				return fmt.Errorf("tensor %q: %w", t.stored, err)
			}
		}
		if err := yield(first*cols, values[:n*cols]); err != nil {
			return err
		}
	}
	return nil
}

// whole decodes a transposed matrix or a reordered vector.
func (t tensor) whole() ([]float32, error) {
	stored, values := make([]float32, t.size()), make([]float32, t.size())
	if err := t.typ.Decode(stored, t.data); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.stored, err)
	}
	if !t.transposed {
		for i := range values {
			values[i] = stored[t.order(i)]
		}
		return values, nil
	}
	const tile = 32 // columns and rows that stay in the cache together
	rows, cols := t.shape[0], t.shape[1]
	for r0 := 0; r0 < rows; r0 += tile {
		for c0 := 0; c0 < cols; c0 += tile {
			for r := r0; r < min(r0+tile, rows); r++ {
				for c := c0; c < min(c0+tile, cols); c++ {
					values[r*cols+c] = stored[c*rows+r]
				}
			}
		}
	}
	return values, nil
}

// encoded streams a tensor as typ.
type encoded struct {
	tensor
	as gguf.Type
}

// WriteTo writes the bytes: those of the file where type and order are its own.
func (e encoded) WriteTo(w io.Writer) (int64, error) {
	if e.as == e.typ && !e.transposed && e.change == nil {
		return e.copyTo(w)
	}
	elements, size := e.as.Block()
	var buf []byte
	var written int64
	err := e.floats(func(_ int, values []float32) error {
		need := len(values) / elements * size
		if cap(buf) < need {
			buf = make([]byte, need)
		}
		if err := e.as.Encode(buf[:need], values); err != nil {
			return fmt.Errorf("tensor %q: %w", e.name, err)
		}
		n, err := w.Write(buf[:need])
		written += int64(n)
		return err
	})
	return written, err
}

// settled streams the elements of a changed tensor, all of which it computes first,
// as the other one lays them out.
type settled struct {
	source tensor
	as     encoded
}

func (s settled) WriteTo(w io.Writer) (int64, error) {
	values := make([]float32, s.source.size())
	err := s.source.floats(func(offset int, part []float32) error {
		copy(values[offset:], part)
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.as.data = safetensors.Bytes(values)
	return s.as.WriteTo(w)
}

// copyTo copies the stored bytes, row by row where their order differs.
func (e encoded) copyTo(w io.Writer) (int64, error) {
	if e.order == nil {
		n, err := w.Write(e.data)
		return int64(n), err
	}
	rowBytes := len(e.data) / e.shape[0]
	perChunk := max(1, 4*chunkElements/rowBytes)
	buf := make([]byte, 0, min(perChunk, e.shape[0])*rowBytes)
	var written int64
	for r := range e.shape[0] {
		at := e.order(r) * rowBytes
		buf = append(buf, e.data[at:at+rowBytes]...)
		if len(buf) == cap(buf) || r == e.shape[0]-1 {
			n, err := w.Write(buf)
			written += int64(n)
			if err != nil {
				return written, err
			}
			buf = buf[:0]
		}
	}
	return written, nil
}

// exact tells whether every value of type from is one of type to.
func exact(from, to gguf.Type) bool {
	switch {
	case from == to:
		return true
	case to != gguf.F32:
		return false
	}
	return from != gguf.F64
}
