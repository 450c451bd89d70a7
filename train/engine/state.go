package engine

import (
	"github.com/zeebo/xxh3"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// Models are the models of a job as checkpoints have them.
func Models(job *recipe.Job) []save.Model {
	models := make([]save.Model, len(job.Parts))
	for i, p := range job.Parts {
		models[i] = save.Model{Model: p.Model, Base: p.Base, Copies: p.Copies, Beside: p.Files}
	}
	return models
}

// Share is what this rank writes of a checkpoint.
func (p *Programs) Share(job *recipe.Job) save.Share {
	return save.ShareOf(p.layout, Models(job), p.optimizerStates(), p.carriedStates(), p.rows)
}

// RowsOf are this rank's samples of a step.
func RowsOf(cfg config.Config) save.Rows {
	rows := cfg.TrainRows()
	first, count := rows.Share()
	micro, _ := cfg.MicroBatches()
	return save.Rows{Samples: cfg.StepSamples(), First: int(first), Count: count, Micro: micro}
}

// Initialize gives the parameters of the engine's job their first values.
func (e *Engine) Initialize(fsys vfs.FS) error {
	adapters := map[string]string{}
	for _, p := range e.job.Parts {
		adapters[p.Role()] = p.Adapter
	}
	return save.Init(e.store, fsys, e.cfg.Run.Seed, Models(e.job), adapters)
}

// hashElements is the buffer through which parameters are hashed.
const hashElements = 1 << 20

// Hash is the 64-bit xxh3 of the parameters that are trained, in the order of
// the phases; never 0.
func (e *Engine) Hash() (uint64, error) {
	h := xxh3.New()
	buf := make([]float32, hashElements)
	for _, p := range e.job.Trainable() {
		size := p.Shape.Size()
		for off := 0; off < size; off += len(buf) {
			part := buf[:min(len(buf), size-off)]
			if err := e.store.ReadAt(p.State(), off, part); err != nil {
				return 0, err
			}
			h.Write(safetensors.Bytes(part))
		}
	}
	return max(1, h.Sum64()), nil
}
