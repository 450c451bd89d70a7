// Package forecast says what a run will take before it starts: memory by category,
// the largest batch that fits, the time of a step and of all steps, and their cost.
//
// [Make] compiles a configuration for a device and gives the [Report]. The memory of
// the model is exact, since all of it is planned and allocated before the first step
// ([MemoryOf]); the time is a roofline estimate over the instructions of a step.
// [Vocab] is the size of a vocabulary that is not fitted yet. [LawOf] is what the scaling
// laws of a run's folder say of it.
package forecast

import (
	"cmp"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/recipe"
)

// Report is what a run will take.
type Report struct {
	engine.Forecast
	Vocab        int            `json:"vocab"`
	VocabFrom    string         `json:"vocab_from"`
	Precision    string         `json:"precision"`
	SixN         float64        `json:"six_n_flops_per_token"`
	Memory       Memory         `json:"memory"`
	Machine      device.Machine `json:"machine"`
	Limits       device.Limits  `json:"limits"`
	LargestBatch int            `json:"largest_batch"` // train.batch that fits this machine's free memory, 0 when unknown
	Batch        int            `json:"batch"`
	Accumulate   int            `json:"accumulate"`
	Context      int            `json:"context"`
	Steps        int            `json:"steps"`
	Epochs       float64        `json:"epochs,omitempty"`  // that the steps follow from, 0 where they were given
	Sources      []Source       `json:"sources,omitempty"` // of data.sources
	Ranks        int            `json:"ranks"`
	Remarks      []Remark       `json:"remarks,omitempty"` // of the recipe
	MFU          float64        `json:"mfu,omitempty"`     // share of the peak
	Price        float64        `json:"price,omitempty"`   // of an hour on one machine or GPU
	Cost         float64        `json:"cost,omitempty"`    // of all steps at that price, on all ranks
	Advice       *Advice        `json:"advice,omitempty"`
	Past         *Past          `json:"past,omitempty"` // set by the caller, from PastOf
	Law          *Law           `json:"law,omitempty"`  // of the run's folder
	Timing       *Timing        `json:"timing,omitempty"`
	Economy      *Economy       `json:"attention,omitempty"` // nil where it is to all pairs
}

// Remark is what a recipe tells of its run.
type Remark struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Source is a source of the data with its share of the sequences, 0 where that follows from
// the lengths of all.
type Source struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

// Make compiles cfg, whose model.vocab is set, for d, and measures the machine. It fails
// with a [device.Error] where the kernels of a GPU do not run the model.
// cfg.Rank.Count() is the number of ranks; the memory is that of rank 0, which keeps the
// most, the speed that of all without their messages.
func Make(cfg config.Config, job *recipe.Job, d device.Device) (*Report, error) {
	target, err := d.Target()
	if err != nil {
		return nil, err
	}
	programs, err := engine.Compile(cfg, job, target)
	if err != nil {
		return nil, err
	}
	attention := cmp.Or(cfg.CUDA.Attention, config.AttentionMMA)
	if attention != config.AttentionMMA && d.Card == nil {
		return nil, device.Errorf("cuda.attention is %s, for NVIDIA GPUs, and the device is cpu: leave the key out", attention)
	}
	if d.Card != nil {
		for _, p := range programs.All() {
			if err := d.Card.Check(p, attention); err != nil {
				return nil, &device.Error{Err: err}
			}
		}
	}
	ranks := cfg.Rank.Count()
	r := &Report{
		Vocab: cfg.Text().Vocab, VocabFrom: job.VocabFrom, Precision: cfg.Precision, Batch: cfg.Train.Batch, Accumulate: cfg.Train.Accumulate,
		Context: cfg.Length(), Steps: cfg.Train.Steps, Ranks: ranks, Memory: MemoryOf(programs, ranks, d, device.ResidentMemory(), job),
		Limits: d.Memory(), Machine: d.Measure(), Timing: TimingOf(cfg, d),
	}
	texts, _ := cfg.Texts()
	for _, s := range texts.Shares() {
		r.Sources = append(r.Sources, Source{s.Name, s.Weight})
	}
	for _, p := range job.Remarks {
		r.Remarks = append(r.Remarks, Remark{p.Name, p.Detail})
	}
	machine := Machine(r.Machine, cfg.Precision)
	r.Forecast = engine.Predict(cfg, job, programs, machine)
	r.SixN = r.Arithmetic.SixN
	if r.Economy, err = economyOf(job, r.Context, machine); err != nil {
		return nil, err
	}
	r.MFU = r.UnitsPerS * r.FLOPsPerUnit / (1e9 * r.Machine.Peak(cfg.Precision) * float64(ranks))
	if r.Law, err = LawOf(cfg, job, r.TotalUnits); err != nil {
		return nil, err
	}
	if r.LargestBatch, err = largestBatch(cfg, job, target, d, r); err != nil {
		return nil, err
	}
	r.Advice, err = advise(cfg, job, target, d, r)
	return r, err
}

// Machine is what engine.Predict wants to know of m in a precision.
func Machine(m device.Machine, precision string) engine.Machine {
	products, attention := m.Reached(precision)
	return engine.Machine{Peak: 1e9 * m.Peak(precision), Products: 1e9 * products, Attention: 1e9 * attention, Bandwidth: 1e9 * m.Bandwidth}
}

// Fits tells whether the memory that is free holds the run; true where that is not
// known.
func (r *Report) Fits() bool {
	room := r.Limits.Usable()
	return room == 0 || r.Memory.Total <= room
}

// SetPrice says what an hour of one machine or GPU costs, in any currency, from which
// follows the cost of all steps on all ranks.
func (r *Report) SetPrice(hour float64) {
	r.Price, r.Cost = hour, hour*r.Seconds/3600*float64(r.Ranks)
}

// largestBatch is the largest train.batch whose run fits the memory that is free,
// 0 where that is not known or not even one sequence fits. It doubles the batch
// until it does not fit and halves the distance from there.
func largestBatch(cfg config.Config, job *recipe.Job, target plan.Target, d device.Device, r *Report) (int, error) {
	room := r.Limits.Usable()
	if room == 0 {
		return 0, nil
	}
	fits := func(batch int) (bool, error) {
		c := cfg
		c.Train.Batch = batch
		programs, err := engine.Compile(c, job, target)
		if err != nil {
			return false, err
		}
		return MemoryOf(programs, r.Ranks, d, r.Memory.Process, job).Total <= room, nil
	}
	low, high := 0, cfg.Train.Batch // low fits, high does not
	if r.Memory.Total <= room {
		low, high = cfg.Train.Batch, 0 // not known yet
	}
	for high == 0 || high-low > 1 {
		batch := 2 * low
		if high > 0 {
			batch = low + (high-low)/2
		}
		ok, err := fits(batch)
		if err != nil {
			return 0, err
		}
		if ok {
			low = batch
		} else {
			high = batch
		}
	}
	return low, nil
}
