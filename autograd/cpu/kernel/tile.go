package kernel

import "unsafe"

// panelRows is the number of rows in a panel of A, in all instruction sets.
const panelRows = 8

// A tile is the work order of one call of a tile kernel:
//
//	C[i,j] = Σₖ A[i,k]·B[k,j] (+ src[i,j]) (+ bias[j])
//
// over 8·panels rows and the width of one panel of B. Steps and leading
// dimensions are in bytes. Row i of A at step k is a + (i/8)·aPanel + k·aStep +
// 4·(i%8); row k of B is contiguous from b + k·bStep. Hence packed panels and,
// where it is wide enough, unpacked memory do equally. For the kernels called rows
// it is a + (i/8)·aPanel + (i%8)·aRow + 4·k.
type tile struct {
	k, panels     int
	a             *float32
	aStep, aPanel int
	aRow          int
	b             *float32
	bStep         int
	c             *float32
	ldc           int
	src           *float32 // nil: nothing is added
	ldsrc         int
	bias          *float32 // nil: nothing is added
}

// at is the address that many bytes behind p.
func at(p *float32, bytes int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes))
}

// genericWidth is the width of the panels of B of the generic kernel.
const genericWidth = 8

// tileGeneric is the tile kernel in Go, for panels of B of genericWidth floats.
// It keeps 2×4 sums in registers.
func tileGeneric(t *tile) {
	for p := range t.panels {
		for i := 0; i < panelRows; i += 2 {
			for j := 0; j < genericWidth; j += 4 {
				t.patch(at(t.a, p*t.aPanel), p*panelRows, i, j)
			}
		}
	}
}

// rowsGeneric is the kernel for rows of A that lie apart.
func rowsGeneric(t *tile) {
	for row := range t.panels * panelRows {
		a := at(t.a, row/panelRows*t.aPanel+row%panelRows*t.aRow)
		for j := 0; j < genericWidth; j += 4 {
			var sum [4]float32
			for k, x := range unsafe.Slice(a, t.k) {
				for i, y := range (*[4]float32)(unsafe.Pointer(at(t.b, k*t.bStep+4*j))) {
					sum[i] += x * y
				}
			}
			t.store(row, j, sum)
		}
	}
}

// patch computes rows row+i and row+i+1, columns j to j+3. a is the panel.
func (t *tile) patch(a *float32, row, i, j int) {
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	pa, pb := unsafe.Pointer(at(a, 4*i)), unsafe.Pointer(at(t.b, 4*j))
	for k := range t.k {
		a := (*[2]float32)(unsafe.Add(pa, k*t.aStep))
		b := (*[4]float32)(unsafe.Add(pb, k*t.bStep))
		s00 += a[0] * b[0]
		s01 += a[0] * b[1]
		s02 += a[0] * b[2]
		s03 += a[0] * b[3]
		s10 += a[1] * b[0]
		s11 += a[1] * b[1]
		s12 += a[1] * b[2]
		s13 += a[1] * b[3]
	}
	t.store(row+i, j, [4]float32{s00, s01, s02, s03})
	t.store(row+i+1, j, [4]float32{s10, s11, s12, s13})
}

// store writes the sums of one row after adding what is to be added.
func (t *tile) store(row, j int, sum [4]float32) {
	if t.src != nil {
		src := (*[4]float32)(unsafe.Pointer(at(t.src, row*t.ldsrc+4*j)))
		for x := range sum {
			sum[x] += src[x]
		}
	}
	if t.bias != nil {
		bias := (*[4]float32)(unsafe.Pointer(at(t.bias, 4*j)))
		for x := range sum {
			sum[x] += bias[x]
		}
	}
	*(*[4]float32)(unsafe.Pointer(at(t.c, row*t.ldc+4*j))) = sum
}
