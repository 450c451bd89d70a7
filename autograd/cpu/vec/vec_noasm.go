//go:build !amd64 || noasm

package vec

// AVX2 and AVX512 need an amd64 build with assembly.
var AVX2, AVX512 *Impl
