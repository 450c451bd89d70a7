//go:build amd64 && !noasm

package bpe

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate go run -C asm . -out ../window_amd64.s

//go:noescape
func classifyAVX2(blocks *uint64, text *byte, n int)

//go:noescape
func walkAVX2(w *uint64, text *byte, starts *uint64, blocks uint64, buckets *uint64, shift uint64, masks *uint64, ids, dst *int32) (num int)

var hasAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasBMI1

// classifyBlocks describes the ASCII characters of text, of 64 bytes a block, and tells bytes of others apart.
func classifyBlocks(blocks []block, text []byte) {
	if !hasAVX2 {
		classifyGeneric(blocks, text)
		return
	}
	_ = text[len(blocks)*blockBytes-1]
	classifyAVX2(&blocks[0].upper, &text[0], len(blocks))
}

// walkWindow writes the ids of the pre-tokens of a window that are in the cache: see walkGeneric. dst has room for as many
// ids as there are bytes, and idsCached+1 more; behind the window are 16 bytes of text and more.
func walkWindow(w *walk, text []byte, starts []uint64, c *cache, dst []int32) int {
	if !hasAVX2 {
		return walkGeneric(w, text, starts, c, dst)
	}
	return walkAVX2(&w.set, &text[0], &starts[0], uint64(len(starts)), &c.buckets[0][0].lo, uint64(c.shift), &keyMasks[0].lo, unsafe.SliceData(c.ids), &dst[0])
}
