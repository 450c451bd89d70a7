//go:build !amd64 || noasm

package kernel

// Supported lists the ISAs that run here, the fastest last.
func Supported() []ISA { return []ISA{Generic} }

func (i ISA) kernels(bf16 bool) kernels { return genericKernels(bf16) }
