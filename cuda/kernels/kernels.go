// Package kernels holds the CUDA C++ of the device, compiled: one image per .cu
// file, and the signatures of the kernels in it.
package kernels

// Image is a compiled source: cubins and PTX in one fatbin.
type Image struct {
	Name string // of the source, without .cu
	Data []byte
}

// Signature is what a launch must know of a kernel.
type Signature struct {
	File    string // the Image that holds it
	Params  string // a code per parameter: p pointer, i int, l long long, f float
	Threads int    // the largest block
}
