package generate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// Sampling says how the next token is chosen from the logits. In this order:
// the repetition penalty, the temperature, top-k, top-p, min-p, as transformers
// applies them. The zero value is greedy.
type Sampling struct {
	// Temperature divides the logits; 0 takes the most likely token, the
	// lowest id among equals.
	Temperature float64
	// TopK keeps the k most likely tokens; 0 keeps all.
	TopK int
	// TopP keeps the fewest most likely tokens whose probabilities reach p
	// (Holtzman et al. 2020); 0 or 1 keeps all.
	TopP float64
	// MinP keeps tokens with at least this share of the largest probability
	// (Nguyen et al. 2024); 0 keeps all.
	MinP float64
	// RepetitionPenalty divides the positive logits of tokens that the text
	// holds already and multiplies the negative ones (Keskar et al. 2019);
	// 0 or 1 changes nothing.
	RepetitionPenalty float64
	// Seed makes the choices: the same seed, weights and prompt give the same
	// text.
	Seed uint64
}

// Validate returns all faults of s, joined, each with its cure, or nil.
func (s Sampling) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(s.Temperature >= 0 && s.Temperature <= 1e3, "temperature %g is outside [0, 1000]: 0 is greedy, 1 samples the model's distribution", s.Temperature)
	check(s.TopK >= 0, "top-k %d is negative: 0 keeps all tokens", s.TopK)
	check(s.TopP >= 0 && s.TopP <= 1, "top-p %g is outside [0, 1]: 0 or 1 keeps all tokens", s.TopP)
	check(s.MinP >= 0 && s.MinP <= 1, "min-p %g is outside [0, 1]: 0 keeps all tokens", s.MinP)
	check(s.RepetitionPenalty == 0 || s.RepetitionPenalty > 0 && s.RepetitionPenalty <= 1e3, "repetition penalty %g is outside (0, 1000]: 1 changes nothing", s.RepetitionPenalty)
	return errors.Join(faults...)
}

// ErrNotFinite says that the logits hold a NaN or +∞, or only -∞.
var ErrNotFinite = errors.New("the logits are not finite: the model's weights have diverged")

// Sampler chooses tokens. It allocates nothing after NewSampler.
type Sampler struct {
	cfg     Sampling
	source  *rand.PCG
	weights []float64 // by token
	order   ranking
	seen    []bool  // by token: whether history holds it
	record  bool    // kept is wanted
	kept    []int32 // what the last token was drawn from, itself first
}

// NewSampler returns a sampler for logits of vocab tokens.
func NewSampler(cfg Sampling, vocab int) (*Sampler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.TopP == 0 {
		cfg.TopP = 1
	}
	if cfg.TopK == 0 || cfg.TopK > vocab {
		cfg.TopK = vocab
	}
	return &Sampler{
		cfg:     cfg,
		source:  rand.NewPCG(cfg.Seed, 0x9E3779B97F4A7C15),
		weights: make([]float64, vocab),
		order:   ranking{heap: make([]candidate, 0, vocab)},
		seen:    make([]bool, vocab),
	}, nil
}

// restart begins a text with numbers of its own: those of the seed of cfg and of stream.
func (s *Sampler) restart(stream uint64) { s.source.Seed(s.cfg.Seed, stream) }

// Next returns the token that follows history. It overwrites logits (V).
func (s *Sampler) Next(logits []float32, history []int32) (int32, error) {
	s.penalise(logits, history)
	top := 0
	for i, x := range logits {
		if x != x {
			return 0, ErrNotFinite
		}
		if x > logits[top] {
			top = i
		}
	}
	if math.IsInf(float64(logits[top]), 0) {
		return 0, ErrNotFinite
	}
	if s.cfg.Temperature == 0 {
		return int32(top), nil
	}
	total := s.weigh(logits, float64(logits[top]))
	if s.cfg.TopK == len(logits) && s.cfg.TopP == 1 && !s.record {
		return s.draw(), nil
	}
	return s.drawBest(total), nil
}

// weigh sets weights to the probabilities times a constant, so that the largest,
// that of the logit peak, is 1, and returns their sum.
func (s *Sampler) weigh(logits []float32, peak float64) float64 {
	total, scale := 0.0, 1/s.cfg.Temperature
	for i, x := range logits {
		w := math.Exp((float64(x) - peak) * scale)
		s.weights[i] = w
		total += w
	}
	return total
}

func (s *Sampler) penalise(logits []float32, history []int32) {
	penalty := float32(s.cfg.RepetitionPenalty)
	if penalty == 0 || penalty == 1 {
		return
	}
	clear(s.seen)
	for _, token := range history {
		if s.seen[token] {
			continue
		}
		s.seen[token] = true
		if logits[token] > 0 {
			logits[token] /= penalty
		} else {
			logits[token] *= penalty
		}
	}
}

// uniform returns a number in [0, 1).
func (s *Sampler) uniform() float64 { return float64(s.source.Uint64()>>11) / (1 << 53) }

// draw samples from all tokens but those below MinP.
func (s *Sampler) draw() int32 {
	sum := 0.0
	for _, w := range s.weights {
		if w >= s.cfg.MinP {
			sum += w
		}
	}
	target, last := s.uniform()*sum, 0
	for i, w := range s.weights {
		if w >= s.cfg.MinP && w > 0 {
			last = i
			if target -= w; target < 0 {
				break
			}
		}
	}
	return int32(last)
}

// drawBest samples from the most likely tokens that TopK, TopP and MinP leave;
// total is the sum of all weights.
func (s *Sampler) drawBest(total float64) int32 {
	s.order.reset()
	for i, w := range s.weights {
		s.order.add(candidate{w, int32(i)})
	}
	s.order.build()
	if s.cfg.TopK < len(s.weights) { // the probabilities are those among the best k
		total = 0
		for i := range s.cfg.TopK {
			total += s.order.at(i).weight
		}
	}
	kept, sum := 0, 0.0
	for kept < s.cfg.TopK && (kept == 0 || sum < s.cfg.TopP*total) && s.order.at(kept).weight >= s.cfg.MinP {
		sum += s.order.at(kept).weight
		kept++
	}
	target, i := s.uniform()*sum, 0
	for ; i < kept-1; i++ {
		if target -= s.order.at(i).weight; target < 0 {
			break
		}
	}
	if s.record {
		s.kept = append(s.kept[:0], s.order.at(i).token)
		for j := range kept {
			if j != i {
				s.kept = append(s.kept, s.order.at(j).token)
			}
		}
	}
	return s.order.at(i).token
}
