// Package kernel is the floor of the CPU backend: a pool of workers and the
// matrix product.
//
// In reading order:
//
//   - Pool runs loops of tasks on all cores (pool.go).
//   - ISA is a set of implementations; Best picks one, tests force each (isa.go).
//   - GEMM owns the packing buffers. Mul computes one product on the Pool,
//     MulSerial a small one inside a task; Args describes either (gemm.go; how
//     it is cut and computed: blocks.go, serial.go, and rows.go for products of
//     one to four rows).
//   - kernels, tile and slab are the seam to the assembly: what a tile kernel
//     computes and how the panels it reads are laid out (isa.go, tile.go, pack.go).
//   - MeasurePeakF32 and MeasurePeakBF16 say what the cores could do (peak.go).
//
// The Go version of each kernel is always compiled and is its definition. The
// assembly is written by the programs in asm, a module of its own so that nothing
// else depends on the generator; go generate runs them.
//
// A Pool may be shared by goroutines. A GEMM computes one Mul at a time, and one
// MulSerial per worker at a time. Nothing allocates after NewPool and NewGEMM.
// Contradicting arguments are bugs of the caller, and panic.
package kernel
