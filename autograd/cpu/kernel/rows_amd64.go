//go:build amd64 && !noasm

package kernel

//go:generate go run -C asm ./rows -out ../rows_amd64.s

//go:noescape
func dotAVX2(x, w *float32, k, ld int, sums *float32)

//go:noescape
func dotAVX512(x, w *float32, k, ld int, sums *float32)

//go:noescape
func dotBF16(x, w *float32, k, ld int, sums *float32)

//go:noescape
func axpyAVX2(x, w *float32, n, ld int, y *float32)

//go:noescape
func axpyAVX512(x, w *float32, n, ld int, y *float32)

//go:noescape
func axpyBF16(x, w *float32, n, ld int, y *float32)
