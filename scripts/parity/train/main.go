// Command train trains a configuration for some steps and writes what another
// implementation needs to repeat it: the initial weights, every batch, and the
// losses, gradient norms, final weights and optimizer state to compare with.
//
//	go run ./scripts/parity/train -config configs/opticks.yaml -steps 100 -out parity.safetensors
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/save"
)

func main() {
	file := flag.String("config", "configs/opticks.yaml", "configuration `file`")
	steps := flag.Int("steps", 100, "steps to train")
	out := flag.String("out", "parity.safetensors", "`file` to write")
	set := flag.String("set", "", "overrides, separated by spaces")
	flag.Parse()
	if err := run(*file, strings.Fields(*set), *steps, *out); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(file string, set []string, steps int, out string) error {
	table := all.Table()
	cfg, err := config.Load(file, set, table.Config())
	if err != nil {
		return err
	}
	ctx := context.Background()
	o, err := text.MakeTokenizer(ctx, recipe.Env{Config: cfg})
	if err != nil {
		return err
	}
	enc, err := text.Encoder(cfg, o.Tokenizer, hub.FreshIdentity(o.Tokenizer, o.Roles, 0))
	if err != nil {
		return err
	}
	if err := cfg.SetVocab(enc.VocabSize()); err != nil {
		return err
	}
	texts, _ := cfg.Texts()
	prepared, err := data.Prepare(ctx, texts, enc, nil)
	if err != nil {
		return err
	}
	defer prepared.Close()
	size := data.Sequences{Rows: data.Rows{Batch: cfg.Train.Batch * cfg.Train.Accumulate}, Context: cfg.Text().Context, VocabSize: cfg.Text().Vocab, DocumentMask: cfg.Train.DocumentMask}
	loader, err := data.NewLoader(prepared.Train, data.LoaderConfig{Sequences: size, Seed: cfg.Run.Seed})
	if err != nil {
		return err
	}
	job, err := table.Design(ctx, recipe.Env{Config: cfg})
	if err != nil {
		return err
	}
	model := job.Parts[0].Model
	backend, err := cpu.New(cpu.Config{Threads: cfg.Threads})
	if err != nil {
		return err
	}
	defer backend.Close()
	trainer, err := engine.New(cfg, job, backend, ranks.Coordinate(nil))
	if err != nil {
		return err
	}
	if err := trainer.Initialize(vfs.OS{}); err != nil {
		return err
	}

	d := dump{engine: trainer}
	for _, p := range model.Params() {
		d.state("initial."+p.Name, p.Name)
	}
	losses, norms, lrs := make([]float32, steps), make([]float32, steps), make([]float32, steps)
	batch := loader.NewBatch()
	var inputs, targets []int32
	for i := range steps {
		if err := loader.Fill(batch, uint64(i)*loader.Stride()); err != nil {
			return err
		}
		inputs, targets = append(inputs, batch.Ints[data.IDs]...), append(targets, batch.Ints[data.Targets]...)
		r, err := trainer.Step(batch, engine.StepConfig{Step: i, Phases: []save.PhaseState{{Applied: i}}})
		if err != nil {
			return err
		}
		losses[i], norms[i] = float32(trainer.Values(r).Get("nll")), float32(r.Phases[0].GradNorm)
		lrs[i] = float32(cfg.Optimizer.LR * cfg.Optimizer.LRFraction(i, cfg.Train.Steps))
	}
	rows := []int{steps, size.Batch, size.Context}
	d.tensors = append(d.tensors,
		safetensors.Tensor{Name: "inputs", DType: safetensors.I32, Shape: rows, Data: safetensors.Bytes(inputs)},
		safetensors.Tensor{Name: "targets", DType: safetensors.I32, Shape: rows, Data: safetensors.Bytes(targets)})
	d.floats("losses", losses, steps)
	d.floats("grad_norms", norms, steps)
	d.floats("lrs", lrs, steps)
	for _, name := range trainer.Store().Names() {
		if optim.IsState(name) {
			d.state("final."+name, name)
		}
	}
	for _, p := range model.Params() {
		d.state("final."+p.Name, p.Name)
	}
	if d.err != nil {
		return d.err
	}
	resolved, err := config.Encode(cfg)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, d.tensors, map[string]string{"config": string(resolved)}); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o666)
}

// dump collects tensors; the first error sticks.
type dump struct {
	engine  *engine.Engine
	tensors []safetensors.Tensor
	err     error
}

// state copies a state of the store under another name.
func (d *dump) state(as, name string) {
	st := d.engine.Store().Get(name)
	if st == nil {
		d.err = fmt.Errorf("there is no state %q", name)
		return
	}
	values := make([]float32, st.Shape.Size())
	if err := d.engine.Store().Read(name, values); err != nil && d.err == nil {
		d.err = err
	}
	d.floats(as, values, st.Shape...)
}

func (d *dump) floats(name string, values []float32, shape ...int) {
	d.tensors = append(d.tensors, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape, Data: safetensors.Bytes(values)})
}
