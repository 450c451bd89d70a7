package forecast

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/recipe"
)

// Economy is what a run's model saves with what it has in place of attention to all pairs of
// tokens, by the estimate that the forecast of a step makes: forward and backward of the
// attention of all layers, without the layers around it.
type Economy struct {
	Kind  string  `json:"kind"`
	Share float64 `json:"share"` // of the time of all pairs, at the length of the run's sequences
	// From is the shortest length, a multiple of 64, from which it is faster than all pairs on
	// this machine; 0 where it never is.
	From int `json:"from"`
}

// economyOf is that of the first model of a job that has one, nil where all attention is to
// all pairs or the machine was not measured.
func economyOf(job *recipe.Job, length int, m engine.Machine) (*Economy, error) {
	for _, part := range job.Parts {
		model, ok := part.Model.(nn.Economical)
		if !ok || m.Products == 0 || m.Attention == 0 || m.Bandwidth == 0 {
			continue
		}
		if e := model.Economy(); e != nil {
			return economy(e, length, m)
		}
	}
	return nil, nil
}

// Lengths are looked at in steps of a granule, up to the most.
const granule, longest = 64, 1 << 17

func economy(e *nn.Economy, length int, m engine.Machine) (*Economy, error) {
	var fault error
	seconds := func(length int, dense bool) float64 {
		g := autograd.NewGraph()
		y := e.Over(g, length, dense)
		p, _, err := g.LowerTrain(e.Kind, g.Grad(y), autograd.GradTemp, y)
		if err != nil {
			fault = fmt.Errorf("forecast of attention: %w", err)
			return 1
		}
		return engine.Seconds(p, m)
	}
	share := func(length int) float64 { return seconds(length, false) / seconds(length, true) }
	is := &Economy{Kind: e.Kind, Share: share(length)}
	low, high := 0, granule // not faster at low, faster at high
	for high <= longest && share(high) >= 1 && fault == nil {
		low, high = high, 2*high
	}
	for high-low > granule && high <= longest {
		if middle := (low + high) / 2 / granule * granule; share(middle) < 1 {
			high = middle
		} else {
			low = middle
		}
	}
	if high <= longest {
		is.From = high
	}
	return is, fault
}

// Text says for people what is saved at the length of the run's sequences.
func (e *Economy) Text(length int) string {
	share := fmt.Sprintf("%s: about %.1f%% of the time of attention to all pairs at a length of %d", e.Kind, 100*e.Share, length)
	switch {
	case e.From == 0:
		return share + "; warning: it is faster at no length: leave model.attention out"
	case e.Share >= 1:
		return fmt.Sprintf("%s; warning: it is faster than all pairs from %d on only", share, e.From)
	}
	return fmt.Sprintf("%s; it is faster than all pairs from %d on", share, e.From)
}
