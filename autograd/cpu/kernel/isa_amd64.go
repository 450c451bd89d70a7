//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

// Supported lists the ISAs that run here, the fastest last.
func Supported() []ISA {
	x := &cpu.X86
	all := []ISA{Generic}
	if !x.HasAVX2 || !x.HasFMA {
		return all
	}
	all = append(all, AVX2)
	if !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL {
		return all
	}
	all = append(all, AVX512)
	if x.HasAVX512BF16 {
		all = append(all, AVX512BF16)
	}
	return all
}

func (i ISA) kernels(bf16 bool) kernels {
	var k kernels
	switch {
	case i == Generic:
		return genericKernels(bf16)
	case i == AVX2:
		k = kernels{
			lanes: 8,
			tile:  [3]func(*tile){tileAVX2_1, tileAVX2_2, tileAVX2_3},
			rows:  [3]func(*tile){rowsAVX2_1, rowsAVX2_2, rowsAVX2_3},
			dot:   dotAVX2, axpy: axpyAVX2, peak: peakAVX2,
		}
	case i == AVX512BF16 && bf16:
		k = kernels{
			lanes: 16, pairs: true,
			tile:      [3]func(*tile){tileBF16_1, tileBF16_2, tileBF16_3},
			rows:      [3]func(*tile){rowsBF16_1, rowsBF16_2, rowsBF16_3},
			packAlong: packAlongBF16, packAcross: packAcrossBF16,
			dot: dotBF16, axpy: axpyBF16, peak: peakBF16,
		}
	default:
		k = kernels{
			lanes: 16,
			tile:  [3]func(*tile){tileAVX512_1, tileAVX512_2, tileAVX512_3},
			rows:  [3]func(*tile){rowsAVX512_1, rowsAVX512_2, rowsAVX512_3},
			dot:   dotAVX512, axpy: axpyAVX512, peak: peakAVX512,
		}
	}
	k.width = 3 * k.lanes
	k.peakOps = 2 * 12 * k.lanes
	if k.pairs {
		k.peakOps *= 2
		return k
	}
	k.packAlong, k.packAcross = packAlongAVX2, packAcrossAVX2
	if bf16 {
		k.round = roundAVX2
		k.dot, k.axpy = nil, nil // they would not round
	}
	return k
}
