package forecast

import (
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ways"
)

// Timing is how a GPU's kernels are chosen.
type Timing struct {
	On    bool `json:"on"`    // cuda.timing
	Known int  `json:"known"` // ways that earlier runs have chosen on such a card
}

// TimingOf tells how a run of cfg chooses kernels on d; nil on the CPU, which has none to
// choose. A file of earlier choices that cannot be read counts as none.
func TimingOf(cfg config.Config, d device.Device) *Timing {
	if d.Card == nil {
		return nil
	}
	t := &Timing{On: cfg.CUDA.Timing}
	if file, err := ways.Usual(); err == nil {
		t.Known, _ = file.Card(d.Card.Name)
	}
	return t
}
