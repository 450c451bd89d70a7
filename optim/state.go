package optim

import (
	"slices"
	"strings"
)

// Names of optimizer states: that of a parameter is NAME.PARAMETER.
const (
	expAvg   = "exp_avg"
	expAvgSq = "exp_avg_sq"
	momentum = "momentum"
	ema      = "ema"
)

// IsState tells whether a state of that name belongs to the optimizer.
func IsState(name string) bool {
	prefix, _, dotted := strings.Cut(name, ".")
	return dotted && slices.Contains([]string{expAvg, expAvgSq, momentum, ema}, prefix)
}

// kind is the optimizer of a parameter.
func (c Config) kind(group Group) string {
	if c.Kind == "muon" && !group.Matrix {
		return "adamw"
	}
	return c.Kind
}

// states names the states of a parameter.
func (c Config) states(group Group) []string {
	var names []string
	switch c.kind(group) {
	case "adamw":
		names = []string{expAvg, expAvgSq}
	case "lion", "muon":
		names = []string{momentum}
	case "sgd":
		if c.Momentum > 0 {
			names = []string{momentum}
		}
	}
	if c.EMA > 0 {
		names = append(names, ema)
	}
	return names
}

// StateBytes is the memory of the states of a parameter.
func (c Config) StateBytes(elements int, group Group) int64 {
	return 4 * int64(elements) * int64(len(c.states(group)))
}

// Ranks is how the ranks of a run update their parameters together. The zero Ranks
// is that of a process that is alone.
type Ranks struct {
	Rank, Size int
	// Owner is, by the name of the parameter, the rank that sums its gradient, has
	// its optimizer states, updates it and sends it to all ranks: ZeRO-1
	// (Rajbhandari et al. 2020) over whole tensors. Without it every rank updates
	// every parameter.
	Owner map[string]int
}

// owns tells whether this rank updates a parameter.
func (r Ranks) owns(parameter string) bool { return r.Owner == nil || r.Owner[parameter] == r.Rank }
