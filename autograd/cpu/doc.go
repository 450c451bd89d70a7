// Package cpu is the CPU back end: an exec.Backend whose kernels are those of
// package vec (serial vector arithmetic) and package kernel (matrix products),
// driven in parallel by one pool of threads.
//
// Read [Config] and [Backend] first, then the table in bind.go: for each
// ir.Kind the function that binds an instruction to a closure, and the one that
// states its scratch memory. The kernels of a kind stand in the file named
// after it.
//
// Results have the same bits for every number of threads: work is split at
// positions that depend on shapes only, and sums over rows go through partial
// sums of fixed blocks that are added in order. They differ between instruction
// sets by rounding.
//
// Errors: a fault that only the data shows (an id outside the vocabulary) or a
// panic in a kernel is kept and returned by Sync, with the instruction's kind
// and path; launches after it do nothing until then. A Backend is not safe for
// concurrent launches.
package cpu
