package exec

import (
	"cmp"
	"fmt"
	"strings"

	"example.com/gotrain/autograd/ir"
)

// Input is an input of a session's plan, found by name once. Setting it allocates
// nothing.
type Input struct {
	backend Backend
	value   *ir.Value
	region  Region
}

// Inputs lists the inputs that the plan reads, in the order of their declaration.
func (s *Session) Inputs() []Input { return s.inputs }

// Input returns the input of that name, false where the plan reads none.
func (s *Session) Input(name string) (Input, bool) {
	for _, in := range s.inputs {
		if in.value.Name == name {
			return in, true
		}
	}
	return Input{}, false
}

// Name returns the input's name.
func (in Input) Name() string { return in.value.Name }

// DType returns the type of its elements.
func (in Input) DType() ir.DType { return in.value.DType }

// Bytes is its size.
func (in Input) Bytes() int64 { return in.region.Bytes }

// Shape returns its shape; it is not to be modified.
func (in Input) Shape() ir.Shape { return in.value.Shape }

// SetInts writes an int32 input. The caller may change data afterwards.
func (in Input) SetInts(data []int32) error { return in.set(ir.I32, len(data), bytesOf(data)) }

// SetFloats is SetInts of a float32 input.
func (in Input) SetFloats(data []float32) error { return in.set(ir.F32, len(data), bytesOf(data)) }

// SetBytes is SetInts of a packed input: its ir.DType.Bytes, in the layout that
// ir.DType describes.
func (in Input) SetBytes(data []byte) error {
	if d := in.value.DType; !d.Packed() || in.region.Bytes != int64(len(data)) {
		return fmt.Errorf("input %q takes %s%s in %d bytes, got %d bytes of a packed type", in.value.Name, d, in.value.Shape, in.region.Bytes, len(data))
	}
	return in.backend.Upload(in.region, data)
}

func (in Input) set(d ir.DType, n int, data []byte) error {
	if d != in.value.DType || in.region.Bytes != int64(len(data)) {
		return fmt.Errorf("input %q takes %s%s, got %d × %s", in.value.Name, in.value.DType, in.value.Shape, n, d)
	}
	return in.backend.Upload(in.region, data)
}

// SetInts writes the int32 input of that name.
func (s *Session) SetInts(name string, data []int32) error {
	in, err := s.known(name)
	if err != nil {
		return err
	}
	return in.SetInts(data)
}

// SetFloats writes the float32 input of that name.
func (s *Session) SetFloats(name string, data []float32) error {
	in, err := s.known(name)
	if err != nil {
		return err
	}
	return in.SetFloats(data)
}

// known is Input of a name that the plan must read.
func (s *Session) known(name string) (Input, error) {
	in, ok := s.Input(name)
	if ok {
		return in, nil
	}
	var names []string
	for _, in := range s.inputs {
		names = append(names, in.Name())
	}
	return in, fmt.Errorf("plan %s has no input %q; it reads %s", s.Plan.Program.Name, name, cmp.Or(strings.Join(names, ", "), "none"))
}
