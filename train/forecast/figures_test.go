package forecast_test

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// Sizes of the model whose figures the tests work out: layers, width, context, vocabulary.
const (
	layers, width, length, vocab = 3, 64, 40, 130
	batch, accumulate, steps     = 4, 3, 50
)

// parameters of a GPT-2 whose head is its table: tables, two norms, four matrices and
// their biases in a layer, the last norm.
const parameters = vocab*width + length*width + layers*(2*2*width+12*width*width+9*width) + 2*width

// smallGPT2 is a configuration of that model, with averaged parameters and samples shown.
func smallGPT2(t *testing.T, change func(*config.Config)) (config.Config, *recipe.Job) {
	t.Helper()
	cfg := config.Default(config.Tables{Families: zoo.Families()})
	if err := cfg.Model.Set(gpt2.Name, &gpt2.Config{Layers: layers, Heads: 4, Width: width, Context: length, Vocab: vocab, Dropout: 0.1}); err != nil {
		t.Fatal(err)
	}
	cfg.Train.Batch, cfg.Train.Accumulate, cfg.Train.Steps, cfg.Train.SaveEvery = batch, accumulate, steps, 10
	cfg.Train.Sample, cfg.Train.SampleTokens, cfg.Train.Save = "Hello", 20, "async"
	cfg.Optimizer.EMA = 0.9
	if change != nil {
		change(&cfg)
	}
	job, err := text.Design(context.Background(), recipe.Env{Config: cfg, Families: zoo.Families()})
	if err != nil {
		t.Fatal(err)
	}
	return job.Config, job
}

func compile(t *testing.T, cfg config.Config, job *recipe.Job, d device.Device) *engine.Programs {
	t.Helper()
	target, err := d.Target()
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(cfg, job, target)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func find(t *testing.T, card string) device.Device {
	t.Helper()
	d, err := device.Plan("cpu", 1)
	if card != "" {
		d, err = device.OfCard(card)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fed is the size of what a program reads beside states: each input and table once.
func fed(programs *engine.Programs, class ir.Class) (n int64) {
	for _, p := range programs.All() {
		used := map[*ir.Value]bool{}
		for _, in := range p.Program.Instrs {
			for _, v := range in.In {
				if v != nil {
					used[v.Root()] = true
				}
			}
		}
		for v := range used {
			if v.Class == class {
				n += v.Bytes()
			}
		}
	}
	return n
}

// arena is the largest program's.
func arena(programs *engine.Programs) (n int64) {
	for _, p := range programs.All() {
		if p.Arena > n {
			n = p.Arena
		}
	}
	return n
}

type figure struct {
	name      string
	got, want float64
}

func compare(t *testing.T, where string, figures []figure) {
	t.Helper()
	for _, f := range figures {
		if math.Abs(f.got-f.want) > 1e-9*math.Abs(f.want) {
			t.Errorf("%s: %s is %v, want %v", where, f.name, f.got, f.want)
		}
	}
}

// TestFigures compares every figure of a forecast with a formula of its own.
func TestFigures(t *testing.T) {
	m := engine.Machine{Peak: 4e9, Products: 3e9, Attention: 1e9, Bandwidth: 2e9}
	cfg, job := smallGPT2(t, nil)
	for _, card := range []string{"", "h100-sxm"} {
		programs := compile(t, cfg, job, find(t, card))
		f := engine.Predict(cfg, job, programs, m)
		// Parameters, two moments and the average, gradients between micro-batches, and the
		// keys and values of the text that is shown.
		state := float64(4*parameters*(1+3+1) + 2*4*layers*25*width)
		inputs := float64(fed(programs, ir.Input) + fed(programs, ir.Table))
		snapshot := float64(4 * parameters * (1 + 3))
		peak := state + float64(arena(programs)) + inputs
		if card == "" {
			peak += snapshot // a GPU's is in the memory of its host
		}
		perToken := 6*(12*width*width*layers+vocab*width) + 12*layers*width*float64(length+1)/2
		tokens := float64(batch * accumulate * length)
		seconds := 0.0
		for _, run := range programs.Step {
			for _, in := range run.Program.Program.Instrs {
				c := in.Cost()
				busy := c.Products / 3e9
				if c.Attention > 0 {
					busy += c.Attention / 1e9 * float64(c.Keys+64) / float64(c.Keys)
				}
				if moved := c.Bytes / 2e9; moved > busy {
					busy = moved
				}
				seconds += busy
			}
		}
		if len(programs.Step) != accumulate {
			t.Errorf("%d runs of a step", len(programs.Step))
		}
		n, d := float64(parameters), tokens*steps
		compare(t, "on "+card, []figure{
			{"parameters", float64(f.Params), parameters}, {"trainable", float64(f.Trainable), parameters},
			{"FLOPs of a token", f.FLOPsPerUnit, perToken}, {"FLOPs", f.TotalFLOPs, perToken * d},
			{"tokens of a step", float64(f.StepUnits), tokens}, {"tokens", float64(f.TotalUnits), d},
			{"state", float64(f.StateBytes), state}, {"arena", float64(f.ArenaBytes), float64(arena(programs))}, {"inputs", float64(f.InputBytes), inputs},
			{"snapshot", float64(f.SnapshotBytes), snapshot}, {"peak", float64(f.PeakBytes), peak},
			{"checkpoint", float64(f.CheckpointBytes), 4 * parameters * (1 + 3)},
			{"step", f.StepMS, 1e3 * seconds}, {"rate", f.UnitsPerS, tokens / seconds}, {"time", f.Seconds, seconds * steps},
			{"expected loss", f.ChinchillaNLL, 1.8168646 + 482.006/math.Pow(n, .34781318) + 2085.434/math.Pow(d, .36585421)},
			{"marginal losses", .36585421 * 2085.434 / math.Pow(f.ChinchillaTokens, .36585421), .34781318 * 482.006 / math.Pow(n, .34781318)},
		})
		if f.Unit != "tokens" {
			t.Errorf("the unit is %q", f.Unit)
		}
	}
	// With all but the last norm frozen there are few to train, to keep states of and to save.
	cfg, job = smallGPT2(t, func(c *config.Config) { c.Train.Freeze = []string{"*.h.*", "*wte*", "*wpe*"} })
	f := engine.Predict(cfg, job, compile(t, cfg, job, find(t, "")), engine.Machine{})
	compare(t, "frozen", []figure{
		{"parameters", float64(f.Params), parameters}, {"trainable", float64(f.Trainable), 2 * width},
		{"checkpoint", float64(f.CheckpointBytes), 4*parameters + 3*4*2*width}, {"rate", f.UnitsPerS, 0},
	})
}

// TestPrograms: precision, recomputation and accumulation reach the programs of a run, and an
// evaluation by itself computes as one of training.
func TestPrograms(t *testing.T) {
	plain, job := smallGPT2(t, nil)
	whole := compile(t, plain, job, find(t, ""))
	cfg, job := smallGPT2(t, func(c *config.Config) { c.Precision, c.Train.Recompute = "bfloat16", true })
	again := compile(t, cfg, job, find(t, ""))
	if whole.Arena() <= again.Arena() || len(whole.Step[0].Program.Program.Instrs) >= len(again.Step[0].Program.Program.Instrs) {
		t.Errorf("recomputed, a step takes %d bytes and %d instructions; else %d and %d", again.Arena(), len(again.Step[0].Program.Program.Instrs), whole.Arena(), len(whole.Step[0].Program.Program.Instrs))
	}
	target, err := find(t, "").Target()
	if err != nil {
		t.Fatal(err)
	}
	alone, err := engine.CompileEval(cfg, job, target)
	if err != nil {
		t.Fatal(err)
	}
	for want, programs := range map[ir.DType]*engine.Programs{ir.F32: whole, ir.BF16: again} {
		all := programs.All()
		if want == ir.BF16 {
			all = append(all, alone.Eval.Plan)
		}
		for _, p := range all {
			products := 0
			for _, in := range p.Program.Instrs {
				if a, ok := in.Attrs.(ir.Products); ok {
					if products++; a.Precision() != want {
						t.Errorf("%s: %s computes in %s, want %s", p.Program.Name, in.Kind, a.Precision(), want)
					}
				}
			}
			if products == 0 {
				t.Errorf("%s has no products", p.Program.Name)
			}
		}
	}
	var micro []int
	var names []string
	for _, run := range whole.Step {
		micro, names = append(micro, run.Micro), append(names, run.Program.Program.Name)
	}
	if !slices.Equal(micro, []int{0, 1, 2}) || !slices.Equal(names, []string{"first", "next", "last"}) {
		t.Errorf("a step runs %v with the micro-batches %v", names, micro)
	}
}

// TestTablesCount: a model that turns its heads by their positions has constant tables in
// every program, and they count to what it reads.
func TestTablesCount(t *testing.T) {
	cfg, job := smallGPT2(t, func(c *config.Config) {
		c.Train.Sample = ""
		if err := c.Model.Set(llama.Name, &llama.Config{Layers: 1, Heads: 4, Width: 32, Context: length, Vocab: vocab}); err != nil {
			t.Fatal(err)
		}
	})
	programs := compile(t, cfg, job, find(t, ""))
	// The cosine and the sine of each pair of a head at each position, in four programs.
	if want := int64(4 * 4 * length * (32 / 4)); fed(programs, ir.Table) != want {
		t.Errorf("%d bytes of tables, want %d", fed(programs, ir.Table), want)
	}
	read := fed(programs, ir.Input) + fed(programs, ir.Table)
	f, m := engine.Predict(cfg, job, programs, engine.Machine{}), forecast.MemoryOf(programs, 1, find(t, ""), 0, job)
	if f.InputBytes != read || m.Inputs != read {
		t.Errorf("inputs and tables take %d, the forecast says %d, the memory by category %d", read, f.InputBytes, m.Inputs)
	}
	// What data takes in passing counts where it is more than the run itself, what stays of it always.
	for _, tt := range []struct{ passing, kept, total int64 }{{1 << 40, 0, 1<<40 + 1000}, {0, 7, m.Total + 1007}, {m.Total + 100, 7, m.Total + 1100}, {m.Total, 7, m.Total + 1007}} {
		job.Reading.Passing, job.Reading.Kept = tt.passing, tt.kept
		if got := forecast.MemoryOf(programs, 1, find(t, ""), 1000, job).Total; got != tt.total {
			t.Errorf("reading takes %d in passing and %d after: %d in all, want %d", tt.passing, tt.kept, got, tt.total)
		}
	}
}

// TestMemoryByCategory compares the memory of a run by category, on the CPU and on a GPU,
// alone and of several ranks; the total is the sum of all that the device holds.
func TestMemoryByCategory(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		card  string
		ranks int
	}{{"", 1}, {"", 2}, {"h100-sxm", 1}, {"h100-sxm", 2}} {
		cfg, job := smallGPT2(t, nil)
		cfg.Rank = mesh.Of(0, tc.ranks)
		d := find(t, tc.card)
		programs := compile(t, cfg, job, d)
		m := forecast.MemoryOf(programs, tc.ranks, d, 77*mib, job)
		want := forecast.Memory{
			Parameters: 4 * parameters, Optimizer: 3 * 4 * parameters, Gradients: 4 * parameters, Caches: 2 * 4 * layers * 25 * width,
			Arena: arena(programs), Inputs: fed(programs, ir.Input) + fed(programs, ir.Table), Snapshot: programs.Snapshot,
		}
		if tc.card == "" {
			want.Process, want.Heap = 77*mib, 6*mib+min(8*mib, 4*4*parameters)
			want.Products = min(d.Reserved(), want.Arena)
		} else {
			want.Products, want.Driver = d.Reserved(), 480*mib
			if tc.ranks > 1 {
				want.Driver += 512 * mib
			}
		}
		sum := int64(0)
		v := reflect.ValueOf(want)
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Snapshot" || tc.card == "" {
				sum += v.Field(i).Int()
			}
		}
		if want.Total = sum; m != want || m.Snapshot == 0 {
			t.Errorf("%q, %d ranks:\n%+v, want\n%+v", tc.card, tc.ranks, m, want)
		}
	}
}

// TestReport compares what a plan adds: the share of the card's peak in its precision, and
// the cost of all ranks.
func TestReport(t *testing.T) {
	for _, tc := range []struct {
		precision string
		ranks     int
		peak      float64
	}{{"float32", 1, 66.9e12}, {"bfloat16", 4, 989.4e12}} {
		cfg, job := smallGPT2(t, func(c *config.Config) { c.Precision, c.Rank = tc.precision, mesh.Of(0, tc.ranks) })
		r, err := forecast.Make(cfg, job, find(t, "h100-sxm"))
		if err != nil {
			t.Fatal(err)
		}
		perToken := 6*(12*width*width*layers+vocab*width) + 12*layers*width*float64(length+1)/2
		r.SetPrice(2)
		if got, want := r.MFU, r.UnitsPerS*perToken/(tc.peak*float64(tc.ranks)); math.Abs(got/want-1) > 2e-3 {
			t.Errorf("%s on %d ranks: %g of the peak, want %g", tc.precision, tc.ranks, got, want)
		}
		compare(t, tc.precision, []figure{
			{"cost", r.Cost, 2 * float64(tc.ranks) * r.Seconds / 3600}, {"6N", r.SixN, 6 * float64(parameters-length*width)},
			{"vocabulary", float64(r.Vocab), vocab}, {"batch", float64(r.Batch), batch}, {"accumulate", float64(r.Accumulate), accumulate},
			{"context", float64(r.Context), length}, {"steps", float64(r.Steps), steps}, {"ranks", float64(r.Ranks), float64(tc.ranks)},
			{"step", r.StepMS, r.Seconds * 1e3 / steps},
		})
		if r.Precision != tc.precision || !strings.Contains(r.VocabFrom, "vocab") || !r.Fits() {
			t.Errorf("%+v", r)
		}
		r.Limits = device.Limits{}
		if !r.Fits() {
			t.Error("where the free memory is not known a run is said not to fit")
		}
	}
}

// TestMachineOfAPrecision: what is measured in GFLOP/s is told in FLOP/s of the precision.
func TestMachineOfAPrecision(t *testing.T) {
	m := device.Machine{F32: 10, TF32: 20, BF16: 40, Bandwidth: 5}
	for precision, peak := range map[string]float64{"float32": 10e9, "tf32": 20e9, "bfloat16": 40e9} {
		got := forecast.Machine(m, precision)
		if want := (engine.Machine{Peak: peak, Products: 0.85 * peak, Attention: 0.65 * 10e9, Bandwidth: 5e9}); math.Abs(got.Products-want.Products) > 1 ||
			got.Peak != want.Peak || math.Abs(got.Attention-want.Attention) > 1 || got.Bandwidth != want.Bandwidth {
			t.Errorf("%s: %+v, want %+v", precision, got, want)
		}
	}
}
