// Package kernels holds the CUDA kernels: the sources (*.cu, with what they
// share in *.cuh), their compiled images and their signatures.
//
// A file NAME.cu holds the kernels of one family of ir kinds. Each is declared
//
//	KERNEL(name, threads)(parameters) { … }
//
// where threads is the largest block. scripts/cuda/kernels.sh compiles the file
// to fatbin/NAME.fatbin, with machine code for sm_80 (A100), sm_90a (H100) and
// sm_100 (B200), and PTX of compute_80 that the driver translates for other
// chips. fatbin/sources.sha256 records what they were compiled from; a test
// fails when a source is newer. signatures.go has what a launch must respect: of
// the sources, and of report.txt, what the compiler says that each kernel takes.
package kernels

//go:generate go run example.com/gotrain/scripts/cuda/kernels signatures

import (
	"embed"
	"strings"
)

//go:embed fatbin
var fatbin embed.FS

// Image is the compiled form of one source file.
type Image struct {
	Name string // "layernorm" of layernorm.cu
	Data []byte // fatbin
}

// Images returns the compiled sources in the order of their names.
func Images() []Image {
	entries, err := fatbin.ReadDir("fatbin")
	if err != nil {
		panic(err) // the folder is embedded
	}
	var images []Image
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".fatbin")
		if !ok {
			continue
		}
		data, err := fatbin.ReadFile("fatbin/" + e.Name())
		if err != nil {
			panic(err)
		}
		images = append(images, Image{name, data})
	}
	return images
}

// Signature is what a launch of a kernel must respect.
type Signature struct {
	File    string // the source that holds it, without .cu: the Name of its Image
	Params  string // a letter a parameter: p pointer, i int, l long long, f float
	Threads int    // the largest block

	// By the compiler's report, report.txt: the registers of a thread, on the chip
	// where they are most, and the static shared memory of a block in bytes, without
	// Reserved.
	Registers, Shared int
}

// Reserved is the shared memory in bytes that chips from sm_90 on take in each
// block for themselves. Info.SharedPerBlock is without it.
const Reserved = 1 << 10
