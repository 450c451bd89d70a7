//go:build gpu

package backend

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// TestUnaligned runs the kernels that map elements on memory that is not aligned
// to 16 bytes, as no plan has it but a batch of odd matrices may: the bits are
// those of aligned memory.
func TestUnaligned(t *testing.T) {
	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	const n = 3000
	for _, k := range []struct {
		name string
		in   []ir.DType
		out  ir.DType
		rest []any
	}{
		{"add_f32", []ir.DType{ir.F32, ir.F32}, ir.F32, nil},
		{"add_bf16", []ir.DType{ir.BF16, ir.BF16}, ir.BF16, nil},
		{"activation_f32", []ir.DType{ir.F32}, ir.F32, []any{int32(ir.SiLU)}},
		{"activation_backward_bf16", []ir.DType{ir.BF16, ir.BF16}, ir.BF16, []any{int32(ir.GELU)}},
		{"dropout_f32", []ir.DType{ir.F32, ir.I32}, ir.F32, []any{int32(12), int32(1 << 30), float32(4. / 3), int32(9)}},
		{"dropout_bf16", []ir.DType{ir.BF16, ir.I32}, ir.BF16, []any{int32(12), int32(1 << 30), float32(4. / 3), int32(9)}},
	} {
		t.Run(k.name, func(t *testing.T) {
			var want []byte
			for _, skip := range []int{0, 1} {
				c := &call{Backend: opened.(*Backend), Instr: &ir.Instr{}}
				draw := rand.New(rand.NewPCG(5, 6))
				var args []any
				for _, d := range k.in {
					v := &ir.Value{Shape: ir.Shape{n + skip}, DType: d}
					args = append(args, addr(upload(t, opened, v, draw, skip))+cuda.Ptr(skip*d.Bits()/8))
				}
				size := k.out.Bits() / 8
				buf, err := opened.Alloc(int64((n + skip) * size))
				if err != nil {
					t.Fatal(err)
				}
				y := exec.Region{Buffer: buf, Offset: int64(skip * size), Bytes: int64(n * size)}
				args = append(args, addr(y), int64(n))
				launch := c.launch(k.name, elementGrid(n), elementBlock, 0, append(args, k.rest...)...)
				if c.err != nil {
					t.Fatal(c.err)
				}
				launch()
				got := make([]byte, n*size)
				if err := opened.Download(got, y); err != nil {
					t.Fatal(err)
				}
				if skip == 0 {
					want = got
				} else if !bytes.Equal(got, want) {
					t.Error("the results differ")
				}
			}
		})
	}
}
