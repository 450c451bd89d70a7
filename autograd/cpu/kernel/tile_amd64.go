//go:build amd64 && !noasm

package kernel

//go:generate go run -C asm ./tile -out ../tile_amd64.s

//go:noescape
func tileAVX2_1(t *tile)

//go:noescape
func tileAVX2_2(t *tile)

//go:noescape
func tileAVX2_3(t *tile)

//go:noescape
func tileAVX512_1(t *tile)

//go:noescape
func tileAVX512_2(t *tile)

//go:noescape
func tileAVX512_3(t *tile)

//go:noescape
func tileBF16_1(t *tile)

//go:noescape
func tileBF16_2(t *tile)

//go:noescape
func tileBF16_3(t *tile)

//go:noescape
func rowsAVX2_1(t *tile)

//go:noescape
func rowsAVX2_2(t *tile)

//go:noescape
func rowsAVX2_3(t *tile)

//go:noescape
func rowsAVX512_1(t *tile)

//go:noescape
func rowsAVX512_2(t *tile)

//go:noescape
func rowsAVX512_3(t *tile)

//go:noescape
func rowsBF16_1(t *tile)

//go:noescape
func rowsBF16_2(t *tile)

//go:noescape
func rowsBF16_3(t *tile)
