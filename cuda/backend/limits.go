package backend

import (
	"fmt"

	"example.com/gotrain/cuda/kernels"
)

// What a block of every card has: shared memory without asking for more, 32-bit
// registers, which a warp gets by eights a thread, and the blocks of a grid in Y and Z.
const (
	sharedUnasked  = 48 << 10
	blockRegisters = 64 << 10
	gridYZ         = 1<<16 - 1
)

// checkLaunch compares a launch with what the kernel declares and takes: grid in
// blocks and block in threads, by X, Y and Z, and the dynamic shared memory in bytes.
// perBlock is the shared memory that a block of the card can have.
func checkLaunch(name string, s kernels.Signature, grid, block [3]int, shared, perBlock int) error {
	threads := block[0] * block[1] * block[2]
	registers := (s.Registers + 7) / 8 * 8 * ((threads + warp - 1) / warp * warp)
	switch {
	case min(grid[0], grid[1], grid[2]) < 1 || grid[0] > 1<<31-1 || max(grid[1], grid[2]) > gridYZ:
		return fmt.Errorf("cuda: kernel %s: a grid of %v blocks, at most 2³¹-1, %d and %d are possible", name, grid, gridYZ, gridYZ)
	case min(block[0], block[1], block[2]) < 1 || threads > s.Threads || block[2] > 64:
		return fmt.Errorf("cuda: kernel %s: a block of %v threads, at most %d are declared", name, block, s.Threads)
	case registers > blockRegisters:
		return fmt.Errorf("cuda: kernel %s: %d threads take %d registers, a block has %d", name, threads, registers, blockRegisters)
	case shared+s.Shared > perBlock:
		return fmt.Errorf("cuda: kernel %s needs %d bytes of shared memory, a block of this card has %d", name, shared+s.Shared, perBlock)
	}
	return nil
}

// asksShared tells whether a launch has to ask for its dynamic shared memory: its
// block takes more than it has unasked. Whether what the chip reserves counts, no
// documentation says; asking in vain does no harm.
func asksShared(s kernels.Signature, shared int) bool {
	return shared+s.Shared+kernels.Reserved > sharedUnasked
}
