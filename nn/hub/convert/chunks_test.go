package convert

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/nn/hub/gguf"
)

// stored is a tensor of a type whose numbers are small and whole.
func stored(t *testing.T, typ gguf.Type, shape ...int) (tensor, []float32) {
	t.Helper()
	x := tensor{name: "t", stored: "t", shape: shape, typ: typ}
	values := make([]float32, x.size())
	for i := range values {
		values[i] = float32((i*7 + i/1000) % 255)
	}
	x.data = make([]byte, x.bytes(typ))
	if err := typ.Encode(x.data, values); err != nil {
		t.Fatal(err)
	}
	if err := typ.Decode(values, x.data); err != nil {
		t.Fatal(err)
	}
	return x, values
}

// TestPiecesOfLongTensors: a tensor that is longer than a piece, by less than one and by more, is given whole, in
// order and with its places, stored as it is, transposed, reordered or changed.
func TestPiecesOfLongTensors(t *testing.T) {
	for _, typ := range []gguf.Type{gguf.F32, gguf.F16, gguf.Q8_0} {
		for _, shape := range [][]int{{chunkElements}, {chunkElements + 32}, {2*chunkElements + 64}, {33000, 64}, {3, 32}} {
			x, want := stored(t, typ, shape...)
			rows := shape[0]
			variants := map[string]func(tensor) tensor{
				"plain": func(x tensor) tensor { return x },
				"changed": func(x tensor) tensor {
					x.change = func(values []float32, offset int) {
						for i := range values {
							values[i] += float32(offset + i)
						}
					}
					return x
				},
			}
			if len(shape) == 2 {
				variants["reordered"] = func(x tensor) tensor { x.order = func(r int) int { return rows - 1 - r }; return x }
			}
			for name, of := range variants {
				next := 0
				err := of(x).floats(func(offset int, values []float32) error {
					if offset != next {
						t.Fatalf("%s %s %v: a piece at %d, want %d", name, typ, shape, offset, next)
					}
					for i, got := range values {
						at := offset + i
						if name == "reordered" {
							at = (rows-1-at/shape[1])*shape[1] + at%shape[1]
						}
						w := want[at]
						if name == "changed" {
							w += float32(at)
						}
						if got != w {
							t.Fatalf("%s %s %v: number %d is %g, want %g", name, typ, shape, offset+i, got, w)
						}
					}
					next += len(values)
					return nil
				})
				if err != nil || next != x.size() {
					t.Errorf("%s %s %v: %d numbers, %v", name, typ, shape, next, err)
				}
			}
			var out bytes.Buffer
			if n, err := (encoded{x, typ}).WriteTo(&out); err != nil || n != int64(len(x.data)) || !bytes.Equal(out.Bytes(), x.data) {
				t.Errorf("%s %v is copied as %d bytes, %v", typ, shape, n, err)
			}
			if len(shape) == 2 {
				reordered := x
				reordered.order = func(r int) int { return (r + 1) % rows }
				size := len(x.data) / rows
				out.Reset()
				if n, err := (encoded{reordered, typ}).WriteTo(&out); err != nil || n != int64(len(x.data)) || !bytes.Equal(out.Bytes(), append(slices.Clone(x.data[size:]), x.data[:size]...)) {
					t.Errorf("%s %v in another order is copied as %d bytes, %v", typ, shape, n, err)
				}
			}
			out.Reset()
			if n, err := (encoded{x, gguf.F32}).WriteTo(&out); err != nil || n != int64(4*x.size()) {
				t.Errorf("%s %v as F32 has %d bytes, %v", typ, shape, n, err)
			} else {
				back := tensor{shape: shape, typ: gguf.F32, data: out.Bytes()}
				if c, err := compareNumbers(x, back); err != nil || !c.same && c.largest != 0 {
					t.Errorf("%s %v as F32: %+v, %v", typ, shape, c, err)
				}
			}
		}
	}
	// A transposed matrix, whose sides are no multiples of a tile.
	x, want := stored(t, gguf.F32, 70, 45)
	x.shape, x.transposed = []int{45, 70}, true
	err := x.floats(func(_ int, values []float32) error {
		for i, got := range values {
			if w := want[i%70*45+i/70]; got != w {
				t.Fatalf("number %d of the transpose is %g, want %g", i, got, w)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestExact: which types hold each number of another.
func TestExact(t *testing.T) {
	for _, c := range []struct {
		from, to gguf.Type
		want     bool
	}{{gguf.F16, gguf.F16, true}, {gguf.F16, gguf.F32, true}, {gguf.BF16, gguf.F32, true}, {gguf.Q8_0, gguf.F32, true}, {gguf.F64, gguf.F32, false}, {gguf.F32, gguf.F16, false}, {gguf.F16, gguf.BF16, false}, {gguf.F64, gguf.F64, true}} {
		if exact(c.from, c.to) != c.want {
			t.Errorf("%s as %s is exact: %t", c.from, c.to, !c.want)
		}
	}
	for _, c := range []struct{ layers, width, heads, dim, want int }{{62, 5376, 32, 128, 168}, {34, 2560, 8, 256, 256}, {62, 5376, 0, 128, 128}, {61, 5376, 32, 128, 128}} {
		if got := gemma3QueryScale(c.layers, c.width, c.heads, c.dim); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	for cols, want := range map[int]gguf.Type{256: gguf.Q4_K, 512: gguf.Q4_K, 288: gguf.Q5_0, 40: gguf.F16} {
		if got := fitting(gguf.Q4_K, cols); got != want {
			t.Errorf("of rows of %d Q4_K becomes %s, want %s", cols, got, want)
		}
	}
	if headType(gguf.Q4_0) != gguf.Q6_K || headType(gguf.Q4_K) != gguf.Q6_K || headType(gguf.Q8_0) != gguf.Q8_0 || blockBytes(gguf.Q8_0) != 34 {
		t.Error("types of the head")
	}
	if got := (replacement{wanted: gguf.Q4_K, as: gguf.Q5_0, cols: 288}).note(3); got != "3 matrices with rows of 288 are Q5_0 in place of Q4_K, as in llama.cpp: these are no whole blocks of 256" {
		t.Error(got)
	}
	if got := (replacement{wanted: gguf.Q4_K, as: gguf.Q6_K, head: "output.weight"}).note(1); !strings.HasPrefix(got, "output.weight, the head, is Q6_K in place of Q4_K") {
		t.Error(got)
	}
}
