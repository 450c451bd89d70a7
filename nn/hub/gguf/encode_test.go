package gguf

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestEncodeAsGGML compares blocks with those of llama.cpp's ggml (testdata/ggml.py): they are
// the very bytes.
func TestEncodeAsGGML(t *testing.T) {
	file, err := os.Open("testdata/ggml.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Values []byte
		Q4_0   []byte
		Q5_0   []byte
		Q8_0   []byte
		Q4_K   []byte
		Q6_K   []byte
	}
	if err := json.NewDecoder(unzipped).Decode(&golden); err != nil {
		t.Fatal(err)
	}
	values := make([]float32, len(golden.Values)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(golden.Values[4*i:]))
	}
	for typ, want := range map[Type][]byte{Q4_0: golden.Q4_0, Q5_0: golden.Q5_0, Q8_0: golden.Q8_0, Q4_K: golden.Q4_K, Q6_K: golden.Q6_K} {
		got := make([]byte, len(want))
		if err := typ.Encode(got, values); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != want[i] {
				_, size := typ.Block()
				t.Errorf("%v: byte %d of block %d is %d, ggml's %d", typ, i%size, i/size, got[i], want[i])
				break
			}
		}
	}
}

// TestEncodeHostileValues: what is no finite number, or too large for a scale, is no panic.
func TestEncodeHostileValues(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, bad := range []float32{float32(math.NaN()), inf, -inf, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32} {
		values := make([]float32, 512)
		values[3], values[300] = bad, bad
		values[4] = 1
		for _, typ := range []Type{Q4_0, Q5_0, Q8_0, Q4_K, Q6_K} {
			elements, size := typ.Block()
			blocks := make([]byte, len(values)/elements*size)
			if err := typ.Encode(blocks, values); err != nil {
				t.Errorf("%v of %g: %v", typ, bad, err)
			}
		}
	}
}

// TestEncodeTwice: what a type stands for is encoded to the same bytes again where its scale
// is the largest element's.
func TestEncodeTwice(t *testing.T) {
	values := make([]float32, 64)
	for i := range values {
		values[i] = float32(math.Sin(float64(i * i)))
	}
	for _, typ := range []Type{Q4_0, Q5_0} {
		_, size := typ.Block()
		first, second := make([]byte, 2*size), make([]byte, 2*size)
		if err := typ.Encode(first, values); err != nil {
			t.Fatal(err)
		}
		decoded := make([]float32, len(values))
		if err := typ.Decode(decoded, first); err != nil {
			t.Fatal(err)
		}
		if err := typ.Encode(second, decoded); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%v: %v, other bytes the second time", typ, err)
		}
	}
}
