package prefer

import (
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data/prefer"
	"example.com/gotrain/train/recipe"
)

// Objective is the section recipe of one of the kinds: a loss over the log-probabilities of
// answers.
type Objective interface {
	// Want is what the loss reads of samples, and Kind what samples are: prefer.Paired or
	// prefer.Judged.
	Want() prefer.Want
	Kind() string
	// PerSample is the loss of each sample, (K), with what is shown of it.
	PerSample(x Compared) (loss *autograd.Node, shown []recipe.Metric)
}

// Compared are K samples of rows, P a row: log-probabilities of their first and second
// sequence under the policy and the reference, weighted as the objective wants it. Where
// there is no sample they are 0.
type Compared struct {
	Rows                int
	First, Second       *autograd.Node // (K)
	RefFirst, RefSecond *autograd.Node // (K), nil without a reference
	Label               *autograd.Node // (K): 1, of a judged answer perhaps -1; 0 where there is no sample
	Present             *autograd.Node // (K): 1, or 0 where there is no sample
}

// DPO is direct preference optimization (Rafailov et al. 2023) with h = log π(chosen) -
// log π(rejected), less the same of the reference:
//
//	sigmoid  -(1-ε)·ln σ(β·h) - ε·ln σ(-β·h)
//	ipo      (h - 1/(2β))² over log-probabilities by token (Azar et al. 2023)
//	hinge    max(0, 1 - β·h) (Zhao et al. 2023)
type DPO struct {
	Beta          float64 `yaml:"beta"`
	Loss          string  `yaml:"loss"`
	Smoothing     float64 `yaml:"label_smoothing"` // ε, the part of labels that are taken to be wrong
	ReferenceFree bool    `yaml:"reference_free"`
}

// The losses of DPO.
const (
	Sigmoid = "sigmoid"
	IPO     = "ipo"
	Hinge   = "hinge"
)

// Validate reports every fault at once.
func (c *DPO) Validate() error {
	var errs []error
	if c.Loss != Sigmoid && c.Loss != IPO && c.Loss != Hinge {
		errs = append(errs, fmt.Errorf("recipe.loss is %q; use sigmoid, ipo or hinge", c.Loss))
	}
	if c.Smoothing != 0 && c.Loss != Sigmoid {
		errs = append(errs, fmt.Errorf("recipe.label_smoothing is for loss sigmoid; %s has none", c.Loss))
	}
	return errors.Join(append(errs, checkBeta(c.Beta), checkSmoothing(c.Smoothing))...)
}

// Want is part of Objective.
func (c *DPO) Want() prefer.Want {
	w := prefer.LogProbs
	if !c.ReferenceFree {
		w |= prefer.Referred
	}
	if c.Loss == IPO {
		w |= prefer.Mean
	}
	return w
}

// Kind is part of Objective.
func (c *DPO) Kind() string { return prefer.Paired }

// PerSample is part of Objective.
func (c *DPO) PerSample(x Compared) (*autograd.Node, []recipe.Metric) {
	beta := float32(c.Beta)
	first, second := x.ratios()
	h := autograd.Sub(first, second)
	shown := x.rewards(autograd.Scale(first, beta), autograd.Scale(second, beta))
	switch c.Loss {
	case IPO:
		d := autograd.Shift(h, -1/(2*beta))
		return autograd.Mul(d, d), shown
	case Hinge:
		return autograd.Clip(affine(h, -beta, 1), 0, math.MaxFloat32), shown
	}
	return logistic(autograd.Scale(h, beta), c.Smoothing), shown
}

// KTO is Kahneman-Tversky optimization (Ethayarajh et al. 2024) of judged answers, with
// r = log π(answer) less that of the reference, label l = 1 or -1 and its weight w:
//
//	w·(1 - σ(β·l·(r - kl))),   kl = max(0, mean of r of answers to other prompts)
//
// The mean is over the samples of a row and is a constant, so that it depends neither on
// micro-batches nor on ranks.
type KTO struct {
	Beta        float64 `yaml:"beta"`
	Desirable   float64 `yaml:"desirable_weight"`
	Undesirable float64 `yaml:"undesirable_weight"`
}

// Validate reports every fault at once.
func (c *KTO) Validate() error {
	var errs []error
	if !(c.Desirable >= 0 && c.Undesirable >= 0) || c.Desirable+c.Undesirable == 0 || math.IsInf(c.Desirable+c.Undesirable, 0) {
		errs = append(errs, fmt.Errorf("recipe.desirable_weight %g and undesirable_weight %g: use positive numbers, one of them perhaps 0", c.Desirable, c.Undesirable))
	}
	return errors.Join(append(errs, checkBeta(c.Beta))...)
}

// Want is part of Objective.
func (c *KTO) Want() prefer.Want { return prefer.LogProbs | prefer.Referred }

// Kind is part of Objective.
func (c *KTO) Kind() string { return prefer.Judged }

// PerSample is part of Objective.
func (c *KTO) PerSample(x Compared) (*autograd.Node, []recipe.Metric) {
	reward, other := x.ratios()
	kl := x.meanOfRow(autograd.Detach(other))
	kl = autograd.Clip(kl, 0, math.MaxFloat32)
	better := autograd.Mul(x.Label, autograd.Sub(reward, kl))
	wrong := affine(autograd.Sigmoid(autograd.Scale(better, float32(c.Beta))), -1, 1)
	weight := affine(x.Label, float32(c.Desirable-c.Undesirable)/2, float32(c.Desirable+c.Undesirable)/2)
	reward = autograd.Scale(reward, float32(c.Beta))
	return autograd.Mul(weight, wrong), []recipe.Metric{
		{Name: "accuracy", Sum: autograd.Step(better), Higher: true},
		{Name: "margin", Sum: autograd.Mul(x.Label, reward), Higher: true},
		{Name: "kl", Sum: x.only(kl)}, {Name: "logps", Sum: x.First},
	}
}

// ORPO is odds ratio preference optimization (Hong et al. 2024) with the log-probability by
// token p: -p(chosen) - β·ln σ(log odds(chosen) - log odds(rejected)), log odds = p - ln(1 - eᵖ).
type ORPO struct {
	Beta float64 `yaml:"beta"`
}

// Validate reports a fault.
func (c *ORPO) Validate() error { return checkBeta(c.Beta) }

// Want is part of Objective.
func (c *ORPO) Want() prefer.Want { return prefer.LogProbs | prefer.Mean }

// Kind is part of Objective.
func (c *ORPO) Kind() string { return prefer.Paired }

// certain is the log-probability by token above which odds are not told apart: those of 1
// are infinite.
const certain = -1e-6

// PerSample is part of Objective.
func (c *ORPO) PerSample(x Compared) (*autograd.Node, []recipe.Metric) {
	odds := func(p *autograd.Node) *autograd.Node {
		p = autograd.Clip(p, -math.MaxFloat32, certain)
		return autograd.Sub(p, autograd.Log1mExp(p))
	}
	beta := float32(c.Beta)
	better := autograd.LogSigmoid(autograd.Sub(odds(x.First), odds(x.Second)))
	nll := autograd.Scale(x.First, -1)
	shown := append(x.rewards(autograd.Scale(x.First, beta), autograd.Scale(x.Second, beta)), recipe.Metric{Name: "nll", Sum: nll})
	return autograd.Add(nll, autograd.Scale(better, -beta)), shown
}

// SimPO is simple preference optimization (Meng et al. 2024) with the log-probability by
// token p and the margin γ: DPO's sigmoid of β·(p(chosen) - p(rejected)) - γ.
type SimPO struct {
	Beta      float64 `yaml:"beta"`
	Gamma     float64 `yaml:"gamma"`
	Smoothing float64 `yaml:"label_smoothing"`
}

// Validate reports every fault at once.
func (c *SimPO) Validate() error {
	var errs []error
	if !(c.Gamma >= 0) || math.IsInf(c.Gamma, 0) {
		errs = append(errs, fmt.Errorf("recipe.gamma is %g; use 0 or a positive number", c.Gamma))
	}
	return errors.Join(append(errs, checkBeta(c.Beta), checkSmoothing(c.Smoothing))...)
}

// Want is part of Objective.
func (c *SimPO) Want() prefer.Want { return prefer.LogProbs | prefer.Mean }

// Kind is part of Objective.
func (c *SimPO) Kind() string { return prefer.Paired }

// PerSample is part of Objective.
func (c *SimPO) PerSample(x Compared) (*autograd.Node, []recipe.Metric) {
	beta := float32(c.Beta)
	h := affine(autograd.Sub(x.First, x.Second), beta, -float32(c.Gamma))
	return logistic(h, c.Smoothing), x.rewards(autograd.Scale(x.First, beta), autograd.Scale(x.Second, beta))
}

// logistic is -(1-ε)·ln σ(z) - ε·ln σ(-z).
func logistic(z *autograd.Node, smoothing float64) *autograd.Node {
	right := autograd.Scale(autograd.LogSigmoid(z), float32(smoothing-1))
	if smoothing == 0 {
		return right
	}
	return autograd.Add(right, autograd.Scale(autograd.LogSigmoid(autograd.Scale(z, -1)), -float32(smoothing)))
}

func affine(x *autograd.Node, a, b float32) *autograd.Node {
	return autograd.Shift(autograd.Scale(x, a), b)
}

func checkBeta(beta float64) error {
	if !(beta > 0) || math.IsInf(beta, 0) {
		return fmt.Errorf("recipe.beta is %g; use a positive number, such as 0.1", beta)
	}
	return nil
}

func checkSmoothing(e float64) error {
	if !(e >= 0 && e < 0.5) {
		return fmt.Errorf("recipe.label_smoothing is %g; use a number in [0, 0.5)", e)
	}
	return nil
}

// ratios are the log-probabilities less those of the reference, where there is one.
func (x Compared) ratios() (first, second *autograd.Node) {
	if x.RefFirst == nil {
		return x.First, x.Second
	}
	return autograd.Sub(x.First, x.RefFirst), autograd.Sub(x.Second, x.RefSecond)
}

// only is n where there is a sample, else 0.
func (x Compared) only(n *autograd.Node) *autograd.Node { return autograd.Mul(x.Present, n) }

// rewards shows what chosen and rejected answers are worth.
func (x Compared) rewards(chosen, rejected *autograd.Node) []recipe.Metric {
	margin := autograd.Sub(chosen, rejected)
	return []recipe.Metric{
		{Name: "accuracy", Sum: autograd.Step(margin), Higher: true}, {Name: "margin", Sum: margin, Higher: true},
		{Name: "rewards/chosen", Sum: chosen, Higher: true}, {Name: "rewards/rejected", Sum: rejected},
		{Name: "logps/chosen", Sum: x.First, Higher: true}, {Name: "logps/rejected", Sum: x.Second},
	}
}

// meanOfRow gives each sample the mean over the samples of its row.
func (x Compared) meanOfRow(n *autograd.Node) *autograd.Node {
	p := n.Shape()[0] / x.Rows
	sum := func(n *autograd.Node) *autograd.Node { return autograd.Sum(autograd.Reshape(n, x.Rows, p), 1) } // (R, 1)
	inverse := autograd.Exp(autograd.Scale(autograd.Log(autograd.Clip(sum(x.Present), 1, float32(p))), -1))
	return autograd.Reshape(autograd.Broadcast(autograd.Mul(sum(x.only(n)), inverse), x.Rows, p), x.Rows*p)
}
