package quant

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// golden is what scripts/golden/quant.py writes.
type golden struct {
	Rows, Cols int
	Input      string
	NF4        sums `json:"nf4"`
	Double     sums `json:"nf4-double"`
	Int8       sums `json:"int8"`
}

type sums struct {
	Codes, Absmax, Groups, Decoded string
	Offset                         float32
}

// numbers are those of the script.
func numbers(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		h := uint32(i) * 2654435761
		h ^= h >> 15
		h *= 2246822519
		h ^= h >> 13
		f := float32(int32(h)) * 0x1p-31
		x[i] = float32(f*f) * f
	}
	clear(x[64:128])
	copy(x[192:], nf4Bounds)
	x[207] = 1
	clear(x[208:256])
	for i := 256; i < 320; i++ {
		x[i] *= 0x1p-130
		x[i+64] *= 64
	}
	return x
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func bytesOf(x []float32) []byte {
	b := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return b
}

func encode(t testing.TB, d ir.DType, shape ir.Shape, x []float32) (Matrix, []byte) {
	t.Helper()
	data := make([]byte, d.Bytes(shape))
	err := Encode(d, shape, data, func(dst []float32, from int) error { copy(dst, x[from:]); return nil })
	if err != nil {
		t.Fatal(err)
	}
	m, err := View(d, shape, data)
	if err != nil {
		t.Fatal(err)
	}
	return m, data
}

// Codes, absmax and what is decoded from them are those of bitsandbytes, of a million
// numbers with ties, zeros, subnormals and a block that is not whole.
func TestBitsandbytes(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var want golden
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	shape := ir.Shape{want.Rows, want.Cols}
	x := numbers(shape.Size())
	if sum(bytesOf(x)) != want.Input {
		t.Fatal("the numbers are not those of the script")
	}
	kernels := Generic()
	for d, w := range map[ir.DType]sums{ir.NF4: want.NF4, ir.NF4Double: want.Double, ir.Int8: want.Int8} {
		m, _ := encode(t, d, shape, x)
		decoded := make([]float32, len(x))
		m.Decode(&kernels, decoded, 0)
		check := func(what, got, want string) {
			if got != want {
				t.Errorf("%s: the %s differ from bitsandbytes'", d, what)
			}
		}
		check("codes", sum(m.codes), w.Codes)
		check("absmax", sum(m.scales), w.Absmax)
		if d == ir.NF4Double {
			check("scales of groups", sum(m.groupScales), w.Groups)
			if got := float(m.offset, 0); got != w.Offset {
				t.Errorf("%s: offset %v, want %v", d, got, w.Offset)
			}
		}
		check("decoded numbers", sum(bytesOf(decoded)), w.Decoded)
	}
}

// A matrix of a whole number of groups has 4.127 bits an element under double
// quantisation.
func TestBitsPerElement(t *testing.T) {
	shape := ir.Shape{1024, 4096}
	for d, want := range map[ir.DType]float64{ir.NF4: 4.5, ir.NF4Double: 4.126961, ir.BF16: 16, ir.Int8: 8 + 32./4096} {
		if got := 8 * float64(d.Bytes(shape)) / float64(shape.Size()); math.Abs(got-want) > 1e-5 {
			t.Errorf("%s has %g bits an element, want %g", d, got, want)
		}
	}
}

// Any run of elements decodes as it does in the whole matrix, wherever it begins.
func TestDecodeParts(t *testing.T) {
	kernels := Generic()
	for _, shape := range []ir.Shape{{1, 1}, {3, 7}, {5, 64}, {3, 129}} {
		x := numbers(1000)[400:][:shape.Size()]
		for _, d := range []ir.DType{ir.F32, ir.BF16, ir.Int8, ir.NF4, ir.NF4Double} {
			m, _ := encode(t, d, shape, x)
			whole := make([]float32, len(x))
			m.Decode(&kernels, whole, 0)
			for from := range x {
				part := make([]float32, min(len(x)-from, 100))
				m.Decode(&kernels, part, from)
				if !bytes.Equal(bytesOf(part), bytesOf(whole[from:][:len(part)])) {
					t.Fatalf("%s%s: elements from %d decode differently alone", d, shape, from)
				}
			}
		}
	}
}

func TestEncodeRefusals(t *testing.T) {
	data := make([]byte, ir.NF4.Bytes(ir.Shape{1, 64}))
	for name, f := range map[string]func() error{
		"a vector": func() error {
			return Encode(ir.NF4, ir.Shape{64}, data, func([]float32, int) error { return nil })
		},
		"infinity": func() error {
			return Encode(ir.NF4, ir.Shape{1, 64}, data, func(dst []float32, _ int) error {
				dst[5] = float32(math.Inf(1))
				return nil
			})
		},
		"too few bytes": func() error {
			return Encode(ir.NF4, ir.Shape{2, 64}, data, func([]float32, int) error { return nil })
		},
		"no type of weights": func() error {
			return Encode(ir.I32, ir.Shape{3, 3}, data, func([]float32, int) error { return nil })
		},
	} {
		if f() == nil {
			t.Errorf("%s is encoded", name)
		}
	}
}
