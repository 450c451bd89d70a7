//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testBLAS opens device 0, with a stream and a BLAS of 1 MiB of workspace.
func testBLAS(t *testing.T) (*Device, *Stream, *BLAS) {
	t.Helper()
	d := openDevice(t, 0)
	s, err := d.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, s.Close()) })
	const bytes = 1 << 20
	workspace, err := d.Alloc(bytes)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.NewBLAS(workspace, bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		check(t, b.Close())
		check(t, d.Free(workspace))
	})
	return d, s, b
}

func openDevice(t *testing.T, index int) *Device {
	t.Helper()
	d, err := Open(index)
	if err != nil {
		t.Fatalf("%v (without a GPU: make test-sim)", err)
	}
	t.Cleanup(func() { check(t, d.Close()) })
	return d
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// runProduct compares a product with its definition, by each of the algorithms for it, and
// the bits of two launches. It returns the error of a product that cuBLASLt lacks with this
// epilogue.
func runProduct(t *testing.T, s *Stream, b *BLAS, p Product, seed uint64) error {
	t.Helper()
	all, err := b.Candidates(p)
	if errors.Is(err, ErrEpilogue) {
		return err
	}
	if err != nil {
		t.Fatal(err)
	}
	p = all[0].Product()
	o := newOperands(rand.New(rand.NewPCG(seed, 1)), p)
	want := o.reference(p)
	sums := 1.0
	if p.Epilogue == DGELUBiasGradient {
		sums = math.Sqrt(float64(p.M)) // each of M terms has the error of an element
	}
	for _, m := range all {
		first := o.launch(t, s, m)
		compare(t, "D", first.d, want.d, p.tolerance())
		compare(t, "bias", first.bias, want.bias, sums*p.tolerance())
		compare(t, "aux", first.aux, want.aux, p.tolerance())
		again := o.launch(t, s, m)
		if !slices.Equal(first.d, again.d) || !slices.Equal(first.bias, again.bias) || !slices.Equal(first.aux, again.aux) {
			t.Errorf("algorithm %s gives other bits at its second launch", m.Algorithm())
		}
	}
	return nil
}

// launch computes a product of o on the device; d, bias and aux are what it leaves.
func (o operands) launch(t *testing.T, s *Stream, m *Matmul) operands {
	t.Helper()
	p := m.Product()
	pa, pb := put(t, s, p.AB, o.a), put(t, s, p.AB, o.b)
	pc, pd := put(t, s, p.D, o.c), put(t, s, p.D, o.d)
	bias, aux := put(t, s, p.D, o.bias), put(t, s, p.D, o.aux)
	if err := m.Launch(s, pa, pb, pc, pd, bias, aux); err != nil {
		t.Fatal(err)
	}
	o.d, o.bias, o.aux = get(t, s, p.D, pd, len(o.d)), get(t, s, p.D, bias, len(o.bias)), get(t, s, p.D, aux, len(o.aux))
	return o
}

// refusals are the products that a library lacks.
type refusals []string

// add holds what a library said of p: on the simulator, whose library refuses what
// NVIDIA's is known to, want tells whether it has to; else it is a row of a table, and
// no fault, since a kernel computes what is missing.
func (r *refusals) add(t *testing.T, d *Device, p Product, err error, want bool) {
	t.Helper()
	if err != nil {
		*r = append(*r, err.Error())
	}
	if simulated := strings.Contains(d.Info().Name, "imulator"); simulated && (err != nil) != want {
		t.Errorf("%v: %v, a refusal is wanted: %t", p, err, want)
	}
}

// TestProduct holds every epilogue, pair of transpositions, type, batch and beta
// against float64, at sizes that fill no block of a kernel. Of the gradients of a bias,
// cuBLASLt sums an operand's rows only where it reads them in their order: here an A
// that is transposed, or a B that is not.
func TestProduct(t *testing.T) {
	d, s, b := testBLAS(t)
	var refused refusals
	defer func() { t.Logf("%d refusals\n%s", len(refused), strings.Join(refused, "\n")) }()
	types := []struct {
		ab, d DType
		tf32  bool
	}{{Float32, Float32, false}, {Float32, Float32, true}, {BFloat16, BFloat16, false}, {BFloat16, Float32, false}}
	seed := uint64(0)
	for e := range Epilogue(len(epilogueNames)) {
		for _, ty := range types {
			for variant := range 16 {
				p := Product{
					M: 37, N: 43, K: 29, TransA: variant&1 != 0, TransB: variant&2 != 0,
					AB: ty.ab, D: ty.d, TF32: ty.tf32, Epilogue: e, Beta: float32(variant & 4 / 4), Batch: 1 + variant>>3*2,
				}
				if p.usesAux() {
					p.N = 40
				}
				if p.Batch > 1 && p.storesBias() {
					continue
				}
				seed++
				t.Run(fmt.Sprintf("%v/beta%v", p, p.Beta), func(t *testing.T) {
					refused.add(t, d, p, runProduct(t, s, b, p, seed), e == BiasGradientA && !p.TransA || e == BiasGradientB && p.TransB)
				})
			}
		}
	}
}

// TestProductRows takes parts of wider matrices and more than one block of the
// simulator's kernel.
func TestProductRows(t *testing.T) {
	_, s, b := testBLAS(t)
	for i, p := range []Product{
		{M: 131, N: 200, K: 300, LDA: 304, LDB: 208, LDC: 216, Beta: 0.5},
		{M: 131, N: 200, K: 300, LDA: 136, LDB: 304, LDC: 201, TransA: true, TransB: true, Epilogue: Bias},
		{M: 250, N: 136, K: 17, Epilogue: DGELUBiasGradient},
		{M: 1, N: 1, K: 1},
		{M: 1, N: 1000, K: 3, AB: BFloat16, D: Float32, Epilogue: BiasGradientB},
	} {
		t.Run(p.String(), func(t *testing.T) {
			if err := runProduct(t, s, b, p, uint64(i)); err != nil && p.Epilogue == Plain {
				t.Fatal(err)
			} else if err != nil {
				t.Skip(err)
			}
		})
	}
}

// TestProductInPlace adds up into D and launches one plan with several biases.
func TestProductInPlace(t *testing.T) {
	_, s, b := testBLAS(t)
	m, err := b.Plan(Product{M: 2, N: 4, K: 2, Beta: 1, Epilogue: Bias})
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Plan(Product{M: 2, N: 4, K: 2, LDA: 2, Batch: 1, Beta: 1, Epilogue: Bias})
	if err != nil || again != m {
		t.Errorf("the same product was planned twice: %v", err)
	}
	identity := put(t, s, Float32, []float32{1, 0, 0, 1})
	x := put(t, s, Float32, []float32{1, 2, 3, 4, 5, 6, 7, 8})
	d := put(t, s, Float32, make([]float32, 8))
	tens := put(t, s, Float32, []float32{10, 20, 30, 40})
	hundreds := put(t, s, Float32, []float32{100, 200, 300, 400})
	check(t, m.Launch(s, identity, x, d, d, tens, 0))
	check(t, m.Launch(s, identity, x, 0, d, hundreds, 0))
	compare(t, "D", get(t, s, Float32, d, 8), []float32{112, 224, 336, 448, 120, 232, 344, 456}, 0)
}

// TestProductTF32 tells whether TF32 rounds, and float32 does not. cuBLASLt may compute
// a product in float32 where TF32 is allowed: on a card that is a line of the log.
func TestProductTF32(t *testing.T) {
	device, s, b := testBLAS(t)
	const n = 128
	const x = 1 + 1.0/4096 // two bits more than TF32 has
	diagonal := make([]float32, n*n)
	full := make([]float32, n*n)
	for i := range full {
		full[i] = x
		if i%(n+1) == 0 {
			diagonal[i] = 1
		}
	}
	pa, pb := put(t, s, Float32, full), put(t, s, Float32, diagonal)
	for _, tf32 := range []bool{false, true} {
		m, err := b.Plan(Product{M: n, N: n, K: n, TF32: tf32})
		if err != nil {
			t.Fatal(err)
		}
		d := put(t, s, Float32, make([]float32, n*n))
		check(t, m.Launch(s, pa, pb, 0, d, 0, 0))
		got := get(t, s, Float32, d, n*n)[0]
		switch {
		case !tf32 && got != x:
			t.Errorf("float32: %v·1 = %v", float32(x), got)
		case tf32 && got != x && got != 1:
			t.Errorf("TF32: %v·1 = %v", float32(x), got)
		case tf32 && got == x && strings.Contains(device.Info().Name, "imulator"):
			t.Error("TF32 does not round")
		case tf32 && got == x:
			t.Log("cuBLASLt computes this product in float32 where TF32 is allowed")
		}
	}
}

func TestProductCaptured(t *testing.T) {
	_, s, b := testBLAS(t)
	m, err := b.Plan(Product{M: 1, N: 1, K: 1, Beta: 1})
	if err != nil {
		t.Fatal(err)
	}
	one, two := put(t, s, Float32, []float32{1}), put(t, s, Float32, []float32{2})
	d := put(t, s, Float32, []float32{0})
	g, err := s.Capture(func() error { return m.Launch(s, one, two, 0, d, 0, 0) })
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		check(t, g.Launch(s))
	}
	if got := get(t, s, Float32, d, 1)[0]; got != 6 {
		t.Errorf("after three launches D = %v, want 6", got)
	}
	check(t, g.Close())
}

func TestPlanRefuses(t *testing.T) {
	_, _, b := testBLAS(t)
	for _, c := range []struct {
		product  Product
		epilogue bool
		message  string
	}{
		{Product{M: 0, N: 8, K: 8}, false, "sizes"},
		{Product{M: 8, N: 8, K: 8, Epilogue: 99}, false, "no such epilogue"},
		{Product{M: 8, N: 8, K: 8, LDB: 7}, false, "LDB 7 is shorter"},
		{Product{M: 8, N: 8, K: 8, D: BFloat16}, false, "no such types"},
		{Product{M: 8, N: 8, K: 8, AB: BFloat16, TF32: true}, false, "TF32"},
		{Product{M: 8, N: 9, K: 8, Epilogue: GELUAux}, true, "multiple of 8"},
		{Product{M: 8, N: 9, K: 8, Epilogue: DGELU}, true, "multiple of 8"},
		{Product{M: 8, N: 8, K: 8, Batch: 2, Epilogue: BiasGradientA}, true, "batch"},
	} {
		_, err := b.Plan(c.product)
		if err == nil || errors.Is(err, ErrEpilogue) != c.epilogue || !strings.Contains(err.Error(), c.message) {
			t.Errorf("Plan(%v): %v", c.product, err)
		}
	}
}

// TestLaunchRefuses holds what the simulator's cuBLASLt checks of operands; a GPU
// would read or write elsewhere.
func TestLaunchRefuses(t *testing.T) {
	d, s, b := testBLAS(t)
	if !strings.Contains(d.Info().Name, "imulator") {
		t.Skip("only the simulator checks addresses")
	}
	m, err := b.Plan(Product{M: 16, N: 16, K: 16, Epilogue: GELUAuxBias})
	if err != nil {
		t.Fatal(err)
	}
	full := make([]float32, 256)
	x, y, z := put(t, s, Float32, full), put(t, s, Float32, full), put(t, s, Float32, full)
	bias, aux, short := put(t, s, Float32, full[:16]), put(t, s, Float32, full), put(t, s, Float32, full[:200])
	for _, c := range []struct {
		name    string
		o       [6]Ptr
		message string
	}{
		{"misaligned", [6]Ptr{x + 4, y, 0, z, bias, aux}, "aligned to 16"},
		{"short A", [6]Ptr{short, y, 0, z, bias, aux}, "not inside one live allocation"},
		{"short D", [6]Ptr{x, y, 0, short, bias, aux}, "not inside one live allocation"},
		{"no bias", [6]Ptr{x, y, 0, z, 0, aux}, "not inside one live allocation"},
		{"short aux", [6]Ptr{x, y, 0, z, bias, short}, "not inside one live allocation"},
		{"D is A", [6]Ptr{x, y, 0, x, bias, aux}, "D overlaps"},
		{"aux is D", [6]Ptr{x, y, 0, z, bias, z}, "D overlaps"},
	} {
		err := m.Launch(s, c.o[0], c.o[1], c.o[2], c.o[3], c.o[4], c.o[5])
		var e *Error
		if !errors.As(err, &e) || e.Call != "cublasLtMatmul" || !strings.Contains(e.Text, c.message) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	check(t, m.Launch(s, x, y, 0, z, bias, aux))
	check(t, s.Synchronize())
}

// TestWithoutLibraries runs again where there is a driver and nothing else.
func TestWithoutLibraries(t *testing.T) {
	const child = "GOTRAIN_TEST_DRIVER_ONLY"
	if os.Getenv(child) == "" {
		dir := t.TempDir()
		if err := os.Symlink(Libraries()[0].Path, filepath.Join(dir, "libcuda.so.1")); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(os.Args[0], "-test.run=^TestWithoutLibraries$")
		c.Dir, c.Env = dir, []string{"LD_LIBRARY_PATH=" + dir, "HOME=" + dir, child + "=1"}
		for _, name := range []string{"LD_PRELOAD", "ASAN_OPTIONS"} { // of a simulator with a sanitizer
			c.Env = append(c.Env, name+"="+os.Getenv(name))
		}
		if output, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	for _, l := range Libraries()[1:] {
		if l.Path != "" {
			t.Skipf("this machine has %s", l.Path)
		}
	}
	if _, err := openDevice(t, 0).NewBLAS(0, 0); !errors.Is(err, ErrNoBLAS) {
		t.Errorf("NewBLAS: %v", err)
	}
	if _, err := UniqueID(); !errors.Is(err, ErrNoNCCL) {
		t.Errorf("UniqueID: %v", err)
	}
}

func TestProductFLOPs(t *testing.T) {
	if got := (Product{M: 3, N: 5, K: 7, Batch: 2}).FLOPs(); got != 420 {
		t.Errorf("FLOPs = %d, want 420", got)
	}
}

func BenchmarkLaunch(b *testing.B) {
	d, err := Open(0)
	if err != nil {
		b.Skip(err)
	}
	s, err := d.NewStream()
	if err != nil {
		b.Fatal(err)
	}
	blas, err := d.NewBLAS(0, 0)
	if err != nil {
		b.Fatal(err)
	}
	m, err := blas.Plan(Product{M: 1, N: 1, K: 1})
	if err != nil {
		b.Fatal(err)
	}
	x, err := d.Alloc(768)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Launch(s, x, x+256, 0, x+512, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Synchronize(); err != nil {
		b.Fatal(err)
	}
}
