package bench

import (
	"slices"

	"example.com/gotrain/autograd/bench"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/train/config"
)

// Step is a configuration to take steps of.
type Step struct {
	Name   string
	Config config.Config
}

// sizes are the reference steps by the size of machine, which has the same name in
// autograd/bench: kernels and steps of one model have the same shapes.
func sizes() map[string][]Step {
	return map[string][]Step{
		"small": {
			reference("tiny", 2, gpt2.Config{Layers: 2, Heads: 2, Width: 128, Context: 32, Vocab: 67}),
		},
		"cpu": {
			reference("0.8m", 12, gpt2.Config{Layers: 4, Heads: 4, Width: 128, Context: 64, Vocab: 65}),
			reference("12.3m", 16, gpt2.Config{Layers: 6, Heads: 6, Width: 384, Context: 256, Vocab: 4096}),
			reference("124m", 4, gpt2Small(64, 50257)),
		},
		"gpu": {
			reference("124m-b16", 16, gpt2Small(1024, paddedVocab)),
			reference("124m-b32", 32, gpt2Small(1024, paddedVocab)),
			reference("124m-b64", 64, gpt2Small(1024, paddedVocab)),
			reference("124m-50257", 32, gpt2Small(1024, 50257)),
			reference("1558m-b4", 4, gpt2XL()),
			reference("1558m-b8", 8, gpt2XL()),
			reference("1558m-b16", 16, gpt2XL()),
		},
	}
}

// Steps are the reference steps of a size of machine.
func Steps(size string) []Step { return sizes()[size] }

// Names are the names of the reference steps, from the smallest machine to the largest.
func Names() []string {
	var names []string
	for _, s := range all() {
		names = append(names, s.Name)
	}
	return names
}

// Named are the reference steps of these names, in the order of Names.
func Named(names []string) []Step {
	return slices.DeleteFunc(all(), func(s Step) bool { return !slices.Contains(names, s.Name) })
}

func all() []Step {
	var steps []Step
	for _, size := range bench.Sizes() {
		steps = append(steps, Steps(size)...)
	}
	return steps
}

// paddedVocab is GPT-2's vocabulary rounded up to a multiple of 64, as is usual
// on GPUs.
const paddedVocab = 50304

func gpt2Small(context, vocab int) gpt2.Config {
	return gpt2.Config{Layers: 12, Heads: 12, Width: 768, Context: context, Vocab: vocab}
}

func gpt2XL() gpt2.Config {
	return gpt2.Config{Layers: 48, Heads: 25, Width: 1600, Context: 1024, Vocab: paddedVocab}
}

// reference is a model that PyTorch is measured with too, which applies its
// gradients without clipping.
func reference(name string, batch int, model gpt2.Config) Step {
	family := gpt2.Family()
	family.Config = func() any { c := model; return &c }
	cfg := config.Default(config.Tables{Families: nn.Families{family}})
	cfg.Train.Sample = ""
	cfg.Train.Batch = batch
	cfg.Optimizer.Clip, cfg.Optimizer.InBackward = 0, true
	return Step{name, cfg}
}
