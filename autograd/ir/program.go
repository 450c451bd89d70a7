package ir

import (
	"fmt"
	"slices"
	"strings"
)

// Shape lists the sizes of a value's axes, the slowest first.
type Shape []int

// Size returns the number of elements.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Rows returns the product of all axes but the last.
func (s Shape) Rows() int {
	if len(s) == 0 {
		return 1
	}
	return s[:len(s)-1].Size()
}

// Cols returns the size of the last axis.
func (s Shape) Cols() int {
	if len(s) == 0 {
		return 1
	}
	return s[len(s)-1]
}

// Equal tells whether both shapes have the same axes.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// String writes the shape as (2, 3).
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = fmt.Sprint(d)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Class tells where a value lives.
type Class uint8

const (
	Temp  Class = iota // in the planned arena, defined once by an instruction
	Input              // written by the host before a run, by name
	State              // persistent across runs and programs, by name: parameters, optimizer state, caches
	Const              // one float32 known at compile time
	Table              // constant float32 data known at compile time, by name
)

// String returns the class's name.
func (c Class) String() string {
	return [...]string{"temp", "input", "state", "const", "table"}[c]
}

// Value is a tensor of the program.
type Value struct {
	ID    int
	Name  string // Input, State, Table, or an output's; a note for others
	Shape Shape
	DType DType
	Class Class
	Const float32   // Class Const
	Data  []float32 // Class Table
	// Base, when set, is the value whose storage this one shares: results of
	// Reshape, in-place results, and state updated by an output.
	Base *Value
	// Master, when set, is the float32 state of which this state is the copy in bfloat16,
	// rounded to nearest even: it holds that whenever a program begins and ends.
	Master *Value
}

// Bytes returns the size of the value's storage.
func (v *Value) Bytes() int64 { return v.DType.Bytes(v.Shape) }

// Root follows Base to the value that owns the storage.
func (v *Value) Root() *Value {
	for v.Base != nil {
		v = v.Base
	}
	return v
}

// Instr is one instruction. In and Out follow the names of its kind's Info;
// an absent optional is nil.
type Instr struct {
	Kind    Kind
	Attrs   Attrs // of the type that the kind's Info has
	In, Out []*Value
	// Path is the layer that the instruction comes from, as in
	// "blocks.3.attn"; Backward tells that Grad made it, Block is the index of
	// the recomputable block or -1.
	Path     string
	Backward bool
	Block    int
}

// Writes calls f for each value that the instruction writes: its outputs and
// the state it mutates.
func (in *Instr) Writes(f func(*Value)) {
	for _, v := range in.Out {
		if v != nil {
			f(v)
		}
	}
	for _, i := range Kinds[in.Kind].Mutates {
		if i < len(in.In) && in.In[i] != nil {
			f(in.In[i])
		}
	}
}

// Program is a straight-line program. Outputs are the values that the host
// reads after a run, by position or by Value.Name; their storage is kept to the
// end.
type Program struct {
	Name    string
	Values  []*Value
	Instrs  []*Instr
	Outputs []*Value
}

// Output returns the position in Outputs of the output of that name, or -1.
func (p *Program) Output(name string) int {
	return slices.IndexFunc(p.Outputs, func(v *Value) bool { return v.Name == name && name != "" })
}

// Inputs lists what the host writes before a run, in the order of declaration. In
// a program that package plan has built, all of it is read.
func (p *Program) Inputs() []*Value {
	var inputs []*Value
	for _, v := range p.Values {
		if v.Class == Input {
			inputs = append(inputs, v)
		}
	}
	return inputs
}

// NewValue adds a value to p.
func (p *Program) NewValue(class Class, name string, dtype DType, shape ...int) *Value {
	v := &Value{ID: len(p.Values), Name: name, Shape: append(Shape(nil), shape...), DType: dtype, Class: class}
	p.Values = append(p.Values, v)
	return v
}

// Lookup returns the value of that class and name, or nil.
func (p *Program) Lookup(class Class, name string) *Value {
	for _, v := range p.Values {
		if v.Class == class && v.Name == name && v.Base == nil {
			return v
		}
	}
	return nil
}

// Emit appends an instruction and returns it. Without attributes it gets the zero
// ones of its kind.
func (p *Program) Emit(in *Instr) *Instr {
	if in.Attrs == nil {
		in.Attrs = Kinds[in.Kind].Attrs
	}
	p.Instrs = append(p.Instrs, in)
	return in
}
