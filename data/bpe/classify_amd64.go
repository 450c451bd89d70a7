//go:build amd64 && !noasm

package bpe

import "golang.org/x/sys/cpu"

//go:generate go run -C asm . -out ../classify_amd64.s

//go:noescape
func classifyAVX2(blocks *uint64, text *byte, n int)

// classifyBlocks describes the ASCII characters of text, of 64 bytes a block, and tells bytes of others apart.
func classifyBlocks(blocks []block, text []byte) {
	if !cpu.X86.HasAVX2 {
		classifyGeneric(blocks, text)
		return
	}
	_ = text[len(blocks)*blockBytes-1]
	classifyAVX2(&blocks[0].upper, &text[0], len(blocks))
}
