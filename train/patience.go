package train

import (
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// judge takes the score of an evaluation into account and tells whether it is an
// improvement: by more than train.min_delta on the best so far.
func (r *run) judge(m recipe.Metric, value float64) bool {
	if r.cfg.Train.Patience == 0 {
		return false
	}
	b := r.state.Best
	better := b == nil || value < b.Value-r.cfg.Train.MinDelta
	if m.Higher {
		better = b == nil || value > b.Value+r.cfg.Train.MinDelta
	}
	if better {
		r.state.Best = &save.Best{Step: r.state.Step, Value: value}
		return true
	}
	best := *b
	best.Worse++
	r.state.Best = &best
	return false
}

// exhausted tells whether the run has not improved for train.patience
// evaluations.
func (r *run) exhausted() bool {
	patience := r.cfg.Train.Patience
	return patience > 0 && r.state.Best != nil && r.state.Best.Worse >= patience
}

// bestStep is the step of the best checkpoint, 0 for none.
func (r *run) bestStep() int64 {
	if r.cfg.Train.Patience == 0 || r.state.Best == nil {
		return 0
	}
	return int64(r.state.Best.Step)
}

// bestLink is the link to the best checkpoint, "" without one.
func (r *run) bestLink() string {
	if r.bestStep() == 0 {
		return ""
	}
	return checkpoint.BestLink(r.cfg.Run.Dir)
}
