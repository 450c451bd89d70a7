package ir

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// TestKindsAsWritten holds what the planner and the back ends know of each kind: names and types of arguments in their
// order, attributes, what may lie where, what it changes.
func TestKindsAsWritten(t *testing.T) {
	var b strings.Builder
	arg := func(a Arg) string {
		s := a.Name
		if a.Optional {
			s += "?"
		}
		if a.Repeats {
			s += "..."
		}
		return s + ":" + a.Type.String()
	}
	for k := Kind(1); k < NumKinds; k++ {
		info := Kinds[k]
		fmt.Fprintf(&b, "%s", k)
		if info.Attrs != nil {
			fmt.Fprintf(&b, " %s", reflect.TypeOf(info.Attrs).Name())
		}
		for i, side := range [][]Arg{info.In, info.Out} {
			fmt.Fprint(&b, []string{" (", ") = ("}[i])
			for j, a := range side {
				if j > 0 {
					b.WriteString(", ")
				}
				b.WriteString(arg(a))
			}
		}
		b.WriteString(")")
		if len(info.Overwrites) > 0 {
			fmt.Fprintf(&b, " overwrites %v", info.Overwrites)
		}
		if len(info.Mutates) > 0 {
			fmt.Fprintf(&b, " mutates %v", info.Mutates)
		}
		if len(info.Sums) > 0 {
			fmt.Fprintf(&b, " sums %v", info.Sums)
		}
		if info.Addend != (Addend{}) {
			fmt.Fprintf(&b, " adds %v", info.Addend)
		}
		b.WriteString("\n")
	}
	const name = "testdata/kinds.txt"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	if len(got) != len(lines) {
		t.Errorf("%d kinds, want %d", len(got), len(lines))
	}
	for i := range min(len(got), len(lines)) {
		if got[i] != lines[i] {
			t.Errorf("got  %s\nwant %s", got[i], lines[i])
		}
	}
}

// TestNamesAndSizes holds the names and widths that dumps, files and forecasts have, and the places of hyper.
func TestNamesAndSizes(t *testing.T) {
	for d, want := range map[DType]struct {
		name   string
		bits   int
		ten    int64 // bytes of ten elements
		float  bool
		packed bool
	}{
		F32: {"f32", 32, 40, true, false}, BF16: {"bf16", 16, 20, true, false}, I32: {"i32", 32, 40, false, false},
		TF32: {"tf32", 32, 40, true, false}, U8: {"u8", 8, 10, false, true}, U4: {"u4", 4, 5, false, true}, U1: {"u1", 1, 2, false, true},
	} {
		if d.String() != want.name || d.Bits() != want.bits || d.Bytes(Shape{10}) != want.ten || d.Float() != want.float || d.Packed() != want.packed {
			t.Errorf("%s: %d bits, %d bytes, float %t, packed %t; want %+v", d, d.Bits(), d.Bytes(Shape{10}), d.Float(), d.Packed(), want)
		}
	}
	if U4.Bytes(Shape{11}) != 6 || U1.Bytes(Shape{8}) != 1 || U1.Bytes(Shape{9}) != 2 || U1.Bytes(Shape{0}) != 0 || F32.Bytes(Shape{1 << 31}) != 1<<33 {
		t.Error("bytes of elements that end inside a byte")
	}
	for got, want := range map[string]string{
		NoAct.String(): "none", GELU.String(): "gelu", GELUTanh.String(): "gelu_tanh", SiLU.String(): "silu", ReLU2.String(): "relu2", ReLU.String(): "relu",
		Tanh.String(): "tanh", LeakyReLU.String(): "leaky_relu", (LeakyReLU + 1).String(): "invalid",
		Temp.String(): "temp", Input.String(): "input", State.String(): "state", Const.String(): "const", Table.String(): "table",
		LSTM.String(): "lstm", GRU.String(): "gru", Kind(200).String(): "Invalid", Shape{2, 3}.String(): "(2, 3)", Shape{}.String(): "()",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if LSTM.Gates() != 4 || GRU.Gates() != 3 {
		t.Errorf("gates %d and %d", LSTM.Gates(), GRU.Gates())
	}
	if got := [...]int{LR, BC1, BC2, NormLimit, First, HyperLen}; got != [...]int{0, 1, 2, 3, 4, 8} {
		t.Errorf("places of hyper %v", got)
	}
	s := Shape{2, 3, 4}
	if s.Size() != 24 || s.Rows() != 6 || s.Cols() != 4 || (Shape{}).Size() != 1 || (Shape{}).Rows() != 1 || (Shape{}).Cols() != 1 ||
		!s.Equal(Shape{2, 3, 4}) || s.Equal(Shape{2, 3}) || s.Equal(Shape{2, 3, 5}) || s.Equal(Shape{2, 3, 4, 1}) {
		t.Error("sizes of shapes")
	}
	for _, d := range []DType{F32, TF32, BF16} {
		for _, a := range []Products{MatMulAttrs{TransB: true}, LinearCrossEntropyAttrs{Rows: 3}, RecurrentAttrs{Batch: 2}, MuonAttrs{Beta1: 0.5}} {
			if got := a.WithPrecision(d).(Products); got.Precision() != d || got.WithPrecision(a.Precision()) != a {
				t.Errorf("%+v with precision %s is %+v", a, d, got)
			}
		}
	}
	if !IsMemory("memory/x") || IsMemory("running/x") || IsMemory("x/memory/") || !IsRunning("running/x") || IsRunning("memory/x") {
		t.Error("names of states")
	}
}

// TestTransposed compares the merged axes of transpositions with an index by index copy.
func TestTransposed(t *testing.T) {
	for _, c := range []struct {
		shape  Shape
		perm   [MaxAxes]int8
		size   []int
		stride []int
	}{
		{Shape{2, 3}, [MaxAxes]int8{1, 0}, []int{3, 2}, []int{1, 3}},
		{Shape{2, 3}, [MaxAxes]int8{0, 1}, []int{6}, []int{1}},
		{Shape{2, 3, 4, 5}, [MaxAxes]int8{0, 2, 1, 3}, []int{2, 4, 3, 5}, []int{60, 5, 20, 1}},
		{Shape{2, 3, 4, 5}, [MaxAxes]int8{2, 3, 0, 1}, []int{20, 6}, []int{1, 20}},
		{Shape{2, 1, 4, 5}, [MaxAxes]int8{1, 0, 3, 2}, []int{2, 5, 4}, []int{20, 1, 5}},
		{Shape{1, 1}, [MaxAxes]int8{1, 0}, []int{1}, []int{1}},
	} {
		size, stride := c.shape.Transposed(c.perm)
		if fmt.Sprint(size, stride) != fmt.Sprint(c.size, c.stride) {
			t.Errorf("%v by %v: %v %v, want %v %v", c.shape, c.perm, size, stride, c.size, c.stride)
		}
	}
}

// TestPrune drops what nobody reads, keeps what changes state or meets other ranks, and leaves out optional outputs.
func TestPrune(t *testing.T) {
	p := &Program{Name: "test"}
	x, w := p.NewValue(Input, "x", F32, 2, 2), p.NewValue(State, "w", F32, 2, 2)
	temp := func() *Value { return p.NewValue(Temp, "", F32, 2, 2) }
	y, pre, sum := temp(), temp(), p.NewValue(Temp, "", F32, 2)
	product := p.Emit(&Instr{Kind: MatMul, In: []*Value{x, w, nil, nil, nil}, Out: []*Value{y, pre, sum}})
	unread := p.Emit(&Instr{Kind: Add, In: []*Value{y, y}, Out: []*Value{temp()}})
	p.Emit(&Instr{Kind: Mul, In: []*Value{unread.Out[0], y}, Out: []*Value{temp()}})
	assign := p.Emit(&Instr{Kind: Assign, In: []*Value{w, x}})
	reduced := temp()
	reduce := p.Emit(&Instr{Kind: AllReduce, In: []*Value{x}, Out: []*Value{reduced}})
	await := p.Emit(&Instr{Kind: Await, In: []*Value{reduced}, Out: []*Value{temp()}})
	stateOut := p.NewValue(State, "s", F32, 2, 2)
	written := p.Emit(&Instr{Kind: Add, In: []*Value{x, x}, Out: []*Value{stateOut}})
	p.Outputs = []*Value{y}
	p.Prune()
	want := []*Instr{product, assign, reduce, await, written}
	if len(p.Instrs) != len(want) {
		t.Fatalf("%d instructions are left, want %d", len(p.Instrs), len(want))
	}
	for i, in := range p.Instrs {
		if in != want[i] {
			t.Errorf("instruction %d is %s, want %s", i, in.Kind, want[i].Kind)
		}
	}
	if product.Out[0] != y || product.Out[1] != nil || product.Out[2] != nil {
		t.Errorf("outputs %v", product.Out)
	}
	if p.Output("none") != -1 || p.Lookup(State, "w") != w || p.Lookup(Input, "w") != nil || len(p.Inputs()) != 1 || p.Inputs()[0] != x {
		t.Error("values by name")
	}
}

// TestDumpOfEverything holds the text of attributes, constants, shared storage, paths and named outputs.
func TestDumpOfEverything(t *testing.T) {
	p := &Program{Name: "all"}
	x, w := p.NewValue(Input, "x", BF16, 2, 3), p.NewValue(State, "w", BF16, 3, 3)
	y := p.NewValue(Temp, "logits", BF16, 2, 3)
	p.Emit(&Instr{Kind: MatMul, Attrs: MatMulAttrs{TransB: true, Act: GELU, Compute: BF16}, In: []*Value{x, w, nil, nil, nil}, Out: []*Value{y, nil, nil}, Path: "blocks.0", Block: -1})
	half := p.NewValue(Const, "", F32, 1)
	half.Const = 0.5
	z := p.NewValue(Temp, "", BF16, 2, 3)
	z.Base = y
	p.Emit(&Instr{Kind: ScaleBy, In: []*Value{y, half}, Out: []*Value{z}, Path: "head", Backward: true, Block: -1})
	p.Emit(&Instr{Kind: LinearCrossEntropy, Attrs: LinearCrossEntropyAttrs{LossAttrs: LossAttrs{Smoothing: 0.1}, Rows: 7}, In: []*Value{z, w, nil, half, nil}, Out: []*Value{nil, nil, nil, nil}})
	p.Outputs = []*Value{y, z}
	var b strings.Builder
	if err := p.Dump(&b); err != nil {
		t.Fatal(err)
	}
	const want = "program all\n" +
		"  %0:bf16(2, 3), _, _ = MatMul(x, w, _, _, _) {TransB=true Act=gelu Compute=bf16}  # blocks.0\n" +
		"  %1:bf16(2, 3)@%0 = ScaleBy(%0, 0.5)  # head backward\n" +
		"  _, _, _, _ = LinearCrossEntropy(%1, w, _, 0.5, _) {Smoothing=0.1 Rows=7}\n" +
		"  return logits=%0, %1\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
