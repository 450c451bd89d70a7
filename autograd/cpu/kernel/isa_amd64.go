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
	if i == Generic {
		return genericKernels(bf16)
	}
	k := kernels{
		lanes:      16,
		tile:       [3]func(*tile){tileAVX512_1, tileAVX512_2, tileAVX512_3},
		packAlong:  packAlongAVX2,
		packAcross: packAcrossAVX2,
		peak:       peakAVX512,
	}
	switch {
	case i == AVX512BF16 && bf16:
		k.tile = [3]func(*tile){tileBF16_1, tileBF16_2, tileBF16_3}
		k.packAlong, k.packAcross = packAlongBF16, packAcrossBF16
		k.pairs, k.peak = true, peakBF16
	case bf16:
		k.round = roundAVX2
	}
	if i == AVX2 {
		k.lanes = 8
		k.tile = [3]func(*tile){tileAVX2_1, tileAVX2_2, tileAVX2_3}
		k.peak = peakAVX2
	}
	k.width = 3 * k.lanes
	k.peakOps = 2 * 12 * k.lanes
	if k.pairs {
		k.peakOps *= 2
	}
	return k
}
