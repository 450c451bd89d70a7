// Package backend runs plans on NVIDIA GPUs: it is the exec.Backend of
// --device cuda.
//
// Read in this order: [Target] (what plans for CUDA look like; in every build,
// so that memory is known on machines without a GPU), backend.go (memory, one
// stream, the step as one CUDA graph), bind.go (the table from kind to kernel
// and how a kernel gets its arguments), matmul.go, then a file per family with
// the names of autograd/cpu. The kernels themselves are in cuda/kernels.
//
// Everything but [Target] and [Open] needs the build tag gpu. Errors name the
// instruction and its layer; those of the driver are *cuda.Error.
//
// A Backend is not safe for concurrent use.
package backend
