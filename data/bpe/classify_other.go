//go:build !amd64 || noasm

package bpe

func classifyBlocks(blocks []block, text []byte) { classifyGeneric(blocks, text) }
