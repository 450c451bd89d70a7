// Package quant encodes and decodes the content of frozen matrices: bfloat16, and the
// quantised types of package ir, whose bytes lie as ir.DType.Bytes counts them.
//
//   - [Matrix] is the content of a value in memory; Decode gives any run of its elements
//     as float32 (matrix.go).
//   - [Encode] quantises a matrix that is read part by part, so that it never is in
//     memory as float32 (encode.go).
//   - [Kernels] are the inner loops of decoding, [Generic] in Go, which is their
//     definition (kernels.go).
//
// The bytes are those of bitsandbytes 0.50: its NF4 in blocks of 64, double quantisation in
// groups of 256 by its signed dynamic map, and the rows of LLM.int8. All of its back ends
// give these codes but the one in C++ for the CPU, which looks up the nearest entry of the
// dynamic map in a table that is coarse near zero.
package quant
