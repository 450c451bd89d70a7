package train

import (
	"gotrain/autograd/mesh"
	"testing"

	"gotrain/autograd/ir"
	"gotrain/autograd/plan"
	"gotrain/nn/gpt2"
)

// TestSumsBesideTheBackwardPass wants the sums over the ranks to start while
// gradients are still computed, of one micro-batch and of the last of several, and
// nowhere else.
func TestSumsBesideTheBackwardPass(t *testing.T) {
	for _, accumulate := range []int{1, 2, 4} {
		for _, zero := range []int{0, 1} {
			cfg := DefaultConfig(zooFamilies)
			cfg.Train.Batch, cfg.Train.Accumulate = 2, accumulate
			setGPT2(t, &cfg, func(c *gpt2.Config) { *c = gpt2.Config{Layers: 3, Heads: 2, Width: 32, Context: 16, Vocab: 50} })
			cfg.Rank, cfg.Cluster.Zero = mesh.Of(0, 2), zero
			model, err := cfg.NewModel(zooFamilies)
			if err != nil {
				t.Fatal(err)
			}
			programs, err := Compile(cfg, model, plan.Target{})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range programs.All() {
				_, micro := cfg.microBatches()
				updates := p == programs.Step || p == programs.Last
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
				if !updates && sums > 0 || updates && (sums < len(model.Params()) || early < sums/2) {
					t.Errorf("%d micro-batches, zero %d: %s has %d sums, %d of them before the end of %d backward instructions", micro, zero, p.Program.Name, sums, early, backward)
				}
			}
		}
	}
}
