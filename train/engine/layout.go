package engine

import (
	"cmp"
	"slices"

	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// layoutOf tells which rank updates which of the parameters that a job trains:
// with cluster.zero 1 each rank those that it owns. All have about as many bytes to
// update, and rank 0 the most state, so that its plan has the memory which the run
// needs of a rank.
func layoutOf(cfg config.Config, job *recipe.Job) plan.Layout {
	l := plan.Layout{Rank: cfg.Rank}
	if cfg.Cluster.Zero == 0 || cfg.Rank.Alone() {
		return l
	}
	l.Owner = map[string]int{}
	for _, phase := range job.Phases {
		parts := mesh.Balance(job.Trained(phase), cfg.Rank.Count(), func(p nn.Param) int64 {
			return 4*int64(p.Shape.Size()) + stateBytes(phase.Optimizer, p)
		})
		slices.SortStableFunc(parts, func(a, b []nn.Param) int {
			return cmp.Compare(stateBytes(phase.Optimizer, b...), stateBytes(phase.Optimizer, a...))
		})
		for rank, part := range parts {
			for _, p := range part {
				l.Owner[p.State()] = rank
			}
		}
	}
	return l
}

// stateBytes is the memory of an optimizer's state of params.
func stateBytes(o optim.Config, params ...nn.Param) int64 {
	var n int64
	for _, p := range params {
		n += o.StateBytes(p.Shape.Size(), ruleOf(p))
	}
	return n
}

// optimizerBytes is the memory of the states of all optimizers of a job.
func optimizerBytes(job *recipe.Job) int64 {
	var n int64
	for _, phase := range job.Phases {
		n += stateBytes(phase.Optimizer, job.Trained(phase)...)
	}
	return n
}
