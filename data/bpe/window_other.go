//go:build !amd64 || noasm

package bpe

func classifyBlocks(blocks []block, text []byte) { classifyGeneric(blocks, text) }

func walkWindow(w *walk, text []byte, starts []uint64, c *cache, dst []int32) int {
	return walkGeneric(w, text, starts, c, dst)
}
