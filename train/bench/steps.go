package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/train/events"

	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/save"
)

// time trains on random tokens for about o.Seconds.
func (o Options) time(s Step, d *stepDevice) (Timing, error) {
	cfg := s.Config
	cfg.Precision = o.Precision
	cfg.Train.Save = "sync" // nothing is saved, so there is no copy to count
	model, err := cfg.NewModel(zoo.Families())
	if err != nil {
		return Timing{}, err
	}
	lm, err := nn.AsLanguageModel(model)
	if err != nil {
		return Timing{}, err
	}
	job, err := text.Of(cfg, lm)
	if err != nil {
		return Timing{}, err
	}
	base := device.ResidentMemory()
	var chosen chosen
	trainer, err := engine.NewChoosing(cfg, job, d.Backend, ranks.Coordinate(nil), func(plans []*plan.Plan) error {
		var err error
		chosen, err = o.choose(d, plans, cfg.CUDA.Timing)
		return err
	})
	if err != nil {
		return Timing{}, err
	}
	bound := time.Now()
	if err := trainer.Initialize(vfs.OS{}); err != nil {
		return Timing{}, err
	}
	initialized := time.Now()
	context, vocab := cfg.Length(), lm.Vocab()
	rows := cfg.Train.Batch * cfg.Train.Accumulate
	batch := RandomBatch(rows, context, vocab)
	var times []time.Duration
	var warm time.Duration // in which the first step had the device busy
	for began := time.Now(); len(times) < 4 || time.Since(began).Seconds() < o.Seconds; {
		start := time.Now()
		if _, err := trainer.Step(batch, engine.StepConfig{Step: len(times), Phases: []save.PhaseState{{Applied: len(times)}}}); err != nil {
			return Timing{}, err
		}
		times = append(times, time.Since(start))
		if d.watched != nil && len(times) == 1 {
			if warm, err = d.watched.Busy(); err != nil {
				return Timing{}, err
			}
		}
	}
	median := middle(times).Seconds()
	t := Timing{Name: s.Name, Params: nn.SizeOf(model).Params, Batch: rows, Context: context, Vocab: vocab, Steps: len(times),
		StepMS: 1e3 * median, TokensPerS: float64(rows*context) / median, PlannedBytes: forecast.MemoryOf(trainer.Programs(), 1, d.Device, base, job).Total}
	t.Chosen, t.ChosenS, t.WayMS = len(chosen.Ways), chosen.Seconds, chosen.times
	_, t.ChosenSaves = chosen.Faster()
	if o.ByInstruction {
		groups, err := trainer.Profile(batch, engine.StepConfig{Step: len(times), Phases: []save.PhaseState{{Applied: len(times)}}}, profileRounds)
		if err != nil {
			return Timing{}, err
		}
		t.ByInstruction, t.ByKind = instructions(groups, o.Peak, o.Bandwidth)
	}
	if o.Repeat {
		if t.Bits, err = bitsOf(trainer, batch); err != nil {
			return Timing{}, err
		}
	}
	if err := t.setSizes(model); err != nil {
		return Timing{}, err
	}
	t.GFLOPS = t.TokensPerS * nn.FLOPsPerToken(lm, context).Exact / 1e9
	if o.Peak > 0 {
		t.FractionOfPeak = t.GFLOPS / o.Peak
	}
	if d.watched != nil {
		busy, err := d.watched.Busy()
		if err != nil {
			return Timing{}, err
		}
		t.GPU = &GPU{OpenS: d.opened.Sub(d.began).Seconds(), BindS: bound.Sub(d.opened).Seconds(), ParamsS: initialized.Sub(bound).Seconds(),
			StepS: times[0].Seconds(), UsedBytes: d.Used(), Nodes: d.watched.Nodes()}
		t.GPU.FirstStepS = t.GPU.OpenS + t.GPU.BindS + t.GPU.ParamsS + t.GPU.StepS
		t.GPU.Idle = 1 - (busy-warm).Seconds()/sum(times[1:]).Seconds()
	}
	return t, nil
}

// chosen is how a step computes, with the times of what was timed.
type chosen struct {
	events.Chosen
	times map[string]map[string]float64
}

// choose settles how the device computes what it has several ways for, as a run does.
func (o Options) choose(d *stepDevice, plans []*plan.Plan, timed bool) (chosen, error) {
	var c chosen
	chooser, ok := d.driver.(exec.Chooser)
	if !ok {
		return c, nil
	}
	c.Where = chooser.Where()
	var known exec.Ways
	if timed {
		var err error
		if known, err = o.Ways.Of(c.Where); err != nil {
			return c, err
		}
	}
	began := time.Now()
	made, err := chooser.Choose(plans, known, timed && o.Ways.Path != "")
	if err != nil || !timed || o.Ways.Path == "" {
		return c, err
	}
	c.Ways, c.Timed, c.times, c.Seconds = made.Ways, len(made.Timed), made.Timed, time.Since(began).Seconds()
	return c, o.Ways.Add(c.Where, made.Ways)
}

// bitsOf takes the first step twice from the same parameters, and gives the hash of the
// parameters after each.
func bitsOf(trainer *engine.Engine, batch *data.Batch) ([]string, error) {
	var all []string
	for range 2 {
		store := trainer.Store()
		for _, name := range store.Names() {
			if err := store.WriteBytes(name, make([]byte, store.Get(name).Bytes())); err != nil {
				return nil, err
			}
		}
		if err := trainer.Initialize(vfs.OS{}); err != nil {
			return nil, err
		}
		if _, err := trainer.Step(batch, engine.StepConfig{Phases: []save.PhaseState{{}}}); err != nil {
			return nil, err
		}
		hash, err := trainer.Hash()
		if err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprintf("%016x", hash))
	}
	return all, nil
}

func sum(times []time.Duration) time.Duration {
	var all time.Duration
	for _, t := range times {
		all += t
	}
	return all
}

// middle returns the median, without the first step, which warms up.
func middle(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times[1:]))
	return sorted[len(sorted)/2]
}

// RandomBatch is a batch of random tokens.
func RandomBatch(rows, length, vocab int) *data.Batch {
	size := data.Sequences{Rows: data.Rows{Batch: rows}, Context: length}
	b := size.NewBatch()
	ids, targets := b.Ints[data.IDs], b.Ints[data.Targets]
	r := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i], targets[i] = r.Int32N(int32(vocab)), r.Int32N(int32(vocab))
	}
	b.Weight = float64(len(ids))
	return b
}
