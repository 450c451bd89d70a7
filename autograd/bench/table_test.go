package bench

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/ir"
)

var update = flag.Bool("update", false, "write the golden files")

// TestCasesAsWritten holds the table of what is measured: names, shapes, arithmetic and bytes of every size, and in bfloat16.
func TestCasesAsWritten(t *testing.T) {
	backend, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	var b strings.Builder
	for _, size := range Sizes() {
		for _, k := range Cases(size) {
			shape, err := json.Marshal(k.Shape)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %s %s %s %.0f", size, k.Name, k.Kind, shape, k.FLOPs)
			for _, compute := range []ir.DType{ir.F32, ir.BF16} {
				target := backend.Target()
				target.StoresBF16 = compute == ir.BF16
				p, err := k.instruction(target, compute)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&b, " %d", Traffic(p.Program.Instrs[0]))
			}
			b.WriteString("\n")
		}
	}
	const name = "testdata/cases.txt"
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
	for i := range max(len(got), len(lines)) {
		if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
			t.Fatalf("line %d: got %q, want %q", i+1, got[min(i, len(got)-1)], lines[min(i, len(lines)-1)])
		}
	}
}

// TestTraffic counts arguments and results once, what is updated in place twice.
func TestTraffic(t *testing.T) {
	v := func(n int, d ir.DType) *ir.Value { return &ir.Value{Shape: ir.Shape{n}, DType: d} }
	for _, c := range []struct {
		in   ir.Instr
		want int64
	}{
		{ir.Instr{Kind: ir.Add, In: []*ir.Value{v(10, ir.F32), v(10, ir.BF16)}, Out: []*ir.Value{v(10, ir.F32)}}, 40 + 20 + 40},
		{ir.Instr{Kind: ir.MatMul, In: []*ir.Value{v(10, ir.F32), v(10, ir.F32), nil, nil, nil}, Out: []*ir.Value{v(5, ir.F32), nil, nil}}, 40 + 40 + 20},
		{ir.Instr{Kind: ir.AdamW, In: []*ir.Value{v(1, ir.F32), v(1, ir.F32), v(1, ir.F32), v(1, ir.F32), v(8, ir.F32), nil}}, 4*4 + 32 + 3*4},
	} {
		if got := Traffic(&c.in); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.in.Kind, got, c.want)
		}
	}
}

// TestRandomArguments: floats in [-1, 1), in [0, 1) what is never negative, integers below the vocabulary, repeated after a
// million and three.
func TestRandomArguments(t *testing.T) {
	k := Case{Shape: Shape{Vocab: 7}}
	draw := func(name string, d ir.DType, n int) []float64 {
		out := k.random(&ir.Value{Name: name, Shape: ir.Shape{n}, DType: d}, rand.New(rand.NewPCG(1, 2)))
		if int64(len(out)) != d.Bytes(ir.Shape{n}) {
			t.Fatalf("%d bytes of %d elements", len(out), n)
		}
		var all []float64
		for len(out) > 0 {
			switch d {
			case ir.BF16:
				all, out = append(all, float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(out))<<16))), out[2:]
			case ir.I32:
				all, out = append(all, float64(int32(binary.LittleEndian.Uint32(out)))), out[4:]
			default:
				all, out = append(all, float64(math.Float32frombits(binary.LittleEndian.Uint32(out)))), out[4:]
			}
		}
		return all
	}
	for _, c := range []struct {
		name             string
		d                ir.DType
		low, high, reach float64
	}{
		{"x", ir.F32, -1, 1, 0.9}, {"x", ir.BF16, -1, 1, 0.9}, {"rstd", ir.F32, 0, 1, 0.45}, {"hyper", ir.F32, 0, 1, 0.45}, {"loss_weight", ir.F32, 0, 1, 0.45},
		{"exp_avg_sq.p", ir.F32, 0, 1, 0.45}, {"ids", ir.I32, 0, 6, 3},
	} {
		x := draw(c.name, c.d, 10_000)
		least, most := slices.Min(x), slices.Max(x)
		if middle := (c.low + c.high) / 2; least < c.low || most > c.high || least > middle-c.reach || most < middle+c.reach {
			t.Errorf("%s in %s: from %v to %v, want %v to %v", c.name, c.d, least, most, c.low, c.high)
		}
	}
	x := draw("x", ir.F32, 1_000_003+5)
	if !slices.Equal(x[1_000_003:], x[:5]) || slices.Equal(x[1_000_000:1_000_003], x[:3]) {
		t.Error("the numbers do not repeat after 1,000,003")
	}
}
