package bench

import (
	"cmp"
	"slices"
	"strings"

	kernels "example.com/gotrain/autograd/bench"
	"example.com/gotrain/autograd/exec"
)

// Instruction is what the launches of one kind and shape take in a step, all together.
type Instruction struct {
	Kind           string  `json:"kind"`
	What           string  `json:"what"` // with types and shapes, "" of a sum over a kind
	Count          int     `json:"count"`
	MS             float64 `json:"ms"`
	Share          float64 `json:"share"` // of the time of all
	GFLOPS         float64 `json:"gflops,omitempty"`
	GBPerS         float64 `json:"gb_per_s"`         // inputs and outputs, each once
	FractionOfPeak float64 `json:"fraction_of_peak"` // the least time that arithmetic or memory leave, to the time
}

// profileRounds is how many steps a profile is the best of.
const profileRounds = 5

// instructions adds up the groups of a step by kind and shape, and by kind, the longest
// first. arithmetic and bandwidth are the peaks, GFLOP/s and GB/s, 0 where they are not
// known.
func instructions(groups []exec.Group, arithmetic, bandwidth float64) (byShape, byKind []Instruction) {
	return tally(groups, exec.Group.Key, arithmetic, bandwidth), tally(groups, func(g exec.Group) string { return g.Instrs[0].Kind.String() }, arithmetic, bandwidth)
}

func tally(groups []exec.Group, key func(exec.Group) string, arithmetic, bandwidth float64) []Instruction {
	type sum struct {
		Instruction
		flops, bytes float64
	}
	sums := map[string]*sum{}
	total := 0.0
	for _, g := range groups {
		k := key(g)
		s := sums[k]
		if s == nil {
			kind := g.Instrs[0].Kind.String()
			s = &sum{Instruction: Instruction{Kind: kind, What: strings.TrimPrefix(strings.TrimPrefix(k, kind), " ")}}
			sums[k] = s
		}
		ms := 1e3 * g.Time.Seconds()
		s.Count, s.MS, total = s.Count+g.Launches, s.MS+ms, total+ms
		for _, in := range g.Instrs {
			c := in.Cost()
			s.flops, s.bytes = s.flops+c.Products+c.Attention, s.bytes+float64(kernels.Traffic(in))
		}
	}
	var all []Instruction
	for _, s := range sums {
		r := s.Instruction
		if total > 0 {
			r.Share = r.MS / total
		}
		if r.MS > 0 {
			r.GFLOPS, r.GBPerS = s.flops/r.MS/1e6, s.bytes/r.MS/1e6
			if arithmetic > 0 && bandwidth > 0 {
				r.FractionOfPeak = max(r.GFLOPS/arithmetic, r.GBPerS/bandwidth)
			}
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Instruction) int {
		return cmp.Or(cmp.Compare(b.MS, a.MS), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.What, b.What))
	})
	return all
}
