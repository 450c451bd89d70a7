package ir

import (
	"fmt"
	"slices"
	"strings"
)

// Arg is an input or output of a kind.
type Arg struct {
	Name     string
	Type     ArgType
	Optional bool // the instruction may hold nil there
	Repeats  bool // it is the last input, of which there are any number from one on
}

// ArgType is what the elements of an argument may be.
type ArgType uint8

const (
	Float32  ArgType = iota // F32
	Int32                   // I32
	Integer                 // I32 or packed
	AnyFloat                // F32 or BF16
	BFloat16                // BF16
	// Elem is F32 or BF16, the same for all arguments of an instruction that have this
	// type: the element type of activations.
	Elem
	// Result is a second such type: MatMul sums gradients of weights in float32 from
	// operands in bfloat16.
	Result
	// Weight is Elem, or the type of a frozen matrix whatever Elem is: BF16 of a State, or
	// quantised. Lookup is Float32 or such a type.
	Weight
	Lookup
)

// argTypes has the types as rows of the table of kinds write them.
var argTypes = [...]string{Float32: "f32", Int32: "i32", Integer: "int", AnyFloat: "float", BFloat16: "bf16", Elem: "t", Result: "u", Weight: "w", Lookup: "v"}

// String tells in words which elements the type takes.
func (t ArgType) String() string {
	switch t {
	case Float32, Int32, BFloat16:
		return argTypes[t]
	case Integer:
		return "i32, u8, u4 or u1"
	case Weight, Lookup:
		return "f32, bf16 or quantised"
	}
	return "f32 or bf16"
}

// Takes tells whether an argument of type t may have elements of type d.
func (t ArgType) Takes(d DType) bool {
	switch t {
	case Float32:
		return d == F32
	case Int32:
		return d == I32
	case Integer:
		return d == I32 || d.Packed()
	case BFloat16:
		return d == BF16
	case Weight, Lookup:
		return d == F32 || d == BF16 || d.Quantised()
	}
	return d == F32 || d == BF16
}

// args reads arguments as the table of kinds writes them: "name:type", without a
// type for float32; "name?" is optional, "name..." repeats.
func args(list ...string) []Arg {
	all := make([]Arg, len(list))
	for i, text := range list {
		name, kind, typed := strings.Cut(text, ":")
		a := &all[i]
		name, a.Optional = strings.CutSuffix(name, "?")
		a.Name, a.Repeats = strings.CutSuffix(name, "...")
		if typed {
			a.Type = ArgType(slices.Index(argTypes[:], kind))
		}
	}
	return all
}

// argAt returns the argument at a position, where the last may repeat.
func argAt(args []Arg, position int) Arg { return args[min(position, len(args)-1)] }

// Input describes the input at a position.
func (i *Info) Input(position int) Arg { return argAt(i.In, position) }

// Stored tells whether v, which is read as a Weight or Lookup, has a type of its own, in
// which it lies in memory.
func (v *Value) Stored() bool {
	root := v.Root()
	return v.DType.Quantised() || v.DType == BF16 && root.Class == State && root.Master == nil
}

// elem is the type under which the element type of an argument counts, false where it is
// none: that of a Weight is Elem unless it is stored otherwise.
func (t ArgType) elem(v *Value) (ArgType, bool) {
	if t == Weight && !v.Stored() {
		return Elem, true
	}
	return t, t == Elem || t == Result
}

// Elems calls f for each argument of type Elem or Result.
func (in *Instr) Elems(f func(t ArgType, v **Value)) {
	info := &Kinds[in.Kind]
	for _, side := range []struct {
		args   []Arg
		values []*Value
	}{{info.In, in.In}, {info.Out, in.Out}} {
		for i, v := range side.values {
			if v == nil {
				continue
			}
			if t, ok := argAt(side.args, i).Type.elem(v); ok {
				f(t, &side.values[i])
			}
		}
	}
}

// Elem returns the dtype of the arguments of type t, Elem or Result; F32 where the
// instruction has none.
func (in *Instr) Elem(t ArgType) DType {
	d := F32
	in.Elems(func(u ArgType, v **Value) {
		if u == t {
			d = (*v).DType
		}
	})
	return d
}

// checkArgs returns the first fault of the arguments of an instruction: of their
// number, one that is missing, or a dtype that the kind does not take.
func checkArgs(in *Instr) error {
	info := &Kinds[in.Kind]
	for _, side := range []struct {
		what   string
		args   []Arg
		values []*Value
	}{{"input", info.In, in.In}, {"output", info.Out, in.Out}} {
		n := len(side.args)
		if n > 0 && side.args[n-1].Repeats {
			if len(side.values) < n {
				return fmt.Errorf("%d %ss, want at least %d", len(side.values), side.what, n)
			}
		} else if len(side.values) != n {
			return fmt.Errorf("%d %ss, want %d", len(side.values), side.what, n)
		}
		for i, v := range side.values {
			a := argAt(side.args, i)
			if v == nil {
				if !a.Optional {
					return fmt.Errorf("%s %q is missing", side.what, a.Name)
				}
				continue
			}
			if !a.Type.Takes(v.DType) {
				return fmt.Errorf("%s %q is %s, want %s", side.what, a.Name, v.DType, a.Type)
			}
			if t, ok := a.Type.elem(v); ok && v.DType != in.Elem(t) {
				return fmt.Errorf("%s %q is %s beside %s", side.what, a.Name, v.DType, in.Elem(t))
			}
		}
	}
	return nil
}
