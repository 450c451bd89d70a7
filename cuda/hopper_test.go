//go:build gpu

package cuda_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/kernels"
)

// bf16s are n small integers as bf16, which holds them and their products' sums exactly.
func bf16s(n, step, modulus int) []byte {
	var b []byte
	for i := range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(i*step%modulus-modulus/2))>>16))
	}
	return b
}

// TestHopperPrimitives compares each form of wgmma that the attention kernels use, on
// panels that tensor maps bring, with mma.sync: to the bit. Then panels that threads
// store, and copies of bytes.
func TestHopperPrimitives(t *testing.T) {
	d := open(t, 0)
	if info := d.Info(); info.Major != 9 || info.Minor != 0 {
		t.Skipf("%s has compute capability %d.%d, not 9.0", info.Name, info.Major, info.Minor)
	}
	const depth = 128
	s, m := newStream(t, d), module(t, d, "hopper_check_mma")
	put := func(data []byte) cuda.Ptr {
		p := alloc(t, d, int64(len(data)))
		noError(t, s.Upload(p, data))
		return p
	}
	run := func(name string, shared, results int, args ...cuda.Slot) []byte {
		t.Helper()
		k, err := m.Kernel(name)
		noError(t, err)
		noError(t, k.SetShared(shared))
		noError(t, s.Launch(k, cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: kernels.Signatures[name].Threads, Y: 1, Z: 1}, shared, args))
		got := make([]byte, 4*results)
		noError(t, s.Download(got, cuda.Ptr(args[len(args)-1])))
		noError(t, s.Synchronize())
		return got
	}
	matrix := func(p cuda.Ptr, rows, columns int) []byte {
		words, err := cuda.Tiles{Base: p, Dims: [4]int{columns, 1, rows, 1}, Strides: [3]int{2 * columns, 2 * columns, 2 * columns * rows},
			Box: [4]int{64, 1, 64, 1}}.Map()
		noError(t, err)
		var b []byte
		for _, w := range words {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
		return b
	}
	a := put(bf16s(64*depth, 7, 11))
	for _, n := range []int{64, 128} {
		b, c, ofMMA := put(bf16s(n*depth, 5, 13)), alloc(t, d, int64(4*64*n)), alloc(t, d, int64(4*64*n))
		mma := func(ldk, ldn int) []byte {
			k, err := m.Kernel("hopper_check_mma")
			noError(t, err)
			noError(t, s.Launch(k, cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: 128, Y: 1, Z: 1}, 0,
				[]cuda.Slot{a.Slot(), b.Slot(), ofMMA.Slot(), cuda.Int(int32(n)), cuda.Int(int32(ldk)), cuda.Int(int32(ldn))}))
			got := make([]byte, 4*64*n)
			noError(t, s.Download(got, ofMMA))
			noError(t, s.Synchronize())
			return got
		}
		rows, columns := "hopper_check_rows_n64", "hopper_check_columns_n64"
		if n == 128 {
			rows, columns = "hopper_check_rows_n128", "hopper_check_columns_n128"
		}
		maps := put(append(matrix(a, 64, depth), matrix(b, n, depth)...))
		if got := run(rows, 2*depth*(64+n)+1024, 64*n, maps.Slot(), c.Slot()); !bytes.Equal(got, mma(1, depth)) {
			t.Errorf("%s differs from mma.sync", rows)
		}
		maps = put(append(matrix(a, 64, depth), matrix(b, depth, n)...))
		if got := run(columns, 2*depth*n+1024, 64*n, maps.Slot(), a.Slot(), c.Slot()); !bytes.Equal(got, mma(n, 1)) {
			t.Errorf("%s differs from mma.sync", columns)
		}
		if n == 64 {
			if got := run("hopper_check_stores", 4*depth*64+1024, 64*n, a.Slot(), b.Slot(), c.Slot()); !bytes.Equal(got, mma(1, depth)) {
				t.Error("hopper_check_stores differs from mma.sync")
			}
		}
	}
	x, y := put(ramp(1024)), alloc(t, d, 4096)
	checkRamp(t, "hopper_check_bytes", run("hopper_check_bytes", 4096+1024, 1024, x.Slot(), y.Slot()), 1)
}
