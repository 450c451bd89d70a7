// paper tells the time of training steps on an H200 by paper: every instruction of a plan
// by what its kernel is assumed to reach. Nothing is measured; all assumptions are the
// constants of rates.go, so that a card's numbers can take their place.
//
// usage: go run ./scripts/cuda/paper
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"text/tabwriter"

	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
)

// workload is a step whose time is asked for, and the most that it may take, so that no
// change of the plan makes it slower by paper unawares.
type workload struct {
	name    string
	family  string
	model   any
	batch   int
	updates bool    // else without the optimizer's time: one card does not hold its state
	ms, mfu float64 // 0: no bound
}

var workloads = []workload{
	{"GPT-2 124M, 32 × 1024", gpt2.Name, &gpt2.Config{Layers: 12, Heads: 12, Width: 768, Context: 1024, Vocab: 50304}, 32, true, 61.8, 0.427},
	{"GPT-2 1558M, 16 × 1024", gpt2.Name, &gpt2.Config{Layers: 48, Heads: 25, Width: 1600, Context: 1024, Vocab: 50304}, 16, true, 321, 0.505},
	{"Llama 8B, 2 × 8192, no updates", llama.Name, &llama.Config{Layers: 32, Heads: 32, KVHeads: 8, Width: 4096, FFN: 14336, Context: 8192, Vocab: 128256}, 2, false, 0, 0.52},
}

// stepOf plans the step of a workload for a GPU, and gives its time.
func stepOf(w workload) (step, error) {
	cfg := config.Default(all.Table().Config())
	if err := cfg.Model.Set(w.family, w.model); err != nil {
		return step{}, err
	}
	cfg.Train.Batch, cfg.Precision, cfg.Train.Sample = w.batch, "bfloat16", ""
	job, err := all.Table().Design(context.Background(), recipe.Env{Config: cfg})
	if err != nil {
		return step{}, err
	}
	card, err := device.OfCard("h200")
	if err != nil {
		return step{}, err
	}
	target, err := card.Target()
	if err != nil {
		return step{}, err
	}
	programs, err := engine.Compile(cfg, job, target)
	if err != nil {
		return step{}, err
	}
	var s step
	for _, run := range programs.Step {
		s.add(run.Program.Plan)
	}
	if !w.updates {
		delete(s.seconds, "optimizer")
	}
	return s, nil
}

func main() {
	log.SetFlags(0)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "ms\t")
	for _, class := range classes {
		fmt.Fprint(out, class, "\t")
	}
	fmt.Fprintln(out, "step\tMFU\t")
	for _, w := range workloads {
		s, err := stepOf(w)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(out, w.name, "\t")
		for _, class := range classes {
			fmt.Fprintf(out, "%.1f\t", 1e3*s.seconds[class])
		}
		fmt.Fprintf(out, "%.1f\t%.1f%%\t\n", 1e3*s.total(), 100*s.mfu())
	}
	out.Flush()
}
