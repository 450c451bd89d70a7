package ir

import (
	"fmt"
	"reflect"
)

// Verify checks the invariants of a program and returns the first fault:
//
//   - every instruction has the inputs, outputs and type of attributes of its kind's
//     Info;
//   - a temp is defined once, before its uses;
//   - a value that shares storage has its base's bytes;
//   - a copy of a state is one of a float32 state of its shape, in bfloat16;
//   - arguments have dtypes that the kind takes, those of one element type the same;
//   - an output lists a value of the program that is defined;
//   - state is not read after an instruction has mutated it, except by
//     instructions that mutate it too or want its new content;
//   - the result of a collective is read by an Await, which keeps its storage until
//     then, and by nothing else.
func Verify(p *Program) error {
	defined := make([]bool, len(p.Values))
	for i, v := range p.Values {
		if v.ID != i {
			return fmt.Errorf("ir: program %s: value %d has ID %d", p.Name, i, v.ID)
		}
		if v.Base != nil && v.Base.Bytes() != v.Bytes() {
			return fmt.Errorf("ir: program %s: value %d shares storage of %d bytes but has %d", p.Name, i, v.Base.Bytes(), v.Bytes())
		}
		if m := v.Master; m != nil && (v.Class != State || v.DType != BF16 || m.Class != State || m.DType != F32 || !m.Shape.Equal(v.Shape)) {
			return fmt.Errorf("ir: program %s: value %d, a %s %s%s, is no copy of a %s %s%s", p.Name, i, v.Class, v.DType, v.Shape, m.Class, m.DType, m.Shape)
		}
		defined[i] = v.Class != Temp
	}
	mutated := map[*Value]*Instr{}
	flying := map[*Value]*Instr{} // results of collectives
	for i, in := range p.Instrs {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("ir: program %s: instruction %d %s at %q: %s", p.Name, i, in.Kind, in.Path, fmt.Sprintf(format, args...))
		}
		if got, want := reflect.TypeOf(in.Attrs), reflect.TypeOf(Kinds[in.Kind].Attrs); got != want {
			return fail("attributes are a %v, want a %v", got, want)
		}
		if err := checkArgs(in); err != nil {
			return fail("%v", err)
		}
		for j, v := range in.In {
			if v == nil {
				continue
			}
			if v.ID >= len(p.Values) || p.Values[v.ID] != v {
				return fail("input %d is not a value of the program", j)
			}
			if !defined[v.ID] {
				return fail("input %d (value %d) is used before it is defined", j, v.ID)
			}
			if from := flying[v]; from != nil {
				if !Kinds[in.Kind].Awaits {
					return fail("input %d (value %d) is of %s; read the result of its Await", j, v.ID, from.Kind)
				}
				delete(flying, v)
			}
			if by := mutated[v.Root()]; by != nil && !mutates(in, j) && !Kinds[in.Kind].ReadsNew {
				return fail("reads state %q after %s has updated it", v.Root().Name, by.Kind)
			}
		}
		for j, v := range in.Out {
			if v == nil {
				continue
			}
			if v.ID >= len(p.Values) || p.Values[v.ID] != v {
				return fail("output %d is not a value of the program", j)
			}
			if v.Class == Temp && defined[v.ID] {
				return fail("output %d (value %d) is defined twice", j, v.ID)
			}
			defined[v.ID] = true
			if Kinds[in.Kind].Collective {
				flying[v] = in
			}
		}
		for _, j := range Kinds[in.Kind].Mutates {
			if v := in.In[j]; v != nil {
				if v.Root().Class != State {
					return fail("mutates input %d, which is a %s", j, v.Root().Class)
				}
				mutated[v.Root()] = in
			}
		}
	}
	for _, v := range p.Outputs {
		if v == nil || !defined[v.ID] {
			return fmt.Errorf("ir: program %s: an output is not defined", p.Name)
		}
		delete(flying, v)
	}
	for v, from := range flying {
		return fmt.Errorf("ir: program %s: no Await waits for value %d of %s at %q", p.Name, v.ID, from.Kind, from.Path)
	}
	return nil
}

func mutates(in *Instr, input int) bool {
	for _, j := range Kinds[in.Kind].Mutates {
		if j == input {
			return true
		}
	}
	return false
}
