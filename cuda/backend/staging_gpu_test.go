//go:build gpu

package backend

import (
	"encoding/binary"
	"math"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// TestUploadsKeepTheirOrder sets the input of a kernel again and again without
// waiting for it: each launch reads the upload before it, although uploads cross
// the bus while kernels run and take more than all slots.
func TestUploadsKeepTheirOrder(t *testing.T) {
	b, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const n, rounds = 3*stagingBytes/4/2 + 5, 7
	x, xs := argument(t, b, ir.Shape{n})
	in := &ir.Instr{Kind: ir.Scale, Attrs: ir.ScaleAttrs{Alpha: 2}, In: []*ir.Value{x}}
	var results []exec.Region
	host := make([]byte, 4*n)
	for round := range rounds {
		for i := range n {
			binary.LittleEndian.PutUint32(host[4*i:], math.Float32bits(float32(round*n+i)))
		}
		if err := b.Upload(xs, host); err != nil {
			t.Fatal(err)
		}
		y, ys := argument(t, b, ir.Shape{n})
		in.Out = []*ir.Value{y}
		launch, err := b.Bind(in, exec.Args{In: []exec.Region{xs}, Out: []exec.Region{ys}})
		if err != nil {
			t.Fatal(err)
		}
		launch()
		results = append(results, ys)
	}
	if err := b.Sync(); err != nil {
		t.Fatal(err)
	}
	for round, ys := range results {
		if err := b.Download(host, ys); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			got, want := math.Float32frombits(binary.LittleEndian.Uint32(host[4*i:])), 2*float32(round*n+i)
			if got != want {
				t.Fatalf("round %d: element %d is %g, want %g", round, i, got, want)
			}
		}
	}
}
