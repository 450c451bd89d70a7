package train

import "gotrain/train/checkpoint"

// Best is the state of early stopping (train.patience). It is part of a
// checkpoint, so that a run that was stopped judges as one that was not.
type Best struct {
	Step  int     `json:"step"`  // of the best evaluation; its checkpoint is kept
	NLL   float64 `json:"nll"`   // nats per token
	Worse int     `json:"worse"` // evaluations since without improvement
}

// judge takes the score of an evaluation into account and tells whether it is an
// improvement: by more than train.min_delta on the best so far.
func (r *run) judge(nll float64) bool {
	if r.cfg.Train.Patience == 0 {
		return false
	}
	if b := r.state.Best; b == nil || nll < b.NLL-r.cfg.Train.MinDelta {
		r.state.Best = &Best{Step: r.state.Step, NLL: nll}
		return true
	}
	best := *r.state.Best
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
