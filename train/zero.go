package train

import (
	"cmp"
	"slices"

	"gotrain/autograd/mesh"
	"gotrain/autograd/plan"
	"gotrain/nn"
)

// shareUpdates tells which rank updates which of the parameters that model trains:
// with cluster.zero 1 each rank those that it owns. All have about as many bytes to
// update, and rank 0 the most state, so that its plan has the memory which the run
// needs of a rank.
func shareUpdates(cfg Config, model nn.Model) plan.Layout {
	r := plan.Layout{Rank: cfg.Rank}
	if cfg.Cluster.Zero == 0 || cfg.Rank.Alone() {
		return r
	}
	r.Owner = map[string]int{}
	parts := mesh.Balance(nn.Trainable(model.Params()), cfg.Rank.Count(), func(p nn.Param) int64 {
		return 4*int64(p.Shape.Size()) + optimizerBytes(cfg, p)
	})
	slices.SortStableFunc(parts, func(a, b []nn.Param) int {
		return cmp.Compare(optimizerBytes(cfg, b...), optimizerBytes(cfg, a...))
	})
	for rank, part := range parts {
		for _, p := range part {
			r.Owner[p.State()] = rank
		}
	}
	return r
}

// optimizerBytes is the memory of the optimizer's state of params.
func optimizerBytes(cfg Config, params ...nn.Param) int64 {
	var n int64
	for _, p := range params {
		n += cfg.Optimizer.StateBytes(p.Shape.Size(), ruleOf(p))
	}
	return n
}
