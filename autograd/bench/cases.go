package bench

import (
	"slices"
)

// Sizes are the sets of cases that Cases knows: for a simulated device, for processors,
// for GPUs.
func Sizes() []string { return []string{"small", "cpu", "gpu"} }

// Cases are the kernels to measure on a size of machine; nil for a size that is none of
// Sizes.
func Cases(size string) []Case {
	switch size {
	case "small":
		return small()
	case "cpu":
		return forCPU()
	case "gpu":
		return forGPU()
	}
	return nil
}

// Kinds are the names of the kinds that are measured, the same in every size.
func Kinds() []string {
	var kinds []string
	for _, k := range small() {
		if !slices.Contains(kinds, k.Kind.String()) {
			kinds = append(kinds, k.Kind.String())
		}
	}
	return kinds
}

// paddedVocab is GPT-2's vocabulary rounded up to a multiple of 64, as is usual
// on GPUs.
const paddedVocab = 50304

// small have every kind of the others, in a size for a simulated device.
func small() []Case {
	cases := []Case{
		matMul(64, 128, 64, false, false),
		matMul(64, 128, 64, false, false).withGELU(),
		matMul(64, 64, 128, false, true),
		matMul(64, 128, 64, true, false),
		matMul(64, 128, 64, true, false).withSums(),
	}
	cases = append(cases, attention(1, 64, 2, 64)...)
	cases = append(cases, attention(1, 64, 1, 128)...)
	cases = append(cases, memoryBound(64, 128, 10_000)...)
	cases = append(cases, convolutions(2, 8, 16, 32)...)
	return append(cases, linearCrossEntropy(64, 64, 130))
}

// forCPU are the shapes of a step of the 12.3M model (N = 4096 tokens, D = 384), of GPT-2
// 124M (N = 256, D = 768), and of a small U-Net.
func forCPU() []Case {
	cases := []Case{
		matMul(4096, 1536, 384, false, false), // up projection
		matMul(4096, 384, 1536, false, true),  // its gradient of the input
		matMul(384, 1536, 4096, true, false),  // its gradient of the weight
		matMul(384, 1536, 4096, true, false).withSums(),
		matMul(256, 3072, 768, false, false), // the same of GPT-2 124M
		matMul(256, 768, 3072, false, true),
		matMul(768, 3072, 256, true, false),
		matMul(256, 50257, 768, false, true), // head
	}
	cases = append(cases, attention(16, 256, 6, 64)...)
	cases = append(cases, attention(1, 1024, 12, 64)...)
	cases = append(cases, memoryBound(4096, 384, 12_300_000)...)
	for _, c := range [][4]int{{16, 32, 64, 64}, {16, 16, 128, 128}, {16, 8, 256, 256}} {
		cases = append(cases, convolutions(c[0], c[1], c[2], c[3])...)
	}
	return cases
}

// forGPU are the shapes of a step of GPT-2 124M (N = 16,384 tokens, D = 768)
// and of GPT-2 1558M (N = 8192, D = 1600), attention over longer sequences of
// 16,384 tokens in all, and a product of the size at which libraries peak.
func forGPU() []Case {
	cases := []Case{matMul(8192, 8192, 8192, false, false)}
	for _, model := range [][2]int{{16384, 768}, {8192, 1600}} {
		n, d := model[0], model[1]
		cases = append(cases,
			matMul(n, 3*d, d, false, false), // queries, keys, values
			matMul(n, d, d, false, false),   // projection of attention
			matMul(n, 4*d, d, false, false).withGELU(),
			matMul(n, d, 4*d, false, false),
			matMul(n, d, 4*d, false, true), // gradients of the up projection
			matMul(d, 4*d, n, true, false),
			matMul(d, 4*d, n, true, false).withSums(),
		)
	}
	cases = append(cases, attention(16, 1024, 12, 64)...)
	for _, shape := range [][2]int{{12, 64}, {16, 128}} {
		for _, length := range []int{2048, 4096, 8192} {
			cases = append(cases, attention(16384/length, length, shape[0], shape[1])...)
		}
	}
	cases = append(cases, memoryBound(16384, 768, 124_000_000)...)
	cases = append(cases, convolutions(16, 64, 320, 320)...)
	return append(cases, linearCrossEntropy(16384, 768, paddedVocab), linearCrossEntropy(8192, 1600, paddedVocab))
}
