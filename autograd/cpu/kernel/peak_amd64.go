//go:build amd64 && !noasm

package kernel

//go:generate go run -C asm ./peak -out ../peak_amd64.s

// peakAVX2 runs n rounds of 12 multiply-adds on registers of 8 floats.
//
//go:noescape
func peakAVX2(n int)

// peakAVX512 runs n rounds of 12 multiply-adds on registers of 16 floats.
//
//go:noescape
func peakAVX512(n int)

// peakBF16 runs n rounds of 12 VDPBF16PS on registers of 32 bfloat16.
//
//go:noescape
func peakBF16(n int)
