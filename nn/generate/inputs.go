package generate

import (
	"fmt"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// inputs are the int32 inputs of a program with the slices that hold them.
type inputs []source

type source struct {
	exec.Input
	data []int32
}

// feed finds the int32 inputs of a session, all of which data has, by name.
func feed(s *exec.Session, data map[string][]int32) (inputs, error) {
	var found inputs
	for _, in := range s.Inputs() {
		if in.DType() != ir.I32 {
			continue
		}
		d, ok := data[in.Name()]
		if !ok {
			return nil, fmt.Errorf("generate: plan %s reads input %q, which nothing gives", s.Plan.Program.Name, in.Name())
		}
		found = append(found, source{in, d})
	}
	return found, nil
}

// set writes the inputs. It allocates nothing.
func (s inputs) set() error {
	for _, in := range s {
		if err := in.SetInts(in.data); err != nil {
			return err
		}
	}
	return nil
}
