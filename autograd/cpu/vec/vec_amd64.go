//go:build amd64 && !noasm

package vec

// AVX2 (with FMA and F16C) and AVX512 (F, BW, DQ and VL) are nil where the
// processor or its operating system lacks them.
var AVX2, AVX512 *Impl
