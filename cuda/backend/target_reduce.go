package backend

import "example.com/gotrain/autograd/ir"

// lattice is a regular grid of offsets into a tensor: axes of (size, stride), the
// slowest first.
type lattice [][2]int

// count returns the number of positions, 1 for no axes.
func (l lattice) count() int {
	n := 1
	for _, axis := range l {
		n *= axis[0]
	}
	return n
}

// reduction is how a ReduceSum runs. The innermost group of axes is a run of
// width elements that is summed, or, with columns, a row of width results, each
// the sum of a column of matrices (height, width).
type reduction struct {
	columns       bool
	width, height int
	kept, reduced lattice // of results, or rows of them, and of the runs or matrices of each
	cut           cut
}

// cut is how a long sum is divided among teams of threads: runs are divided into
// pieces of length, or stay whole, together of them in a part (see reduce.cu).
type cut struct{ runs, pieces, together, length, parts int }

// Of a part of a sum: the least that is worth a team of threads, and the number
// of teams beyond which a device gains nothing from more.
const (
	leastRun  = 4096 // elements
	leastRows = 64
	mostTeams = 1024
)

func newReduction(in *ir.Instr) reduction {
	a := in.Attrs.(ir.ReduceAttrs)
	runs := in.In[0].Shape.Runs(func(axis int) bool { return a.Axes[axis] })
	last := len(runs) - 1
	r := reduction{columns: !runs[last].Marked, width: runs[last].Size, height: 1}
	outer := runs[:last]
	step := r.width
	if r.columns && last > 0 {
		r.height = runs[last-1].Size
		outer = runs[:last-1]
		step *= r.height
	}
	for i := len(outer) - 1; i >= 0; i-- {
		axis := [2]int{outer[i].Size, step}
		step *= outer[i].Size
		if outer[i].Marked {
			r.reduced = append(lattice{axis}, r.reduced...)
		} else {
			r.kept = append(lattice{axis}, r.kept...)
		}
	}
	teams, run, least := r.kept.count(), r.width, leastRun
	if r.columns {
		teams, run, least = teams*blocks(r.width, 4*warp), r.height, leastRows
	}
	r.cut = newCut(r.reduced.count(), run, min(mostTeams/teams, r.reduced.count()*run/least))
	return r
}

// newCut divides runs of length run into about parts parts.
func newCut(runs, run, parts int) cut {
	c := cut{runs: runs, pieces: 1, together: runs, length: run, parts: 1}
	switch {
	case parts <= 1:
	case parts <= runs:
		c.together = blocks(runs, parts)
		c.parts = blocks(runs, c.together)
	default:
		// Pieces begin at packs of 16 bytes where runs do.
		c.together = 1
		c.length = (blocks(run, parts/runs) + 7) / 8 * 8
		c.pieces = blocks(run, c.length)
		c.parts = runs * c.pieces
	}
	return c
}

// results returns the number of sums.
func (r *reduction) results() int {
	if r.columns {
		return r.kept.count() * r.width
	}
	return r.kept.count()
}

// scratchReduceSum holds the parts of sums that are cut, float32.
func scratchReduceSum(in *ir.Instr) int64 {
	r := newReduction(in)
	if r.cut.parts == 1 {
		return 0
	}
	return 4 * int64(r.results()) * int64(r.cut.parts)
}

// blocks returns the number of blocks of size over n, at least 1.
func blocks(n, size int) int { return max(1, (n+size-1)/size) }

// warp is the number of threads that run as one.
const warp = 32
