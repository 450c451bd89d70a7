package backend

// margin is the share of the first way's time that another has to stay below: less is
// noise, and a choice that noise made differs from run to run.
const margin = 0.98

// fastest is the index of the shortest of times, 0 unless one is shorter by the margin.
func fastest(ms []float64) int {
	best := 0
	for i, t := range ms {
		if t < ms[best] {
			best = i
		}
	}
	if ms[best] > margin*ms[0] {
		return 0
	}
	return best
}
