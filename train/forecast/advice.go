package forecast

import (
	"math/bits"

	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/recipe"
)

// Advice is another way to make the same step: as many sequences of the same size, in
// micro-batches of another size.
type Advice struct {
	Batch      int     `json:"batch"`
	Accumulate int     `json:"accumulate"`
	Recompute  bool    `json:"recompute"`
	UnitsPerS  float64 `json:"tokens_per_s"`
	Peak       int64   `json:"peak_bytes"` // of all memory
}

// worthwhile is the gain from which on another split of the step is advised.
const worthwhile = 1.03

// advise returns the fastest split of cfg's step that fits the memory that is free, of
// those within a hundredth of it the one with the least memory; nil where the run has
// one already, or where the memory or the speed is not known.
func advise(cfg config.Config, job *recipe.Job, target plan.Target, d device.Device, r *Report) (*Advice, error) {
	room := r.Limits.Usable()
	if room == 0 || r.UnitsPerS == 0 {
		return nil, nil
	}
	m := Machine(r.Machine, cfg.Precision)
	var all []Advice
	for _, c := range splits(cfg, r.Fits()) {
		programs, err := engine.Compile(c, job, target)
		if err != nil {
			return nil, err
		}
		a := Advice{Batch: c.Train.Batch, Accumulate: c.Train.Accumulate, Recompute: c.Train.Recompute,
			Peak: MemoryOf(programs, r.Ranks, d, r.Memory.Process, job).Total, UnitsPerS: engine.Predict(c, job, programs, m).UnitsPerS}
		if a.Peak <= room {
			all = append(all, a)
		}
	}
	fastest := 0.0
	for _, a := range all {
		fastest = max(fastest, a.UnitsPerS)
	}
	var best *Advice
	for i, a := range all {
		if a.UnitsPerS >= 0.99*fastest && (best == nil || a.Peak < best.Peak) {
			best = &all[i]
		}
	}
	if best == nil || r.Fits() && best.UnitsPerS < worthwhile*r.UnitsPerS {
		return nil, nil
	}
	return best, nil
}

// splits are cfg with micro-batches up to eight times larger and smaller that make the
// same step, with and without recomputation; of one that does not fit down to a sequence.
func splits(cfg config.Config, fits bool) []config.Config {
	var all []config.Config
	samples, least := cfg.Train.Batch*cfg.Train.Accumulate, -3
	if !fits {
		least = -bits.Len(uint(cfg.Train.Batch))
	}
	for _, recompute := range []bool{false, true} {
		for shift := least; shift <= 3; shift++ {
			batch := cfg.Train.Batch << max(0, shift) >> max(0, -shift)
			if batch < 1 || samples%batch != 0 || batch*cfg.Rank.Count() > samples {
				continue
			}
			c := cfg
			c.Train.Batch, c.Train.Accumulate, c.Train.Recompute = batch, samples/batch, recompute
			all = append(all, c)
		}
	}
	return all
}
