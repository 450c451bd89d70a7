package ir

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Dump writes the program as text that is the same for equal programs: one
// line an instruction, values numbered in the order of their first mention.
func (p *Program) Dump(w io.Writer) error {
	d := dumper{number: map[*Value]int{}}
	var b strings.Builder
	fmt.Fprintf(&b, "program %s\n", p.Name)
	for _, in := range p.Instrs {
		b.WriteString("  ")
		for i, v := range in.Out {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(d.def(v))
		}
		if len(in.Out) > 0 {
			b.WriteString(" = ")
		}
		fmt.Fprintf(&b, "%s(", in.Kind)
		for i, v := range in.In {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(d.ref(v))
		}
		b.WriteString(")" + attrText(in.Attrs))
		if in.Path != "" {
			fmt.Fprintf(&b, "  # %s", in.Path)
			if in.Backward {
				b.WriteString(" backward")
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString("  return ")
	for i, v := range p.Outputs {
		if i > 0 {
			b.WriteString(", ")
		}
		if v.Class == Temp && v.Name != "" {
			b.WriteString(v.Name + "=")
		}
		b.WriteString(d.ref(v))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

type dumper struct{ number map[*Value]int }

func (d *dumper) ref(v *Value) string {
	if v == nil {
		return "_"
	}
	switch v.Class {
	case Const:
		return fmt.Sprint(v.Const)
	case Input, State, Table:
		if v.Base == nil {
			return v.Name
		}
	}
	n, ok := d.number[v]
	if !ok {
		n = len(d.number)
		d.number[v] = n
	}
	return fmt.Sprintf("%%%d", n)
}

func (d *dumper) def(v *Value) string {
	if v == nil {
		return "_"
	}
	s := d.ref(v) + ":" + v.DType.String() + v.Shape.String()
	if v.Base != nil {
		s += "@" + d.ref(v.Base)
	}
	return s
}

// attrText lists the fields of a that are set, in their order.
func attrText(a Attrs) string {
	if a == nil {
		return ""
	}
	var parts []string
	v := reflect.ValueOf(a)
	for _, f := range reflect.VisibleFields(v.Type()) {
		if x := v.FieldByIndex(f.Index); !f.Anonymous && !x.IsZero() {
			parts = append(parts, fmt.Sprintf("%s=%v", f.Name, x.Interface()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " {" + strings.Join(parts, " ") + "}"
}
