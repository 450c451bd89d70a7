package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestRoPE(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		x, cos, sin := random(rng, 2*n), make([]float32, n), make([]float32, n)
		want := make([]float64, 2*n)
		for i := range cos {
			angle := 7 * math.Pow(10000, -float64(i)/float64(n))
			s, c := math.Sincos(angle)
			sin[i], cos[i] = float32(s), float32(c)
			a, b := float64(x[i]), float64(x[i+n])
			want[i], want[i+n] = a*c-b*s, b*c+a*s
		}
		y := make([]float32, 2*n)
		v.RoPE(y, x, cos, sin)
		near(t, "RoPE", y, want, 1e-6)
		v.RoPEInverse(y, y, cos, sin)
		near(t, "RoPEInverse", y, widen(x), 1e-6)
	})
}

// TestPhilox compares with the known answers of Random123's kat_vectors.
func TestPhilox(t *testing.T) {
	const one = math.MaxUint32
	for _, c := range []struct {
		key           uint64
		counter, want [4]uint32
	}{
		{0, [4]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{math.MaxUint64, [4]uint32{one, one, one, one}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0a4093822, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := philox(c.key, c.counter); got != c.want {
			t.Errorf("counter %x: %x, want %x", c.counter, got, c.want)
		}
	}
}

// TestDropout checks that mask and value are the same on every instruction set
// and however the range is split, also where the number of a block leaves its
// low word.
func TestDropout(t *testing.T) {
	for _, first := range []uint64{1<<33 + 5, 1<<34 - 1003, 5<<40 - 1000} {
		testDropout(t, first)
	}
}

func testDropout(t *testing.T, first uint64) {
	key := DropoutKey{Seed: 0x123456789abcdef0, Site: 7}
	const p, n = 0.3, 5000
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i + 1)
	}
	want := make([]float32, n)
	Generic.Dropout(want, x, p, key, first)
	kept := 0
	for i, y := range want {
		if y != 0 {
			kept++
			near(t, "kept", want[i:i+1], []float64{float64(x[i]) / (1 - p)}, 1e-6)
		}
	}
	if share := float64(kept) / n; math.Abs(share-(1-p)) > 0.02 {
		t.Errorf("%.3f of the elements are kept, want %.3f", share, 1-p)
	}
	for _, v := range Available() {
		for _, step := range []int{1, 2, 3, 5, 61, 64, 67, 1000, n} {
			got := append([]float32{}, x...)
			for lo := 0; lo < n; lo += step {
				part := got[lo:min(lo+step, n)]
				v.Dropout(part, part, p, key, first+uint64(lo))
			}
			equal(t, v.Name(), got, want)
		}
		got := make([]float32, n)
		v.Dropout(got, x, 0, key, 0)
		equal(t, v.Name()+" p=0", got, x)
	}
}

// TestDropoutKeys checks that every part of the key changes the mask, and every
// word of the number of an element.
func TestDropoutKeys(t *testing.T) {
	mask := func(key DropoutKey, first uint64) string {
		x := make([]float32, 64)
		Generic.Fill(x, 1)
		Generic.Dropout(x, x, 0.5, key, first)
		var bits []byte
		for _, e := range x {
			bits = append(bits, byte('0'+int(e/2)))
		}
		return string(bits)
	}
	base := DropoutKey{Seed: 1, Site: 2}
	seen := map[string]bool{}
	for _, key := range []DropoutKey{base, {2, 2}, {1 + 1<<32, 2}, {1, 3}} {
		seen[mask(key, 0)] = true
	}
	for _, first := range []uint64{64, 1 << 34, 1 << 50} {
		seen[mask(base, first)] = true
	}
	if len(seen) != 7 {
		t.Errorf("7 keys and numbers give %d masks", len(seen))
	}
}

// TestOptimizersMatchGeneric runs five steps at every length.
func TestOptimizersMatchGeneric(t *testing.T) {
	run := func(v *Impl, n int) [][]float32 {
		rng := rand.New(rand.NewPCG(9, uint64(n)))
		var all [][]float32
		state := func() (p, s1, s2 []float32) {
			p, s1, s2 = random(rng, n), make([]float32, n), make([]float32, n)
			all = append(all, p, s1, s2)
			return p, s1, s2
		}
		grad := func() []float32 { return random(rng, n) }
		p, m1, m2 := state()
		for i := range 5 {
			v.AdamWStep(p, grad(), m1, m2, AdamW{LR: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.1,
				BC1: float32(1 - math.Pow(0.9, float64(i+1))), BC2: float32(1 - math.Pow(0.99, float64(i+1))), GradScale: 0.5})
		}
		for _, nesterov := range []bool{false, true} {
			p, buf, _ := state()
			for range 5 {
				v.SGDStep(p, grad(), buf, SGD{LR: 0.1, Momentum: 0.9, WeightDecay: 0.1, GradScale: 2, Nesterov: nesterov})
			}
		}
		p, _, _ = state()
		v.SGDStep(p, grad(), nil, SGD{LR: 0.1, GradScale: 1})
		p, m, _ := state()
		for range 5 {
			v.LionStep(p, grad(), m, Lion{LR: 0.01, Beta1: 0.9, Beta2: 0.99, WeightDecay: 0.1, GradScale: 0.5})
		}
		v.LionStep(p, make([]float32, n), make([]float32, n), Lion{LR: 0.01, Beta1: 0.9, Beta2: 0.99, GradScale: 1}) // sign 0
		avg, _, _ := state()
		v.EMA(avg, p, 0.9)
		return all
	}
	each(t, func(t *testing.T, v *Impl, n int, _ *rand.Rand) {
		want := run(Generic, n)
		for i, got := range run(v, n) {
			near(t, "state", got, widen(want[i]), 2e-6)
		}
	})
}

// TestHalfMatchesGeneric converts every half-precision number and hard cases of
// rounding.
func TestHalfMatchesGeneric(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	x := make([]float32, 1<<16+7)
	for i := range x {
		x[i] = math.Float32frombits(rng.Uint32())
		if i%3 == 0 { // a tie or next to one
			x[i] = math.Float32frombits(rng.Uint32()&^0x1fff | 0x1000 + rng.Uint32N(3) - 1)
		}
		if i%3 == 1 { // in the range of binary16
			x[i] = float32(math.Ldexp(rng.Float64()-0.5, rng.IntN(44)-26))
		}
	}
	wantB, wantH := make([]BF16, len(x)), make([]F16, len(x))
	Generic.ToBF16(wantB, x)
	Generic.ToF16(wantH, x)
	for _, v := range Available() {
		b, h := make([]BF16, len(x)), make([]F16, len(x))
		v.ToBF16(b, x)
		v.ToF16(h, x)
		for i := range x {
			if b[i] != wantB[i] || h[i] != wantH[i] {
				t.Fatalf("%s: %x becomes %x and %x, want %x and %x", v.Name(), math.Float32bits(x[i]), b[i], h[i], wantB[i], wantH[i])
			}
		}
		for i := range 1 << 16 {
			b[i], h[i] = BF16(i), F16(i)
		}
		y, z := make([]float32, 1<<16), make([]float32, 1<<16)
		v.FromBF16(y, b)
		v.FromF16(z, h)
		for i := range 1 << 16 {
			if wb, wh := bf16FromFloat32(y[i]), f16FromFloat32(z[i]); y[i] == y[i] && wb != BF16(i) || z[i] == z[i] && wh != F16(i) {
				t.Fatalf("%s: %x comes back as %x and %x", v.Name(), i, wb, wh)
			}
		}
	}
}

func TestTranspose(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, v := range Available() {
		for _, rows := range []int{0, 1, 7, 8, 20, 64} {
			for _, cols := range []int{0, 1, 8, 13, 48} {
				src := random(rng, rows*(cols+2))
				dst := make([]float32, cols*(rows+3))
				v.Transpose(dst, rows+3, src, cols+2, rows, cols)
				for i, e := range dst {
					want := float32(0)
					if c, r := i/(rows+3), i%(rows+3); r < rows {
						want = src[r*(cols+2)+c]
					}
					if e != want {
						t.Fatalf("%s %d×%d: element %d is %g, want %g", v.Name(), rows, cols, i, e, want)
					}
				}
			}
		}
	}
}

func TestGatherScatter(t *testing.T) {
	const d = 21
	ids := []int32{3, 0, 3, 2}
	for _, v := range Available() {
		table := make([]float32, 4*d)
		for i := range table {
			table[i] = float32(i)
		}
		got := make([]float32, len(ids)*d)
		v.GatherRows(got, table, ids, d)
		sum := make([]float32, 4*d)
		v.ScatterAddRows(sum, got, ids, d, 0, 10)
		v.ScatterAddRows(sum, got, ids, d, 10, d)
		for i := range table {
			count := map[int]float32{0: 1, 2: 1, 3: 2}[i/d]
			if sum[i] != count*table[i] {
				t.Fatalf("%s: element %d is %g, want %g", v.Name(), i, sum[i], count*table[i])
			}
		}
		block := make([]float32, 2*5)
		v.Copy2D(block, 5, table[d:], d, 2, 3)
		equal(t, "Copy2D", block, []float32{d, d + 1, d + 2, 0, 0, 2 * d, 2*d + 1, 2*d + 2, 0, 0})
	}
}

// TestAllocations holds the package to allocating nothing.
func TestAllocations(t *testing.T) {
	x, y, w := make([]float32, 300), make([]float32, 300), make([]float32, 100)
	half := make([]BF16, 300)
	stats := make([]float32, 3)
	for _, v := range Available() {
		if n := testing.AllocsPerRun(5, func() {
			v.GELU(y, x)
			v.Softmax(y, x, 1)
			v.CrossEntropyBackward(x, 3, Loss{Smoothing: 0.1}, 1)
			v.LayerNorm(y, stats, stats, x, w, w, 1e-5)
			v.LayerNormBackward(y, nil, nil, x, w, stats, stats, x, nil)
			v.Dropout(y, x, 0.1, DropoutKey{Seed: 1}, 3)
			v.AdamWStep(x, y, x, y, AdamW{BC1: 1, BC2: 1})
			v.SGDStep(x, y, nil, SGD{})
			v.LionStep(x, y, x, Lion{})
			v.ToBF16(half, x)
			v.ColumnSum(w, x, true)
		}); n != 0 {
			t.Errorf("%s: %v allocations", v.Name(), n)
		}
	}
}
