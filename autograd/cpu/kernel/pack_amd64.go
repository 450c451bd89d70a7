//go:build amd64 && !noasm

package kernel

//go:generate go run -C asm ./pack -out ../pack_amd64.s

//go:noescape
func packAlongAVX2(dst, src *float32, k, ld, kStride int)

//go:noescape
func packAlongBF16(dst, src *float32, k, ld, kStride int)

//go:noescape
func packAcrossAVX2(dst, src *float32, k, ld, kStride, groups, groupStride int)

//go:noescape
func packAcrossBF16(dst, src *float32, k, ld, kStride, groups, groupStride int)

//go:noescape
func roundAVX2(p *float32, n int)
