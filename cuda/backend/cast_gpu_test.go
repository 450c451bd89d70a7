//go:build gpu

package backend

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// TestCasts casts tensors of many sizes to bf16 and back in one group, in which
// the second half depends on the first, and one cast writes where an earlier one
// reads.
func TestCasts(t *testing.T) {
	b, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	draw := rand.New(rand.NewPCG(7, 8))
	sizes := []int{1, 7, castChunk, castChunk + 1, 2*castChunk + 9}
	var instrs []*ir.Instr
	var args []exec.Args
	var want [][]byte
	cast := func(n int, from, to ir.DType, x, y exec.Region) {
		x.Bytes, y.Bytes = from.Bytes(ir.Shape{n}), to.Bytes(ir.Shape{n})
		instrs = append(instrs, &ir.Instr{Kind: ir.Cast,
			In: []*ir.Value{{Shape: ir.Shape{n}, DType: from}}, Out: []*ir.Value{{Shape: ir.Shape{n}, DType: to}}})
		args = append(args, exec.Args{In: []exec.Region{x}, Out: []exec.Region{y}})
	}
	var wide, narrow []exec.Region
	for _, n := range sizes {
		x := upload(t, b, &ir.Value{Shape: ir.Shape{n}}, draw, 0)
		host := make([]byte, x.Bytes)
		if err := b.Download(host, x); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(host); i += 4 {
			bits := binary.LittleEndian.Uint32(host[i:])
			binary.LittleEndian.PutUint32(host[i:], (bits+0x7fff+bits>>16&1)&^0xffff)
		}
		y := upload(t, b, &ir.Value{Shape: ir.Shape{n}, DType: ir.BF16}, draw, 0)
		wide, narrow, want = append(wide, x), append(narrow, y), append(want, host)
		cast(n, ir.F32, ir.BF16, x, y)
	}
	for i, n := range sizes {
		cast(n, ir.BF16, ir.F32, narrow[i], wide[i])
	}
	launch, err := b.(exec.Fuser).BindFused(instrs, args)
	if err != nil {
		t.Fatal(err)
	}
	launch()
	for i, n := range sizes {
		got := make([]byte, 4*n)
		if err := b.Download(got, wide[i]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want[i]) {
			t.Errorf("%d elements come back other than rounded, the first is %v", n, math.Float32frombits(binary.LittleEndian.Uint32(got)))
		}
	}
}
