package ppo

import "math"

// tokenRewards is what each token of an answer is worth: the divergence from the base, of
// which log-probabilities p by the policy and q by the base tell p - q (k1), times -coefficient,
// and at the last token the reward of the text. Of q nil there is no divergence.
func tokenRewards(reward float64, p, q []float32, coefficient float64) []float64 {
	rewards := make([]float64, len(p))
	for t := range q {
		rewards[t] = -coefficient * (float64(p[t]) - float64(q[t]))
	}
	rewards[len(rewards)-1] += reward
	return rewards
}

// estimate is generalised advantage estimation (Schulman et al. 2016) of the tokens of a text
// with rewards r and values V, which is 0 behind the last:
//
//	δ(t) = r(t) + γ·V(t+1) - V(t),  A(t) = δ(t) + γ·λ·A(t+1)
//
// and the returns A + V, which the values learn.
func estimate(rewards []float64, values []float32, gamma, lambda float64) (advantages, returns []float64) {
	advantages, returns = make([]float64, len(rewards)), make([]float64, len(rewards))
	next, after := 0.0, 0.0 // A(t+1), V(t+1)
	for t := len(rewards) - 1; t >= 0; t-- {
		v := float64(values[t])
		next = rewards[t] + gamma*after - v + gamma*lambda*next
		advantages[t], returns[t], after = next, next+v, v
	}
	return advantages, returns
}

// moments are what is added up of numbers for their mean and variance.
type moments struct{ n, sum, squares float64 }

func (m *moments) add(values []float64) {
	for _, v := range values {
		m.n, m.sum, m.squares = m.n+1, m.sum+v, m.squares+v*v
	}
}

// mean and variance, that of a sample, with n - 1.
func (m moments) mean() float64 { return m.sum / max(m.n, 1) }
func (m moments) variance() float64 {
	return math.Max(0, m.squares-m.n*m.mean()*m.mean()) / max(m.n-1, 1)
}

// whitened is v less the mean, by the standard deviation.
func (m moments) whitened(v float64) float64 {
	return (v - m.mean()) / math.Sqrt(m.variance()+1e-8)
}

// adapted is the coefficient after some texts with a mean divergence in nats (Ziegler et al.
// 2019): it follows the relative fault of the divergence, up to a fifth, at the rate of a horizon.
func (c *Config) adapted(coefficient, divergence, texts float64) float64 {
	if c.KLTarget == 0 {
		return coefficient
	}
	fault := math.Max(-0.2, math.Min(0.2, divergence/c.KLTarget-1))
	return coefficient * (1 + fault*texts/c.KLHorizon)
}
