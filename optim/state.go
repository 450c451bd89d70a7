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
func (c Config) kind(rule Rule) string {
	if c.Kind == "muon" && !rule.Matrix {
		return "adamw"
	}
	return c.Kind
}

// states names the states of a parameter.
func (c Config) states(rule Rule) []string {
	var names []string
	switch c.kind(rule) {
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
func (c Config) StateBytes(elements int, rule Rule) int64 {
	return 4 * int64(elements) * int64(len(c.states(rule)))
}

// AverageOf names the running average of a parameter, which is there under
// Config.EMA.
func AverageOf(parameter string) string { return ema + "." + parameter }
