//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"math"
)

// DType is the type of a matrix's elements.
type DType uint8

const (
	Float32 DType = iota
	BFloat16
)

func (t DType) String() string {
	switch t {
	case Float32:
		return "float32"
	case BFloat16:
		return "bfloat16"
	}
	return fmt.Sprintf("DType(%d)", uint8(t))
}

// Size is the number of bytes of an element.
func (t DType) Size() int64 {
	if t == BFloat16 {
		return 2
	}
	return 4
}

// Epilogue is what a [Product] does with x = op(A)·op(B) + Beta·C before it
// stores D. GELU is the approximation by tanh,
//
//	gelu(x) = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
//
// The bias is a vector of D's type. Aux is a packed matrix (M, N) of D's type for
// each matrix of the batch; cuBLASLt wants N to be a multiple of 8 for it.
type Epilogue uint8

const (
	Plain             Epilogue = iota // D = x
	Bias                              // D = x + bias, bias (N)
	GELU                              // D = gelu(x)
	GELUBias                          // D = gelu(x + bias)
	GELUAux                           // D = gelu(aux), aux = x is stored
	GELUAuxBias                       // D = gelu(aux), aux = x + bias is stored
	DGELU                             // D = x·gelu'(aux), aux is read
	DGELUBiasGradient                 // as DGELU, and bias[n] = Σ_m D[m, n] is stored
	BiasGradientA                     // D = x, and bias[m] = Σ_k op(A)[m, k] is stored
	BiasGradientB                     // D = x, and bias[n] = Σ_k op(B)[k, n] is stored
)

var epilogueNames = [...]string{"Plain", "Bias", "GELU", "GELUBias", "GELUAux", "GELUAuxBias", "DGELU", "DGELUBiasGradient", "BiasGradientA", "BiasGradientB"}

func (e Epilogue) String() string {
	if int(e) < len(epilogueNames) {
		return epilogueNames[e]
	}
	return fmt.Sprintf("Epilogue(%d)", uint8(e))
}

// ErrEpilogue says that cuBLASLt does not have a product with this epilogue; the
// product is to be planned with [Plain] and a kernel has to do the rest.
var ErrEpilogue = errors.New("cuBLASLt has no such epilogue")

// Product is a matrix product, row-major, for each matrix of a batch:
//
//	D (M, N) = epilogue(op(A) (M, K) · op(B) (K, N) + Beta · C (M, N))
//
// op(A) is A (M, K), or with TransA the transpose of A (K, M); B likewise. A and B
// are of type AB, C and D of type D; float32 operands have a float32 result. The
// sum over k is in float32. The matrices of a batch follow each other without a
// gap: the next A begins LDA times its rows elements further on.
type Product struct {
	M, N, K        int
	Batch          int // 0 is 1
	TransA, TransB bool
	// Elements from row to row of A and B as they are stored, and of C and D; 0
	// is packed.
	LDA, LDB, LDC int
	AB, D         DType
	TF32          bool // float32 operands are rounded to 10 bits of mantissa
	Beta          float32
	Epilogue      Epilogue
}

// FLOPs is the number of additions and multiplications, the epilogue's left out.
func (p Product) FLOPs() int64 {
	return 2 * int64(p.M) * int64(p.N) * int64(p.K) * int64(max(p.Batch, 1))
}

// String tells the product for errors: "(8×16)·(16×32)ᵀ".
func (p Product) String() string {
	mark := func(transposed bool) string {
		if transposed {
			return "ᵀ"
		}
		return ""
	}
	rowsA, colsA := p.storedA()
	rowsB, colsB := p.storedB()
	s := fmt.Sprintf("(%d×%d)%s·(%d×%d)%s", rowsA, colsA, mark(p.TransA), rowsB, colsB, mark(p.TransB))
	if p.Batch > 1 {
		s = fmt.Sprintf("%d × %s", p.Batch, s)
	}
	precision := p.AB.String()
	if p.TF32 {
		precision = "tf32"
	}
	return fmt.Sprintf("%s, %s to %v, %v", s, precision, p.D, p.Epilogue)
}

func (p Product) storedA() (rows, cols int) {
	if p.TransA {
		return p.K, p.M
	}
	return p.M, p.K
}

func (p Product) storedB() (rows, cols int) {
	if p.TransB {
		return p.N, p.K
	}
	return p.K, p.N
}

func (p Product) usesAux() bool {
	switch p.Epilogue {
	case GELUAux, GELUAuxBias, DGELU, DGELUBiasGradient:
		return true
	}
	return false
}

func (p Product) usesBias() bool {
	switch p.Epilogue {
	case Bias, GELUBias, GELUAuxBias:
		return true
	}
	return p.storesBias()
}

func (p Product) storesBias() bool {
	switch p.Epilogue {
	case DGELUBiasGradient, BiasGradientA, BiasGradientB:
		return true
	}
	return false
}

// complete fills in what 0 stands for and checks the rest.
func (p Product) complete() (Product, error) {
	if p.M < 1 || p.N < 1 || p.K < 1 || max(p.M, p.N, p.K) > math.MaxInt32 {
		return p, fmt.Errorf("cuda: product %v: sizes must be between 1 and 2³¹-1", p)
	}
	if p.Batch == 0 {
		p.Batch = 1
	}
	_, colsA := p.storedA()
	_, colsB := p.storedB()
	for _, l := range []struct {
		name string
		ld   *int
		cols int
	}{{"LDA", &p.LDA, colsA}, {"LDB", &p.LDB, colsB}, {"LDC", &p.LDC, p.N}} {
		if *l.ld == 0 {
			*l.ld = l.cols
		}
		if *l.ld < l.cols {
			return p, fmt.Errorf("cuda: product %v: %s %d is shorter than a row of %d", p, l.name, *l.ld, l.cols)
		}
	}
	switch {
	case int(p.Epilogue) >= len(epilogueNames):
		return p, fmt.Errorf("cuda: product %v: there is no such epilogue", p)
	case p.AB > BFloat16 || p.D > BFloat16 || p.AB == Float32 && p.D != Float32:
		return p, fmt.Errorf("cuda: product %v: cuBLASLt has no such types", p)
	case p.TF32 && p.AB != Float32:
		return p, fmt.Errorf("cuda: product %v: TF32 is for float32 operands", p)
	case p.Batch < 0:
		return p, fmt.Errorf("cuda: product %v: a batch of %d", p, p.Batch)
	case p.usesAux() && p.N%8 != 0:
		return p, fmt.Errorf("cuda: product %v: %w: aux has rows of %d, must be a multiple of 8", p, ErrEpilogue, p.N)
	case p.storesBias() && p.Batch > 1:
		return p, fmt.Errorf("cuda: product %v: %w: one gradient of a bias for a batch", p, ErrEpilogue)
	}
	return p, nil
}
