package train

import (
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/recipe"
)

// TestSumsBesideTheBackwardPass wants the sums over the ranks to start while
// gradients are still computed, of one micro-batch and of the last of several, and
// nowhere else.
func TestSumsBesideTheBackwardPass(t *testing.T) {
	for _, accumulate := range []int{1, 2, 4} {
		for _, zero := range []int{0, 1} {
			cfg := config.Default(tables)
			cfg.Train.Batch, cfg.Train.Accumulate = 2, accumulate
			setGPT2(t, &cfg, func(c *gpt2.Config) { *c = gpt2.Config{Layers: 3, Heads: 2, Width: 32, Context: 16, Vocab: 50} })
			cfg.Rank, cfg.Cluster.Zero = mesh.Of(0, 2), zero
			cfg.Train.Sample = ""
			job, err := table.Design(t.Context(), recipe.Env{Config: cfg})
			if err != nil {
				t.Fatal(err)
			}
			programs, err := engine.Compile(cfg, job, plan.Target{})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range programs.All() {
				_, micro := cfg.MicroBatches()
				updates := p == programs.Step[len(programs.Step)-1].Program.Plan
				sums, early, backward := 0, 0, 0
				for _, in := range p.Program.Instrs {
					switch {
					case in.Kind == ir.AllReduce || in.Kind == ir.ReduceTo:
						sums++
					case in.Backward:
						backward++
						early = sums // before the last one
					}
				}
				if !updates && sums > 0 || updates && (sums < len(job.Params()) || early < sums/2) {
					t.Errorf("%d micro-batches, zero %d: %s has %d sums, %d of them before the end of %d backward instructions", micro, zero, p.Program.Name, sums, early, backward)
				}
			}
		}
	}
}
