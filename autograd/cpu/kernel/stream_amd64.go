//go:build amd64 && !noasm

package kernel

//go:generate go run -C asm ./stream -out ../stream_amd64.s

//go:noescape
func streamAVX2_1(t *tile)

//go:noescape
func streamAVX2_2(t *tile)

//go:noescape
func streamAVX2_3(t *tile)

//go:noescape
func streamAVX512_1(t *tile)

//go:noescape
func streamAVX512_2(t *tile)

//go:noescape
func streamAVX512_3(t *tile)
