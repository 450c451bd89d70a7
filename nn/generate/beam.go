package generate

import (
	"fmt"
	"math"
	"slices"
)

// EarlyStopping says when a search of a text ends, as transformers' generate has it.
type EarlyStopping string

const (
	// StopByHeuristic ends when the best text that goes on, at its length, scores no better
	// than the worst that has ended. It is the default.
	StopByHeuristic EarlyStopping = "false"
	// StopWhenFull ends as soon as as many texts have ended as there are beams.
	StopWhenFull EarlyStopping = "true"
	// StopNever ends when no text can become better than the worst that has ended.
	StopNever EarlyStopping = "never"
)

// BeamOptions say how texts are searched.
type BeamOptions struct {
	Beams int // K, texts that are followed side by side; 0 is 1, greedy decoding
	// LengthPenalty is the exponent of the length that the log-likelihood of a text is
	// divided by: above 0 longer texts gain, below 0 shorter ones.
	LengthPenalty float64
	EarlyStopping EarlyStopping // "" is StopByHeuristic
	MaxTokens     int           // of a text with its end; 0 is the translator's
	Stop          []int32       // any of these tokens ends a text
}

// check wants options that a translator of that size can follow.
func (o BeamOptions) check(c TranslatorConfig) error {
	switch {
	case o.Beams < 0 || o.Beams > c.Beams:
		return fmt.Errorf("generate: %d beams are outside [1, %d]", o.Beams, c.Beams)
	case o.MaxTokens < 0 || o.MaxTokens > c.MaxTokens:
		return fmt.Errorf("generate: at most %d tokens are outside [1, %d]", o.MaxTokens, c.MaxTokens)
	case math.IsNaN(o.LengthPenalty) || math.IsInf(o.LengthPenalty, 0):
		return fmt.Errorf("generate: a length penalty of %g", o.LengthPenalty)
	case !slices.Contains([]EarlyStopping{"", StopByHeuristic, StopWhenFull, StopNever}, o.EarlyStopping):
		return fmt.Errorf("generate: early stopping %q is not one of %s, %s, %s", o.EarlyStopping, StopByHeuristic, StopWhenFull, StopNever)
	}
	return nil
}

// Translation is the best text of a search.
type Translation struct {
	Tokens []int32 // without the token that ends it
	Reason Reason  // Stopped, or Length
	Score  float64 // log-likelihood in nats by LengthPenalty
}

// impossible is what transformers adds to the score of a text that may not be chosen.
const impossible = -1e9

// hypothesis is a text with its score.
type hypothesis struct {
	tokens []int32
	score  float32
	ended  bool
}

func (h hypothesis) last() int32 { return h.tokens[len(h.tokens)-1] }

// search is that of the text of one source: the algorithm of transformers' generate, in
// float32 as there.
type search struct {
	opt     BeamOptions
	beams   int // K
	most    int // tokens of a text
	vocab   int
	length  int // tokens of running
	running []hypothesis
	parents []int // of running among those of the step before
	ended   []hypothesis
	hopeful bool // a running text may still become better than the worst that has ended
	done    bool
	heap    []extension
}

// extension is a text with one more token.
type extension struct {
	beam  int
	token int32
	score float32
}

// newSearch begins a search; width is K of the program that gives logits.
func newSearch(opt BeamOptions, width, most, vocab int) *search {
	if opt.EarlyStopping == "" {
		opt.EarlyStopping = StopByHeuristic
	}
	beams := opt.Beams
	if beams == 0 {
		beams = 1
	}
	s := &search{opt: opt, beams: beams, most: most, vocab: vocab, hopeful: true, parents: make([]int, width)}
	for i := range beams {
		// All beams are alike at first: only the first counts.
		h := hypothesis{}
		if i > 0 {
			h.score = impossible
		}
		s.running = append(s.running, h)
		s.ended = append(s.ended, hypothesis{score: impossible})
	}
	return s
}

// step makes the texts longer by a token; logits are (K, V).
func (s *search) step(logits []float32) error {
	top, err := s.top(logits)
	if err != nil {
		return err
	}
	texts := make([]hypothesis, len(top))
	for i, c := range top {
		tokens := append(slices.Clip(slices.Clone(s.running[c.beam].tokens)), c.token)
		texts[i] = hypothesis{tokens: tokens, score: c.score, ended: slices.Contains(s.opt.Stop, c.token)}
	}
	s.length++
	full := s.length >= s.most // all texts are as long as they may be
	s.end(texts, full)
	s.goOn(top, texts, full)
	s.hopeful = s.hopeful && s.improves()
	s.done = !s.hopeful || full || s.opt.EarlyStopping == StopWhenFull && s.allEnded()
	return nil
}

// top are the best candidates, as many as leave K that have not ended.
func (s *search) top(logits []float32) ([]extension, error) {
	keep := max(2, 1+len(s.opt.Stop)) * s.beams
	s.heap = s.heap[:0]
	for b := range s.beams {
		row := logits[b*s.vocab:][:s.vocab]
		norm, err := logSumExp(row)
		if err != nil {
			return nil, err
		}
		score := s.running[b].score
		for token, x := range row {
			c := extension{b, int32(token), x - norm + score}
			if len(s.heap) == keep && c.score <= s.heap[keep-1].score {
				continue
			}
			at := len(s.heap)
			for at > 0 && s.heap[at-1].score < c.score {
				at--
			}
			if len(s.heap) < keep {
				s.heap = append(s.heap, extension{})
			}
			copy(s.heap[at+1:], s.heap[at:])
			s.heap[at] = c
		}
	}
	return s.heap, nil
}

// logSumExp is ln Σ exp(x).
func logSumExp(x []float32) (float32, error) {
	most := slices.Max(x)
	if math.IsNaN(float64(most)) || math.IsInf(float64(most), 0) {
		return 0, fmt.Errorf("generate: %w", ErrNotFinite)
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v - most))
	}
	return most + float32(math.Log(sum)), nil
}

// goOn chooses the texts that are followed further: the best that have not ended.
func (s *search) goOn(top []extension, texts []hypothesis, full bool) {
	scores := make([]float32, len(texts))
	for i, t := range texts {
		scores[i] = t.score
		if t.ended || full {
			scores[i] += impossible
		}
	}
	running := make([]hypothesis, s.beams)
	for b, i := range best(scores, s.beams) {
		running[b] = hypothesis{tokens: texts[i].tokens, score: scores[i]}
		s.parents[b] = top[i].beam
	}
	s.running = running
}

// end keeps the best of the texts that had ended and of those of the first K that do now.
func (s *search) end(texts []hypothesis, full bool) {
	length := float32(math.Pow(float64(s.length), s.opt.LengthPenalty))
	closed := s.opt.EarlyStopping == StopWhenFull && s.allEnded()
	all := slices.Clone(s.ended)
	for i, t := range texts {
		t.ended = (t.ended || full) && i < s.beams
		t.score /= length
		for _, not := range []bool{closed, !s.hopeful, !t.ended} {
			if not {
				t.score += impossible
			}
		}
		all = append(all, t)
	}
	scores := make([]float32, len(all))
	for i, t := range all {
		scores[i] = t.score
	}
	for b, i := range best(scores, s.beams) {
		s.ended[b] = all[i]
	}
}

func (s *search) allEnded() bool {
	return !slices.ContainsFunc(s.ended, func(h hypothesis) bool { return !h.ended })
}

// improves tells whether the best running text may become better than the worst that has
// ended.
func (s *search) improves() bool {
	length := s.length
	if s.opt.EarlyStopping == StopNever && s.opt.LengthPenalty > 0 {
		length = s.most
	}
	possible := s.running[0].score / float32(math.Pow(float64(length), s.opt.LengthPenalty))
	worst := float32(math.Inf(1))
	for _, h := range s.ended {
		worst = min(worst, h.score)
	}
	for _, h := range s.ended {
		limit := float32(impossible)
		if h.ended {
			limit = worst
		}
		if possible > limit {
			return true
		}
	}
	return false
}

// best are the places of the n greatest scores, of equal ones the first.
func best(scores []float32, n int) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	return order[:n]
}

// best is the text that the search ends with.
func (s *search) best() Translation {
	h := s.ended[0]
	if n := len(h.tokens); n > 0 && slices.Contains(s.opt.Stop, h.tokens[n-1]) {
		return Translation{Tokens: h.tokens[:n-1], Reason: Stopped, Score: float64(h.score)}
	}
	return Translation{Tokens: h.tokens, Reason: Length, Score: float64(h.score)}
}
