package generate

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestBeamOptions: the borders of what a translator of 4 beams and 9 tokens follows.
func TestBeamOptions(t *testing.T) {
	for _, c := range []struct {
		o    BeamOptions
		want string
	}{
		{BeamOptions{}, ""}, {BeamOptions{Beams: 4, MaxTokens: 9, LengthPenalty: -2, EarlyStopping: StopNever}, ""},
		{BeamOptions{Beams: 5}, "5 beams are outside [1, 4]"}, {BeamOptions{Beams: -1}, "-1 beams are outside"},
		{BeamOptions{MaxTokens: 10}, "at most 10 tokens are outside [1, 9]"}, {BeamOptions{MaxTokens: -1}, "at most -1 tokens"},
		{BeamOptions{LengthPenalty: math.NaN()}, "a length penalty of NaN"}, {BeamOptions{LengthPenalty: math.Inf(-1)}, "a length penalty of -Inf"},
		{BeamOptions{EarlyStopping: "often"}, `early stopping "often" is not one of false, true, never`},
	} {
		err := c.o.check(TranslatorConfig{Beams: 4, MaxTokens: 9})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// TestSearchByHand: texts of the tokens 0 to 3, of which 3 ends them, whose next token depends on
// the last one alone. All texts of up to most tokens are listed and the best is what a search
// of many beams finds; one beam takes the likeliest token each time.
func TestSearchByHand(t *testing.T) {
	probabilities := [][]float64{{0.4, 0.3, 0.2, 0.1}, {0.05, 0.1, 0.15, 0.7}, {0.45, 0.35, 0.1, 0.1}, {0.25, 0.25, 0.25, 0.25}}
	row := func(last int32) (logits []float32) {
		for _, p := range probabilities[last] {
			logits = append(logits, float32(math.Log(p))+5) // logits are no log-probabilities
		}
		return logits
	}
	const most, start = 4, 0
	for _, penalty := range []float64{0, 1, 2, -1} {
		var want hypothesis
		want.score = float32(math.Inf(-1))
		var list func(tokens []int32, last int32, sum float64)
		list = func(tokens []int32, last int32, sum float64) {
			for next, p := range probabilities[last] {
				text := append(slices.Clone(tokens), int32(next))
				score := sum + math.Log(p)
				if next == 3 || len(text) == most {
					if s := float32(score / math.Pow(float64(len(text)), penalty)); s > want.score {
						want = hypothesis{tokens: text, score: s, ended: next == 3}
					}
					continue
				}
				list(text, int32(next), score)
			}
		}
		list(nil, start, 0)
		for _, beams := range []int{64, 1} {
			s := newSearch(BeamOptions{Beams: beams, LengthPenalty: penalty, EarlyStopping: StopNever, Stop: []int32{3}}, beams, most, 4)
			for !s.done {
				var logits []float32
				for _, h := range s.running {
					last := int32(start)
					if len(h.tokens) > 0 {
						last = h.last()
					}
					logits = append(logits, row(last)...)
				}
				if err := s.step(logits); err != nil {
					t.Fatal(err)
				}
			}
			got, text := s.best(), want.tokens
			reason, score := Length, float64(want.score)
			if want.ended {
				reason, text = Stopped, text[:len(text)-1]
			}
			if beams == 1 { // 0 is the likeliest behind 0
				text, reason, score = []int32{0, 0, 0, 0}, Length, 4*math.Log(0.4)/math.Pow(4, penalty)
			}
			if !slices.Equal(got.Tokens, text) || got.Reason != reason || math.Abs(got.Score-score) > 1e-5 {
				t.Errorf("penalty %g, %d beams: %+v, want %v, %s, %g", penalty, beams, got, text, reason, score)
			}
		}
	}
	s := newSearch(BeamOptions{}, 3, most, 4)
	if s.beams != 1 || len(s.parents) != 3 || s.opt.EarlyStopping != StopByHeuristic {
		t.Errorf("the default is %d beams, %q", s.beams, s.opt.EarlyStopping)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		if err := s.step([]float32{bad, 0, 0, 0}); err == nil {
			t.Errorf("logits of %g are fine", bad)
		}
	}
	if got := best([]float32{1, 3, 3, 2}, 3); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("the best are %v", got)
	}
}
