package config

import (
	"example.com/gotrain/data"
)

// StepSamples is the number of samples of an optimizer step, over all ranks.
func (c Config) StepSamples() int { return c.Train.Batch * c.Train.Accumulate }

// MicroBatches returns how a rank goes through its share of a step: count
// micro-batches of rows samples.
func (c Config) MicroBatches() (rows, count int) {
	share := ceilDiv(c.StepSamples(), c.Rank.Shares())
	rows = min(c.Train.Batch, share)
	return rows, ceilDiv(share, rows)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// TrainRows is this rank's share of a step.
func (c Config) TrainRows() data.Rows {
	rows, count := c.MicroBatches()
	return data.Rows{Batch: rows * count, Samples: c.StepSamples(), Rank: c.Rank}
}

// EvalRows is this rank's share of a batch of an evaluation.
func (c Config) EvalRows() data.Rows {
	rows, _ := c.MicroBatches()
	return data.Rows{Batch: rows, Samples: c.Train.Batch, Rank: c.Rank}
}

// LR is the learning rate of the section optimizer after so many steps.
func (c Config) LR(steps int) float64 {
	return c.Optimizer.LR * c.Optimizer.LRFraction(steps, c.Train.Steps)
}

// Length is the number of tokens of a training sequence.
func (c Config) Length() int {
	if c.Train.Context > 0 {
		return c.Train.Context
	}
	return c.Text().Context
}

// Sequences is the size of batches of text of these rows.
func (c Config) Sequences(rows data.Rows) data.Sequences {
	return data.Sequences{Rows: rows, Context: c.Length(), VocabSize: c.Text().Vocab, DocumentMask: c.Train.DocumentMask}
}

// Texts is the section data of a format that has texts in files; ok is false for
// other formats.
func (c Config) Texts() (texts data.Config, ok bool) {
	t, ok := c.Data.Value().(interface{ Texts() data.Config })
	if !ok {
		return data.Config{}, false
	}
	return t.Texts(), true
}
