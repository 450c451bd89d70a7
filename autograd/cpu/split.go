package cpu

// Elements of one task, worth 10-20 µs of a core: what it costs to hand it to
// another thread.
const (
	streamGrain = 16 << 10 // of a map that only moves and adds
	mathGrain   = 8 << 10  // of a map with an exponential or a root
)

// split returns a function that calls body for consecutive ranges of [0, n), at
// most grain long, in parallel. The ranges depend on n and grain only. A single
// range is run by the caller.
func (b *Backend) split(n, grain int, body func(lo, hi, worker int)) func() {
	if n <= grain {
		return func() { body(0, n, 0) }
	}
	pool := b.pool
	return func() { pool.ForRange(n, grain, body) }
}

// each returns a function that calls body for each of n tasks, in parallel
// unless they are small: work is the elements of all together, as in
// streamGrain.
func (b *Backend) each(n, work int, body func(task, worker int)) func() {
	if n == 1 || work <= streamGrain {
		return func() {
			for i := range n {
				body(i, 0)
			}
		}
	}
	pool := b.pool
	return func() { pool.For(n, body) }
}

// rowGrain returns the rows of width cols that make a task of grain elements.
func rowGrain(grain, cols int) int { return max(1, grain/max(cols, 1)) }

// maxBlocks bounds the partial sums of a reduction over rows, hence its
// workspace and the threads that it can use.
const maxBlocks = 64

// blockRows returns the rows of each block of a reduction over n rows of width
// cols: multiples of 8, at least a task's worth, at most maxBlocks of them.
func blockRows(n, cols int) int {
	return max(8, (rowGrain(streamGrain, cols)+7)/8*8, ((n+maxBlocks-1)/maxBlocks+7)/8*8)
}

// blocks returns the number of blocks of size over n, at least 1.
func blocks(n, size int) int { return max(1, (n+size-1)/size) }
