//go:build gpu

package cuda

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// roundBF16 rounds to the nearest bfloat16, ties to even.
func roundBF16(x float32) float32 {
	bits := math.Float32bits(x)
	return math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
}

// encode and decode convert between values and the bytes of a type.
func encode(t DType, values []float32) []byte {
	var b []byte
	for _, v := range values {
		if t == BFloat16 {
			b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(roundBF16(v))>>16))
		} else {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	return b
}

func decode(t DType, b []byte) []float32 {
	values := make([]float32, int64(len(b))/t.Size())
	for i := range values {
		if t == BFloat16 {
			values[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		} else {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
	return values
}

// randomValues are what a tensor of the type can hold exactly.
func randomValues(r *rand.Rand, t DType, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	return decode(t, encode(t, values))
}

// put copies values to new memory of the device; get brings them back.
func put(t *testing.T, s *Stream, dtype DType, values []float32) Ptr {
	t.Helper()
	b := encode(dtype, values)
	p, err := s.device.Alloc(int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, s.device.Free(p)) })
	if err := s.Upload(p, b); err != nil {
		t.Fatal(err)
	}
	return p
}

func get(t *testing.T, s *Stream, dtype DType, p Ptr, n int) []float32 {
	t.Helper()
	b := make([]byte, int64(n)*dtype.Size())
	if err := s.Download(b, p); err != nil {
		t.Fatal(err)
	}
	if err := s.Synchronize(); err != nil {
		t.Fatal(err)
	}
	return decode(dtype, b)
}

// operands are those of one product, by value.
type operands struct{ a, b, c, d, bias, aux []float32 }

func newOperands(r *rand.Rand, p Product) operands {
	rowsA, _ := p.storedA()
	rowsB, _ := p.storedB()
	bias, ab := p.N, p.AB
	if p.Epilogue == BiasGradientA {
		bias = p.M
	}
	if p.TF32 {
		ab = BFloat16 // values that TF32 does not round
	}
	return operands{
		a:    randomValues(r, ab, p.Batch*rowsA*p.LDA),
		b:    randomValues(r, ab, p.Batch*rowsB*p.LDB),
		c:    randomValues(r, p.D, p.Batch*p.M*p.LDC),
		d:    randomValues(r, p.D, p.Batch*p.M*p.LDC),
		bias: randomValues(r, p.D, bias),
		aux:  randomValues(r, p.D, p.Batch*p.M*p.N),
	}
}

// gelu and its derivative, in float64.
func gelu(x float64) (y, slope float64) {
	scale := math.Sqrt(2 / math.Pi)
	tanh := math.Tanh(scale * (x + 0.044715*x*x*x))
	return x / 2 * (1 + tanh), (1+tanh)/2 + x/2*(1-tanh*tanh)*scale*(1+3*0.044715*x*x)
}

// reference computes a product in float64 as Product and Epilogue define it. It
// changes d, bias and aux as the device does.
func (o operands) reference(p Product) operands {
	out := operands{o.a, o.b, o.c, slices.Clone(o.d), slices.Clone(o.bias), slices.Clone(o.aux)}
	rowsA, _ := p.storedA()
	rowsB, _ := p.storedB()
	a := func(batch, m, k int) float64 {
		if p.TransA {
			m, k = k, m
		}
		return float64(o.a[(batch*rowsA+m)*p.LDA+k])
	}
	b := func(batch, k, n int) float64 {
		if p.TransB {
			k, n = n, k
		}
		return float64(o.b[(batch*rowsB+k)*p.LDB+n])
	}
	gradient := make([]float64, len(o.bias))
	for batch := range p.Batch {
		for m := range p.M {
			for n := range p.N {
				at, packed := (batch*p.M+m)*p.LDC+n, (batch*p.M+m)*p.N+n
				x := 0.0
				for k := range p.K {
					x += a(batch, m, k) * b(batch, k, n)
				}
				if p.Beta != 0 {
					x += float64(p.Beta) * float64(o.c[at])
				}
				switch p.Epilogue {
				case Bias, GELUBias, GELUAuxBias:
					x += float64(o.bias[n])
				}
				switch p.Epilogue {
				case GELUAux, GELUAuxBias:
					out.aux[packed] = float32(x)
				}
				switch p.Epilogue {
				case GELU, GELUBias, GELUAux, GELUAuxBias:
					x, _ = gelu(x)
				case DGELU, DGELUBiasGradient:
					_, slope := gelu(float64(o.aux[packed]))
					x *= slope
				}
				if p.Epilogue == DGELUBiasGradient {
					gradient[n] += x
				}
				out.d[at] = float32(x)
			}
		}
	}
	switch p.Epilogue {
	case BiasGradientA:
		for m := range p.M {
			for k := range p.K {
				gradient[m] += a(0, m, k)
			}
		}
	case BiasGradientB:
		for n := range p.N {
			for k := range p.K {
				gradient[n] += b(0, k, n)
			}
		}
	}
	if p.storesBias() {
		for i, g := range gradient {
			out.bias[i] = float32(g)
		}
	}
	return out
}

// compare fails where got leaves want by more than tolerance·(1 + |want|).
func compare(t *testing.T, name string, got, want []float32, tolerance float64) {
	t.Helper()
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if !(math.Abs(g-w) <= tolerance*(1+math.Abs(w))) {
			t.Errorf("%s[%d] = %v, want %v ± %.1g", name, i, g, w, tolerance*(1+math.Abs(w)))
			return
		}
	}
}

// tolerance of a value that the product stores, by the roundings on the way: that of
// the result where it is bfloat16, 8 bits; else those of a sum of K terms in float32,
// which grow as the walk of K steps of 2⁻²⁴, some times over for terms that cancel; and
// for GELU the error of the hardware's tanh.approx, 2⁻¹¹ of a result up to 1 (PTX ISA),
// which an epilogue may take.
func (p Product) tolerance() float64 {
	sum := 4e-6 * math.Sqrt(float64(p.K))
	switch {
	case p.D == BFloat16:
		return 1.0 / 128
	case p.usesGELU():
		return sum + 1.0/2048
	}
	return sum
}

func (p Product) usesGELU() bool {
	switch p.Epilogue {
	case GELU, GELUBias, GELUAux, GELUAuxBias, DGELU, DGELUBiasGradient:
		return true
	}
	return false
}
