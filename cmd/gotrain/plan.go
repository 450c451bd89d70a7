package main

import (
	"context"
	"errors"
	"fmt"
	"gotrain/autograd/mesh"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gotrain/autograd/plan"
	"gotrain/cuda/backend"
	"gotrain/nn"
	"gotrain/nn/zoo"
	"gotrain/optim"
	"gotrain/train"
)

func newPlan() *cobra.Command {
	var f configFlags
	var device, card string
	var price float64
	ranks := 1
	c := &cobra.Command{
		Use:   "plan",
		Short: "What a run will take: parameters, FLOPs, memory, time; runs nothing",
		Long: `Plan compiles the programs of a configuration and measures this machine's peak for
a fraction of a second. The memory of the model is exact: all of it is allocated
before the first step, so that a run that starts does not run out of it. The time
is a roofline estimate on an idle machine, without evaluations and checkpoints;
with the price of an hour it gives the cost.`,
		Example: `  gotrain plan --config configs/gpt2-124m.yaml
  gotrain plan --config configs/gpt2-124m.yaml --card h100-sxm --price 2.5
  gotrain plan --config configs/opticks.yaml --set train.batch=64 --json
  gotrain plan --config configs/gpt2-124m.yaml --ranks 8 --set cluster.zero=1`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load(c)
			if err != nil {
				return err
			}
			if device != "" {
				cfg.Device = device
			}
			if ranks < 1 {
				return usagef("--ranks is %d; use 1 or more", ranks)
			}
			cfg.Rank = mesh.Of(0, ranks)
			d, err := planDevice(cfg.Device, card, cfg.Threads)
			if err != nil {
				return err
			}
			r, err := makePlan(c.Context(), cfg, d)
			if err != nil {
				return err
			}
			if c.Flags().Changed("price") {
				if !(price >= 0) || math.IsInf(price, 1) {
					return usagef("--price is %g; give what an hour of the machine costs, in any currency", price)
				}
				r.Price, r.Cost = price, price*r.Seconds/3600*float64(ranks)
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), r)
			}
			return r.print(c.OutOrStdout())
		},
	}
	f.add(c)
	c.Flags().StringVar(&device, "device", "", "device `NAME`: auto, cpu, cuda or cuda:N (default: the configuration's)")
	complete(c, "device", devices)
	c.Flags().StringVar(&card, "card", "", "plan for this GPU, here or not: "+strings.Join(backend.CardNames(), ", ")+" (default: the GPU of --device, else "+backend.DefaultCard+")")
	c.Flags().Float64Var(&price, "price", 0, "what an hour of the machine costs, `AMOUNT` in any currency: the plan gives the cost of the run")
	complete(c, "card", fixed(backend.CardNames()...))
	c.Flags().IntVar(&ranks, "ranks", ranks, "plan for `N` ranks on as many such machines or GPUs: the memory of rank 0, which keeps the most, the speed of all without their messages")
	return c
}

// planReport is what plan prints.
type planReport struct {
	train.Forecast
	Vocab        int          `json:"vocab"`
	VocabFrom    string       `json:"vocab_from"`
	Precision    string       `json:"precision"`
	Size         nn.Size      `json:"-"`
	SixN         float64      `json:"six_n_flops_per_token"`
	Memory       memoryPlan   `json:"memory"`
	Machine      machine      `json:"machine"`
	Limits       memoryLimits `json:"limits"`
	LargestBatch int          `json:"largest_batch"` // train.batch that fits this machine's free memory, 0 when unknown
	Batch        int          `json:"batch"`
	Accumulate   int          `json:"accumulate"`
	Context      int          `json:"context"`
	Steps        int          `json:"steps"`
	Ranks        int          `json:"ranks"`
	MFU          float64      `json:"mfu,omitempty"`   // share of the peak
	Price        float64      `json:"price,omitempty"` // of an hour, --price
	Cost         float64      `json:"cost,omitempty"`  // of all steps at that price, on all ranks
}

// memoryPlan is the memory of a run by category, in bytes.
type memoryPlan struct {
	Parameters int64 `json:"parameters"`
	Optimizer  int64 `json:"optimizer"`
	Gradients  int64 `json:"gradients"` // kept between micro-batches
	Arena      int64 `json:"arena"`     // activations, other gradients and scratch of the largest program
	Inputs     int64 `json:"inputs"`    // inputs and constant tables
	Products   int64 `json:"products"`  // packing buffers of the matrix product; on a GPU the scratch of cuBLASLt
	Process    int64 `json:"process"`   // this program without a model: measured now
	Heap       int64 `json:"heap"`      // text, tokens and checkpoints in passing: estimated
	Snapshot   int64 `json:"snapshot"`  // what saves beside the training write from; of the host's memory on a GPU too
	Driver     int64 `json:"driver"`    // context of the GPU's driver, compiled kernels, NCCL of several ranks: estimated
	Total      int64 `json:"total"`     // the most resident memory of the run; on a GPU, of its memory
}

// driverMemory is what the driver keeps on a GPU for a process, about: 500 MB on
// an H100.
const driverMemory = 480 << 20

// ncclMemory is what NCCL keeps on each GPU of several, its buffers for some tens of
// channels: a guess to stay clear of, until it is measured.
const ncclMemory = 512 << 20

// makePlan compiles cfg for d and measures the machine.
func makePlan(ctx context.Context, cfg train.Config, d device) (*planReport, error) {
	r := &planReport{Precision: cfg.Precision, Batch: cfg.Train.Batch, Accumulate: cfg.Train.Accumulate, Context: cfg.Length(), Steps: cfg.Train.Steps, Ranks: cfg.Rank.Count()}
	var err error
	if r.Vocab, r.VocabFrom, err = findVocab(ctx, cfg); err != nil {
		return nil, err
	}
	cfg.Model.Vocab = r.Vocab
	model, err := zoo.New(cfg.TrainedModel())
	if err != nil {
		return nil, usageError{err}
	}
	target, err := d.target()
	if err != nil {
		return nil, err
	}
	programs, err := train.Compile(cfg, model, target)
	if err != nil {
		return nil, err
	}
	r.Memory = planMemory(programs, r.Ranks, d, residentMemory())
	r.Limits = d.memory()
	r.Machine = d.measure()
	r.Forecast = train.Predict(cfg, model, programs, r.Machine.forecast(cfg.Precision))
	r.Size, r.SixN = nn.SizeOf(model), nn.FLOPsPerToken(model, cfg.Length()).SixN
	r.MFU = r.TokensPerS * r.FLOPsPerToken / (1e9 * r.Machine.peak(cfg.Precision) * float64(r.Ranks))
	r.LargestBatch, err = largestBatch(cfg, model, target, d, r)
	return r, err
}

// findVocab returns the size of the vocabulary and where it comes from, without
// fitting a BPE.
func findVocab(ctx context.Context, cfg train.Config) (int, string, error) {
	if cfg.Model.Vocab > 0 {
		return cfg.Model.Vocab, "model.vocab", nil
	}
	if frozen := filepath.Join(train.TokenizerDir(cfg.Run.Dir), "tokenizer.json"); exists(frozen) {
		t, err := train.LoadTokenizer(frozen)
		if err != nil {
			return 0, "", err
		}
		return t.Vocab(), frozen, nil
	}
	if cfg.Tokenizer.Path == "" && cfg.Tokenizer.Kind == "bpe" {
		return cfg.Tokenizer.Vocab, "tokenizer.vocab", nil
	}
	t, err := train.MakeTokenizer(ctx, cfg, nil)
	if errors.Is(err, os.ErrNotExist) {
		return 0, "", usagef("the size of the vocabulary: %w; or set model.vocab", err)
	}
	if err != nil {
		return 0, "", fmt.Errorf("the size of the vocabulary: %w", err)
	}
	switch {
	case cfg.Tokenizer.Path != "":
		return t.Vocab(), cfg.Tokenizer.Path, nil
	case cfg.Tokenizer.Kind == "bytes":
		return t.Vocab(), "bytes and end-of-text", nil
	}
	return t.Vocab(), "the characters of the training text", nil
}

// What Go's heap holds besides: text in passing, and buffers through which a
// checkpoint of some size goes to the disk.
const (
	textHeap = 6 << 20
	saveHeap = 8 << 20 // at most
)

// planMemory sums what the programs hold on d, the device of a run alone or of one of
// its ranks: on the CPU in a process that holds base without them.
func planMemory(programs *train.Programs, ranks int, d device, base int64) memoryPlan {
	m := memoryPlan{Arena: programs.Arena(), Snapshot: programs.Snapshot}
	for _, p := range programs.All() {
		m.Inputs += p.Inputs + p.Tables
	}
	for _, v := range programs.States() {
		switch {
		case strings.HasPrefix(v.Name, "grad."):
			m.Gradients += v.Bytes()
		case optim.IsState(v.Name):
			m.Optimizer += v.Bytes()
		default:
			m.Parameters += v.Bytes()
		}
	}
	if d.card != nil {
		m.Products, m.Driver = backend.Target().Reserved, driverMemory
		if ranks > 1 {
			m.Driver += ncclMemory
		}
	} else {
		m.Products, m.Process = min(productBuffers(d.threads), m.Arena), base
		m.Heap = textHeap + min(saveHeap, m.Parameters+m.Optimizer)
	}
	m.Total = m.Parameters + m.Optimizer + m.Gradients + m.Arena + m.Inputs + m.Products + m.Process + m.Heap + m.Driver
	if d.card == nil {
		m.Total += m.Snapshot
	}
	return m
}

// largestBatch is the largest train.batch whose run fits the memory that is free,
// 0 where that is not known or not even one sequence fits. It doubles the batch
// until it does not fit and halves the distance from there.
func largestBatch(cfg train.Config, model nn.Model, target plan.Target, d device, r *planReport) (int, error) {
	room := r.Limits.usable()
	if room == 0 {
		return 0, nil
	}
	fits := func(batch int) (bool, error) {
		c := cfg
		c.Train.Batch = batch
		programs, err := train.Compile(c, model, target)
		if err != nil {
			return false, err
		}
		return planMemory(programs, r.Ranks, d, r.Memory.Process).Total <= room, nil
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

// print writes the plan for people.
func (r *planReport) print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("model", "%s parameters, %s of them in matrix products; vocabulary %d (%s)", countText(r.Params), countText(r.Size.Matmul), r.Vocab, r.VocabFrom)
	if r.Trainable < r.Params {
		line("trained", "%s parameters, %.2f%%; the others are frozen", countText(r.Trainable), 100*float64(r.Trainable)/float64(r.Params))
	}
	line("arithmetic", "%s FLOPs a token, forward and backward (6N: %s)", countText(int64(r.FLOPsPerToken)), countText(int64(r.SixN)))
	line("tokens", "%s: %d steps × %d sequences × %d context%s", countText(r.TotalTokens), r.Steps, r.Batch, r.Context, times(r.Accumulate))
	m, each := r.Memory, ""
	if r.Ranks > 1 {
		each = fmt.Sprintf(" of a rank, of %d", r.Ranks)
	}
	line("memory", "%s at the peak%s:", bytesText(m.Total), each)
	for _, part := range []struct {
		name  string
		bytes int64
	}{
		{"parameters", m.Parameters}, {"optimizer state", m.Optimizer}, {"stored gradients", m.Gradients},
		{"activations, gradients, scratch (arena)", m.Arena}, {"inputs and tables", m.Inputs}, {r.productsName(), m.Products}, {r.driverName(), m.Driver},
		{r.snapshotName(), m.Snapshot}, {"this program itself (measured)", m.Process}, {"text, tokens, checkpoints in passing (estimated)", m.Heap},
	} {
		if part.bytes > 0 {
			line("", "%10s  %s", bytesText(part.bytes), part.name)
		}
	}
	if free := r.Limits.usable(); free > 0 {
		line("", "%10s  free%s; the largest train.batch that fits is %d", bytesText(free), r.where(), r.LargestBatch)
	}
	line("checkpoint", "%s each", bytesText(r.CheckpointBytes))
	line("machine", "%s", r.Machine)
	line("speed", "about %s tokens/s, %s a step, %.0f%% of the peak in %s", countText(int64(r.TokensPerS)), durationText(r.StepMS/1e3), 100*r.MFU, r.Precision)
	line("time", "about %s for all steps", durationText(r.Seconds))
	if r.Price > 0 {
		line("cost", "about %s at %g an hour", amountText(r.Cost), r.Price)
	}
	law := fmt.Sprintf("%s give an expected loss of %.2f on web text", countText(r.TotalTokens), r.ChinchillaNLL)
	if r.ChinchillaNLL > lawLimit {
		law = countText(r.TotalTokens) + " are too few for it to predict a loss"
	}
	line("scaling law", "%s tokens are compute-optimal for this size (Chinchilla); %s", countText(int64(r.ChinchillaTokens)), law)
	if room := r.Limits.usable(); room > 0 && m.Total > room {
		line("warning", "this run does not fit: lower train.batch and raise train.accumulate, set train.recompute: true%s, or shrink the model", map[bool]string{true: " and train.save: sync"}[m.Snapshot > 0 && r.Machine.GPU == ""])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *planReport) productsName() string {
	if r.Machine.GPU != "" {
		return "scratch of cuBLASLt"
	}
	return "packed operands of matrix products"
}

func (r *planReport) driverName() string {
	if r.Ranks > 1 {
		return "context of the driver, and NCCL (estimated)"
	}
	return "context of the driver (estimated)"
}

func (r *planReport) snapshotName() string {
	if r.Machine.GPU != "" {
		return "copy of the state for saves, in the host's memory, not in the sum"
	}
	return "copy of the state for saves (train.save: sync does without)"
}

func (r *planReport) where() string {
	if r.Machine.GPU != "" {
		return " on " + r.Machine.GPU
	}
	return " on this machine"
}

// lawLimit is a loss that the scaling law, fitted below 5 nats, says nothing of.
const lawLimit = 6

func times(accumulate int) string {
	if accumulate == 1 {
		return ""
	}
	return fmt.Sprintf(" × %d accumulated", accumulate)
}

// amountText writes money with cents, and less than a cent with two digits.
func amountText(x float64) string {
	if x < 0.01 {
		return fmt.Sprintf("%.2g", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// durationText writes seconds as people do: 12 ms, 3.4 s, 5m20s, 3h12m, 4.2 days.
func durationText(seconds float64) string {
	switch {
	case seconds < 1:
		return fmt.Sprintf("%.3g ms", 1e3*seconds)
	case seconds < 60:
		return fmt.Sprintf("%.3g s", seconds)
	case seconds < 3600:
		return time.Duration(seconds * 1e9).Round(time.Second).String()
	case seconds < 48*3600:
		return strings.TrimSuffix(time.Duration(seconds*1e9).Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%.1f days", seconds/86400)
}
