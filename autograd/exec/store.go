package exec

import (
	"fmt"
	"sort"
	"unsafe"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/quant"
)

// Store holds persistent state by name: parameters, optimizer state,
// accumulated gradients, caches. Programs of one model share one Store. It knows which
// states have a copy in bfloat16 (ir.Value.Master) and when that is stale; the sessions
// make it anew.
type Store struct {
	backend Backend
	state   map[string]*State
}

// State is one persistent tensor.
type State struct {
	Name  string
	Shape ir.Shape
	DType ir.DType
	buf   Buffer
	// copy is the state in bfloat16, nil where no program reads it so; of a copy, stale
	// tells that the state has changed since.
	copy  *State
	stale bool
}

// NewStore returns an empty store on b.
func NewStore(b Backend) *Store { return &Store{backend: b, state: map[string]*State{}} }

// Backend returns the device that the state lives on.
func (s *Store) Backend() Backend { return s.backend }

// Ensure returns the state of that name, allocated with zeros when it is new.
// It fails when the name is taken by another shape or dtype.
func (s *Store) Ensure(name string, dtype ir.DType, shape ir.Shape) (*State, error) {
	if st := s.state[name]; st != nil {
		if !st.Shape.Equal(shape) || st.DType != dtype {
			return nil, fmt.Errorf("state %q is %s%s, not %s%s", name, st.DType, st.Shape, dtype, shape)
		}
		return st, nil
	}
	st := &State{Name: name, Shape: append(ir.Shape(nil), shape...), DType: dtype}
	buf, err := s.backend.Alloc(st.Bytes())
	if err != nil {
		return nil, fmt.Errorf("state %q %s: %w", name, shape, err)
	}
	st.buf = buf
	s.state[name] = st
	return st, nil
}

// Get returns the state of that name, or nil.
func (s *Store) Get(name string) *State { return s.state[name] }

// Names returns the names of all states, sorted.
func (s *Store) Names() []string {
	names := make([]string, 0, len(s.state))
	for n := range s.state {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Bytes returns the memory that the store holds.
func (s *Store) Bytes() int64 {
	var n int64
	for _, st := range s.state {
		n += st.Bytes()
	}
	return n
}

// Bytes returns the size of the tensor.
func (st *State) Bytes() int64 { return st.DType.Bytes(st.Shape) }

func (st *State) region() Region { return Region{Buffer: st.buf, Bytes: st.Bytes()} }

// changes tells the copy that the state changes.
func (st *State) changes() {
	if st.copy != nil {
		st.copy.stale = true
	}
}

// Write copies data, which has the state's number of elements, into the state.
func (s *Store) Write(name string, data []float32) error {
	st, err := s.check(name, ir.F32, len(data))
	if err != nil {
		return err
	}
	st.changes()
	return s.backend.Upload(st.region(), bytesOf(data))
}

// Read copies the state into dst, which has its number of elements.
func (s *Store) Read(name string, dst []float32) error {
	st, err := s.check(name, ir.F32, len(dst))
	if err != nil {
		return err
	}
	return s.backend.Download(bytesOf(dst), st.region())
}

// WriteAt copies data into the elements from offset on, for a caller that fills
// a large state through a small buffer: float32, or bfloat16, to which they are rounded.
// Encode fills those of quantised weights.
func (s *Store) WriteAt(name string, offset int, data []float32) error {
	if st := s.state[name]; st != nil && st.DType == ir.BF16 && offset >= 0 && offset+len(data) <= st.Shape.Size() {
		narrow := make([]byte, 2*len(data))
		quant.ToBF16(narrow, data)
		return s.backend.Upload(Region{Buffer: st.buf, Offset: int64(offset) * 2, Bytes: int64(len(narrow))}, narrow)
	}
	r, err := s.part(name, offset, len(data))
	if err != nil {
		return err
	}
	s.state[name].changes()
	return s.backend.Upload(r, bytesOf(data))
}

// ReadAt copies the elements from offset on into dst, for a caller that streams
// a large state through a small buffer. Those of a stored weight are decoded.
func (s *Store) ReadAt(name string, offset int, dst []float32) error {
	if st := s.state[name]; st != nil && st.stored() {
		content, err := s.content(st)
		if err != nil {
			return err
		}
		return decode(st, content, offset, dst)
	}
	r, err := s.part(name, offset, len(dst))
	if err != nil {
		return err
	}
	return s.backend.Download(bytesOf(dst), r)
}

// Encode fills a state of any type of weights with the elements that src gives in order;
// what is read and encoded at a time does not grow with the state, where that lies in
// memory of the process.
func (s *Store) Encode(name string, src quant.Source) error {
	st := s.state[name]
	if st == nil {
		return fmt.Errorf("there is no state %q", name)
	}
	b, hosted := s.backend.(Hosted)
	if hosted {
		return stateError(name, quant.Encode(st.DType, st.Shape, b.Memory(st.region()), src))
	}
	data := make([]byte, st.Bytes())
	if err := quant.Encode(st.DType, st.Shape, data, src); err != nil {
		return stateError(name, err)
	}
	return s.backend.Upload(st.region(), data)
}

func stateError(name string, err error) error {
	if err != nil {
		err = fmt.Errorf("state %q: %w", name, err)
	}
	return err
}

// stored tells whether the state has a type of weights that is not float32.
func (st *State) stored() bool { return st.DType == ir.BF16 || st.DType.Quantised() }

// content returns the bytes of a state, copied unless they are in memory of the process.
func (s *Store) content(st *State) ([]byte, error) {
	if b, hosted := s.backend.(Hosted); hosted {
		return b.Memory(st.region()), nil
	}
	data := make([]byte, st.Bytes())
	return data, s.backend.Download(data, st.region())
}

// decode writes elements of a stored weight to dst.
func decode(st *State, content []byte, offset int, dst []float32) error {
	m, err := quant.View(st.DType, st.Shape, content)
	if err != nil {
		return stateError(st.Name, err)
	}
	if offset < 0 || offset+len(dst) > m.Size() {
		return fmt.Errorf("state %q does not hold the elements [%d, %d)", st.Name, offset, offset+len(dst))
	}
	kernels := quant.Generic()
	m.Decode(&kernels, dst, offset)
	return nil
}

// WriteBytes copies the whole content of a state of any dtype, which lies as
// ir.DType describes.
func (s *Store) WriteBytes(name string, data []byte) error {
	st, err := s.sized(name, len(data))
	if err != nil {
		return err
	}
	st.changes()
	return s.backend.Upload(st.region(), data)
}

// ReadBytes is WriteBytes the other way round.
func (s *Store) ReadBytes(name string, dst []byte) error {
	st, err := s.sized(name, len(dst))
	if err != nil {
		return err
	}
	return s.backend.Download(dst, st.region())
}

func (s *Store) sized(name string, bytes int) (*State, error) {
	st := s.state[name]
	switch {
	case st == nil:
		return nil, fmt.Errorf("there is no state %q", name)
	case st.Bytes() != int64(bytes):
		return nil, fmt.Errorf("state %q is %s%s, %d bytes, not %d", name, st.DType, st.Shape, st.Bytes(), bytes)
	}
	return st, nil
}

// View returns the elements of a float32 state where they lie in memory of the
// process, else nil. They are those of the moment: steps change them.
func (s *Store) View(name string) []float32 {
	st, hosted := s.state[name], false
	var b Hosted
	if b, hosted = s.backend.(Hosted); !hosted || st == nil || st.DType != ir.F32 {
		return nil
	}
	return floatsOf(b.Memory(st.region()))
}

// part is the region of n elements of a float32 state.
func (s *Store) part(name string, offset, n int) (Region, error) {
	st := s.state[name]
	if st == nil || st.DType != ir.F32 || offset < 0 || offset+n > st.Shape.Size() {
		return Region{}, fmt.Errorf("state %q does not hold the float32 elements [%d, %d)", name, offset, offset+n)
	}
	return Region{Buffer: st.buf, Offset: int64(offset) * 4, Bytes: int64(n) * 4}, nil
}

func (s *Store) check(name string, dtype ir.DType, n int) (*State, error) {
	st := s.state[name]
	switch {
	case st == nil:
		return nil, fmt.Errorf("there is no state %q", name)
	case st.DType != dtype || st.Shape.Size() != n:
		return nil, fmt.Errorf("state %q is %s%s, not %d × %s", name, st.DType, st.Shape, n, dtype)
	}
	return st, nil
}

// bytesOf views a slice of 4-byte elements as bytes.
func bytesOf[T float32 | int32](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), 4*len(s))
}

// floatsOf views bytes as float32 elements.
func floatsOf(b []byte) []float32 {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), len(b)/4)
}
