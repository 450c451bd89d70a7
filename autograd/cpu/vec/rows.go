package vec

// GatherRows sets row i of dst to row ids[i] of table; rows have d columns (the
// embedding's forward pass). The caller has checked the ids.
func (v *Impl) GatherRows(dst, table []float32, ids []int32, d int) {
	for i, id := range ids {
		copy(dst[i*d:][:d], table[int(id)*d:][:d])
	}
}

// ScatterAddRows adds columns [lo, hi) of row i of src to those of row ids[i] of
// table, in the order of i (the embedding's gradient). Rows may repeat: split
// the work by columns, and the result does not depend on the split.
func (v *Impl) ScatterAddRows(table, src []float32, ids []int32, d, lo, hi int) {
	for i, id := range ids {
		row := table[int(id)*d+lo : int(id)*d+hi]
		v.add(row, row, src[i*d+lo:i*d+hi])
	}
}

// Copy2D copies a block of rows×cols from src to dst; ldd and lds are their
// leading dimensions.
func (v *Impl) Copy2D(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	v.scaleRows(dst, ldd, src, lds, rows, cols, nil, false)
}

// Transpose sets dst[c, r] = src[r, c] for a block of rows×cols of src; ldd and
// lds are the leading dimensions.
func (v *Impl) Transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	if rows > 0 && cols > 0 {
		_, _ = dst[(cols-1)*ldd+rows-1], src[(rows-1)*lds+cols-1]
		v.transpose(dst, ldd, src, lds, rows, cols)
	}
}

func transposeGeneric(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	const tile = 8 // a cache line of dst is filled before it leaves
	for r0 := 0; r0 < rows; r0 += tile {
		r1 := min(r0+tile, rows)
		for c := range cols {
			for r := r0; r < r1; r++ {
				dst[c*ldd+r] = src[r*lds+c]
			}
		}
	}
}
