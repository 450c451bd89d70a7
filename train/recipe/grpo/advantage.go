package grpo

import (
	"math"

	"example.com/gotrain/train/recipe/rollout"
)

// stdEpsilon is added to a standard deviation, as TRL does.
const stdEpsilon = 1e-4

// Advantages says how much better each text is than the others of its group of so many texts.
// Standard deviations are those of samples, with n - 1.
func (c *Config) Advantages(texts []rollout.Text) []float64 {
	advantages := make([]float64, len(texts))
	_, batch := moments(texts)
	for first := 0; first < len(texts); first += c.Samples {
		group := texts[first:min(first+c.Samples, len(texts))]
		mean, std := moments(group)
		for i, t := range group {
			a := t.Reward - mean
			if c.Advantage == LeaveOneOut { // r - (n·mean - r) / (n - 1)
				a *= float64(len(group)) / float64(len(group)-1)
				advantages[first+i] = a
				continue
			}
			switch c.ScaleRewards {
			case ScaleGroup:
				a /= std + stdEpsilon
			case ScaleBatch:
				a /= batch + stdEpsilon
			}
			advantages[first+i] = a
		}
	}
	return advantages
}

// moments are the mean and the standard deviation of rewards.
func moments(texts []rollout.Text) (mean, std float64) {
	for _, t := range texts {
		mean += t.Reward
	}
	mean /= float64(len(texts))
	for _, t := range texts {
		std += (t.Reward - mean) * (t.Reward - mean)
	}
	if len(texts) > 1 {
		std = math.Sqrt(std / float64(len(texts)-1))
	}
	return mean, std
}
