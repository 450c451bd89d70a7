package rollout

import "example.com/gotrain/autograd"

// Clip bounds ratios of the probabilities of the model that learns and of the one that wrote
// to [1 - Low, 1 + High] (Schulman et al. 2017).
type Clip struct{ Low, High float64 }

// Loss is -min(ratio·advantage, clip(ratio)·advantage) of each token.
func (c Clip) Loss(ratio, advantage *autograd.Node) *autograd.Node {
	clipped := autograd.Clip(ratio, float32(1-c.Low), float32(1+c.High))
	return autograd.Scale(autograd.Min(autograd.Mul(ratio, advantage), autograd.Mul(clipped, advantage)), -1)
}

// Outside is 1 where the clipped ratio counts: above with a positive advantage, below with a
// negative one.
func (c Clip) Outside(ratio, advantage *autograd.Node) *autograd.Node {
	above := autograd.Step(autograd.Shift(ratio, float32(-1-c.High)))
	below := autograd.Step(autograd.Shift(autograd.Scale(ratio, -1), float32(1-c.Low)))
	return autograd.Add(autograd.Mul(above, autograd.Step(advantage)), autograd.Mul(below, autograd.Step(autograd.Scale(advantage, -1))))
}

// Divergence is the estimate e^d - d - 1 with d = q - p of KL(p ‖ q) at a sample of p (Schulman
// 2020, "Approximating KL Divergence", k3), which is never below 0.
func Divergence(q, p *autograd.Node) *autograd.Node {
	d := autograd.Sub(q, p)
	return autograd.Shift(autograd.Sub(autograd.Exp(d), d), -1)
}
