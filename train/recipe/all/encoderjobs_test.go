package all_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
	"example.com/gotrain/train/recipe/mlm"
)

// loaded is a configuration of a text of YAML, in which DIR is dir.
func loaded(t *testing.T, dir, yaml string, set ...string) (config.Config, error) {
	t.Helper()
	file := write(t, filepath.Join(dir, "c.yaml"), strings.ReplaceAll(yaml, "DIR", dir))
	return config.Load(file, set, all.Table().Config())
}

// told is a job of a configuration and what is told while it is opened, one line each.
func told(t *testing.T, c config.Config, env recipe.Env) (*recipe.Job, []string) {
	t.Helper()
	var lines []string
	env.Config = c
	env.Tell = func(p recipe.Prepared) { lines = append(lines, p.Name+": "+p.Detail) }
	return open(t, env), lines
}

// running gives a job an engine on the CPU, with first parameters.
func running(t *testing.T, job *recipe.Job) *engine.Engine {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	e, err := engine.New(job.Config, job, b, ranks.Coordinate(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Initialize(vfs.OS{}); err != nil {
		t.Fatal(err)
	}
	return e
}

// lossOf describes what a loss has: its metrics, its attributes, and whether it draws numbers.
func lossOf(t *testing.T, loss recipe.LossFunc) string {
	t.Helper()
	g := autograd.NewGraph()
	l := loss(g, 2)
	var parts []string
	nodes := []*autograd.Node{}
	for _, m := range l.Metrics {
		parts = append(parts, fmt.Sprintf("%s/%d", m.Name, m.Per))
		nodes = append(nodes, m.Sum)
	}
	if l.Value != nil {
		nodes = append(nodes, l.Value)
	}
	p, err := g.Lower("loss", nodes...)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range p.Instrs {
		switch a := in.Attrs.(type) {
		case ir.LinearCrossEntropyAttrs:
			parts = append(parts, fmt.Sprintf("smoothing %g z %g", a.Smoothing, a.ZLoss))
		case ir.LossAttrs:
			parts = append(parts, fmt.Sprintf("smoothing %g z %g", a.Smoothing, a.ZLoss))
		}
	}
	return strings.Join(parts, ", ") + fmt.Sprintf(", rng %t", g.Declared("rng") != nil)
}

// kept is the content of a file of a job's model.
func kept(t *testing.T, job *recipe.Job, name string) map[string]any {
	t.Helper()
	files, err := job.Parts[0].Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name == name {
			var b strings.Builder
			var keys map[string]any
			if err := errors.Join(f.Write(&b), json.Unmarshal([]byte(b.String()), &keys)); err != nil {
				t.Fatal(err)
			}
			return keys
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

const masked = `
run: {dir: DIR/run, seed: 5}
recipe: {kind: mlm}
model: {family: bert, layers: 1, heads: 2, width: 16, context: 16, dropout: 0.25}
tokenizer: {kind: wordpiece, vocab: 60}
data: {train: [DIR/a.txt], validation_paths: [DIR/held.txt], cache_dir: DIR/cache}
train: {steps: 4, batch: 4, accumulate: 2, sample: "the rays", label_smoothing: 0.125, z_loss: 0.5}
`

// TestMaskedJob: what a job of masked tokens trains on, measures, shows and tells.
func TestMaskedJob(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), strings.Repeat("the rays of light are bent by the prism. ", 60))
	write(t, filepath.Join(dir, "held.txt"), strings.Repeat("the light of the prism. ", 30))
	for _, next := range []bool{false, true} {
		c, err := loaded(t, dir, masked, fmt.Sprintf("recipe.next_sentence=%t", next))
		if err != nil {
			t.Fatal(err)
		}
		job, lines := told(t, c, recipe.Env{})
		// 60 sentences of 9 words with a full stop, [SEP] at the end of a document.
		text := 14 // of 16 tokens
		if next {
			text = 13
		}
		rows := (job.TrainUnits - int64(text)) / int64(text) // of a pass that begins anywhere in the first
		if job.Unit != (recipe.Unit{Name: "tokens", PerSample: 16}) || job.Epoch != uint64(rows) || job.Train.Stride() != 8 || job.Eval.Stride() != 4 || len(job.Tools) != 2 || job.TrainUnits < 540 || job.EvalUnits < 180 || job.EvalUnits > job.TrainUnits {
			t.Errorf("next %t: unit %+v, %d rows, %d and %d tokens, %d tools, want %d rows", next, job.Unit, job.Epoch, job.TrainUnits, job.EvalUnits, len(job.Tools), rows)
		}
		want := "nll/0, ppl/0, smoothing 0.125 z 0.5, rng true"
		if next {
			want = "nll/0, ppl/0, next_nll/2, smoothing 0.125 z 0.5, smoothing 0 z 0, rng true"
		}
		if got := lossOf(t, job.Phases[0].Loss); got != want {
			t.Errorf("next %t: the loss is %s", next, got)
		}
		if got := lossOf(t, job.Score); got != strings.Replace(strings.Replace(want, "smoothing 0.125 z 0.5", "smoothing 0 z 0", 1), "rng true", "rng false", 1) {
			t.Errorf("next %t: the score is %s", next, got)
		}
		if next != slices.ContainsFunc(job.Train.Fields(), func(f data.Field) bool { return f.Name == "next" }) {
			t.Errorf("next %t: the fields are %v", next, job.Train.Fields())
		}
		if keys := kept(t, job, "config.json"); keys["pad_token_id"] != 0.0 || keys["model_type"] != "bert" {
			t.Errorf("config.json says %v", keys)
		}
		if got := job.Next("runs/x"); got != `gotrain sample --model runs/x --prompt "the rays [MASK]"` {
			t.Errorf("the next command is %s", got)
		}

		running(t, job)
		measured, err := job.Measure(t.Context())
		if err != nil || len(measured.Values) != 2 || measured.Values[0].Name != "accuracy" || measured.Values[1].Name != "unigram_nll" {
			t.Fatalf("%+v, %v", measured, err)
		}
		// The entropy of nine words and a stop in equal shares, but "the", which comes twice as often.
		nats := measured.Values[1].Value
		if want := math.Log(10) - 2./10*math.Log(2); math.Abs(nats-want) > 0.01 {
			t.Errorf("the entropy is %g, want about %g: %q", nats, want, lines)
		}
		if !slices.ContainsFunc(lines, func(l string) bool {
			return strings.HasPrefix(l, fmt.Sprintf("unigram entropy: %.4f nats a token", nats))
		}) {
			t.Errorf("it tells %q", lines)
		}
		for off, on := range map[float64]bool{0: true, 0.149: true, -0.149: true, 0.151: false, -0.151: false} {
			if remark := job.Remark(nats + off); (remark != "") != on || on && !strings.Contains(remark, fmt.Sprintf("unigram entropy, %.4f", nats)) {
				t.Errorf("%g beside the entropy: %q", off, remark)
			}
		}
		shown, err := job.Show(t.Context())
		if words := strings.Fields(shown.Text); err != nil || shown.Name != "masks" || words[0] != "the" || words[1] != "rays" || !strings.HasPrefix(words[3], "(") || strings.Count(shown.Text, ",") != 4 || words[3] != "("+words[2] {
			t.Errorf("it shows %+v, %v", shown, err)
		}
	}

	for fault, set := range map[string][]string{
		"recipe.rate is 0; use a share between 0 and 1":                    {"recipe.rate=0"},
		"recipe.rate is 1;":                                                {"recipe.rate=1"},
		"needs a model that reads a text from both sides, and family gpt2": {"model={family: gpt2, layers: 1, heads: 2, width: 16, context: 16}"},
		"a row has 7 tokens; recipe mlm needs 8 or more":                   {"train.context=7"},
		"train.document_mask: a row of recipe mlm is one text":             {"train.document_mask=true"},
	} {
		if _, err := loaded(t, dir, masked, set...); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v, want %q", err, fault)
		}
	}
	if c, err := loaded(t, dir, masked, "train.context=8"); err != nil || c.Recipe.Value().(*mlm.Config).Rate != 0.15 {
		t.Errorf("rows of 8 tokens: %v", err)
	}
	for fault, set := range map[string]string{
		"train.sample has 67 tokens and 1 masks; use at most 64 and 8": "train.sample='" + strings.Repeat("rays ", 64) + "[MASK]'",
		"train.sample has 11 tokens and 9 masks":                       "train.sample='" + strings.Repeat("[MASK] ", 9) + "'",
	} {
		c, err := loaded(t, dir, masked, "model.context=128", "run.dir="+filepath.Join(dir, "other"), set)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all.Table().Open(t.Context(), recipe.Env{Config: c, FS: vfs.OS{}}); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v, want %q", err, fault)
		}
	}
}

// TestInspectMasks: a row as it is shown names for each place what stands there and what is asked for.
func TestInspectMasks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), strings.Repeat("the rays of light are bent by the prism. ", 60))
	write(t, filepath.Join(dir, "held.txt"), "the light of the prism.")
	for _, next := range []bool{false, true} {
		c, err := loaded(t, dir, masked, fmt.Sprintf("recipe.next_sentence=%t", next), "recipe.rate=0.5")
		if err != nil {
			t.Fatal(err)
		}
		for _, split := range []string{"train", "validation"} {
			seen := map[string]int{}
			for sample := range uint64(12) {
				if split == "validation" && sample > 0 {
					break
				}
				view, err := all.Table().Inspect(t.Context(), recipe.Env{Config: c, FS: vfs.OS{}}, recipe.View{Split: split, Sample: sample})
				if err != nil {
					t.Fatal(err)
				}
				var r struct {
					Split                            string
					Sample, Rows                     uint64
					Inputs, Kinds, Segments, Targets []int32
					Next                             *int32
					Asked                            int
				}
				text, err := json.Marshal(view)
				if err = errors.Join(err, json.Unmarshal(text, &r)); err != nil {
					t.Fatal(err)
				}
				var b strings.Builder
				if err := view.Print(&b, false); err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
				if want := fmt.Sprintf("%s row %d of %d in a pass: 16 tokens, %d asked for", split, sample, r.Rows, r.Asked); lines[0] != want || r.Split != split || r.Sample != sample || (r.Next != nil) != next {
					t.Errorf("%q, want %q", lines[0], want)
				}
				head := 2
				if next {
					if want := map[int32]string{0: "the second text goes on with the first", 1: "the second text comes from elsewhere"}[*r.Next]; lines[1] != want {
						t.Errorf("%q, want %q", lines[1], want)
					}
					head = 3
				}
				asked := 0
				for i, line := range lines[head:] {
					f := strings.Fields(line)
					if f[0] != fmt.Sprint(i) || f[1] != fmt.Sprint(r.Inputs[i]) {
						t.Errorf("line %q is place %d with %d", line, i, r.Inputs[i])
					}
					switch {
					case r.Segments[i] < 0:
						if f[len(f)-1] != "-" {
							t.Errorf("padding is %q", line)
						}
					case r.Targets[i] < 0:
						if f[len(f)-1] != fmt.Sprint(r.Kinds[i]) {
							t.Errorf("kind %d is %q", r.Kinds[i], line)
						}
					default:
						asked++
						did := "replaced"
						if r.Inputs[i] == 4 {
							did = "masked"
						} else if r.Inputs[i] == r.Targets[i] {
							did = "kept"
						}
						seen[did]++
						if !regexp.MustCompile(fmt.Sprintf(`" +%d +%d +%s +".*"$`, r.Kinds[i], r.Targets[i], did)).MatchString(line) {
							t.Errorf("place %d, target %d, %s is %q", i, r.Targets[i], did, line)
						}
					}
				}
				if asked != r.Asked || asked == 0 {
					t.Errorf("%d are asked for, shown are %d", r.Asked, asked)
				}
				b.Reset()
				if err := view.Print(&b, true); err != nil || strings.Count(b.String(), "(") != asked+1 {
					t.Errorf("with colours %q, %v; %d are asked for", b.String(), err, asked)
				}
			}
			if split == "train" && (seen["masked"] < 50 || seen["kept"] == 0 || seen["replaced"] == 0 || seen["masked"] < 3*(seen["kept"]+seen["replaced"])/2) {
				t.Errorf("%v", seen)
			}
		}
		if _, err := all.Table().Inspect(t.Context(), recipe.Env{Config: c, FS: vfs.OS{}}, recipe.View{Split: "validation", Sample: 1}); !errors.Is(err, recipe.ErrView) || !strings.Contains(err.Error(), "--sample is 1; the held-out text has rows 0 to 0") {
			t.Error(err)
		}
	}
	c, err := loaded(t, dir, masked, "data.validation_paths=[]")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Table().Inspect(t.Context(), recipe.Env{Config: c, FS: vfs.OS{}}, recipe.View{Split: "validation"}); !errors.Is(err, recipe.ErrView) || !strings.Contains(err.Error(), "holds no text out") {
		t.Error(err)
	}
}

const classes = `
run: {dir: DIR/run, seed: 5}
recipe: {kind: classify}
model: {family: bert, layers: 1, heads: 2, width: 16, context: 64, dropout: 0.25}
tokenizer: {kind: wordpiece, vocab: 60}
data: {format: labelled, train: [DIR/l.csv], validation_paths: [DIR/held.csv]}
train: {steps: 4, batch: 2, accumulate: 3, label_smoothing: 0.125, sample: ""}
`

// TestClassesJob: the classes, rows and sizes of a job of labelled texts, and what it measures.
func TestClassesJob(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "l.csv"), "text,label,more\nred rays,warm,a\nblue rays,cold,b\nthe red light,warm,c\nthe blue light of the prism,cold,d\nred and red and red,warm,e\n")
	write(t, filepath.Join(dir, "held.csv"), "text,label,more\nred,warm,a\nred light,warm,b\nblue,cold,c\n")
	c, err := loaded(t, dir, classes)
	if err != nil {
		t.Fatal(err)
	}
	job, lines := told(t, c, recipe.Env{})
	// The longest example has 6 words: 8 tokens with [CLS] and [SEP].
	length := job.Unit.PerSample
	if length%8 != 0 || length < 8 || job.Config.Train.Context != length || job.Epoch != 5 || job.TrainUnits != int64(5*length) || job.EvalUnits != int64(3*length) || job.Train.Stride() != 6 || job.Eval.Stride() != 2 {
		t.Errorf("rows of %d, %d a pass, %d and %d tokens", length, job.Epoch, job.TrainUnits, job.EvalUnits)
	}
	if want := fmt.Sprintf("examples: 5 to learn from, 3 held out, of 2 classes; rows of %d tokens", length); !slices.Contains(lines, want) {
		t.Errorf("it tells %q, want %q", lines, want)
	}
	if got := lossOf(t, job.Phases[0].Loss); got != "nll/0, smoothing 0.125 z 0, rng true" {
		t.Errorf("the loss is %s", got)
	}
	if got := lossOf(t, job.Score); got != "nll/0, smoothing 0 z 0, rng false" {
		t.Errorf("the score is %s", got)
	}
	if keys := kept(t, job, "config.json"); fmt.Sprint(keys["id2label"]) != "map[0:cold 1:warm]" || keys["pad_token_id"] != 0.0 {
		t.Errorf("config.json says %v", keys)
	}
	if got := job.Next("runs/x"); got != "gotrain sample --model runs/x --prompt \"red rays\"" {
		t.Errorf("the next command is %s", got)
	}
	if len(job.Facts) == 0 || !strings.HasPrefix(job.Facts[len(job.Facts)-1].Value, `5 examples of ["cold" "warm"]`) {
		t.Errorf("ranks compare %+v", job.Facts)
	}
	e := running(t, job)
	var bias string
	for _, p := range job.Parts[0].Model.Params() {
		if strings.HasSuffix(p.Name, "classifier.bias") {
			bias = p.State()
		}
	}
	// Of weights that always say one class: 2 of 3 texts are warm.
	for said, want := range map[int][2]float64{0: {1. / 3, (2 * 1. / 4) / 2}, 1: {2. / 3, (2 * 2. / 5) / 2}} {
		x := make([]float32, 2)
		x[said] = 1e4
		if err := e.Store().Write(bias, x); err != nil {
			t.Fatal(err)
		}
		m, err := job.Measure(t.Context())
		if err != nil || len(m.Values) != 2 || m.Values[0].Name != "accuracy" || m.Values[1].Name != "f1" || math.Abs(m.Values[0].Value-want[0]) > 1e-9 || math.Abs(m.Values[1].Value-want[1]) > 1e-9 {
			t.Errorf("class %d is said of all: %+v, %v; want %v", said, m, err, want)
		}
	}

	// Rows may be longer; the order of the classes is that of recipe.labels.
	c, err = loaded(t, dir, classes, "recipe.labels=[warm, none, cold]", "train.context=48", "train.eval_batches=1", "run.dir="+filepath.Join(dir, "two"))
	if err != nil {
		t.Fatal(err)
	}
	job, lines = told(t, c, recipe.Env{})
	if job.Unit.PerSample != 48 || fmt.Sprint(kept(t, job, "config.json")["id2label"]) != "map[0:warm 1:none 2:cold]" || !slices.Contains(lines, "examples: 5 to learn from, 3 held out, of 3 classes; rows of 48 tokens") {
		t.Errorf("rows of %d: %q", job.Unit.PerSample, lines)
	}
	running(t, job)
	if m, err := job.Measure(t.Context()); err != nil || m.Values[0].Value*2 != math.Trunc(m.Values[0].Value*2) {
		t.Errorf("of one batch of 2 texts the accuracy is %+v, %v", m, err)
	}
	c, err = loaded(t, dir, classes, "train.context=5", "run.dir="+filepath.Join(dir, "three"))
	if err != nil {
		t.Fatal(err)
	}
	if job, lines = told(t, c, recipe.Env{}); job.Unit.PerSample != 5 || !slices.ContainsFunc(lines, func(l string) bool {
		return strings.HasSuffix(l, "of 8 examples are longer than 5 tokens and lose their end")
	}) {
		t.Errorf("rows of %d: %q", job.Unit.PerSample, lines)
	}

	for fault, set := range map[string][]string{
		"recipe classify needs a model that reads a text from both sides": {"model={family: gpt2, layers: 1, heads: 2, width: 16, context: 16}"},
		"train.document_mask: a row of recipe classify is one example":    {"train.document_mask=true"},
		"lora: recipe classify trains a head":                             {"lora.rank=2"},
		"recipe classify does not learn from data.format text":            {"data={format: text, train: [x]}"},
	} {
		if _, err := loaded(t, dir, classes, set...); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v, want %q", err, fault)
		}
	}
	write(t, filepath.Join(dir, "same.csv"), "text,label\nred,warm\nblue,warm\n")
	write(t, filepath.Join(dir, "none.csv"), "text,label\n")
	for fault, set := range map[string][]string{
		`all examples have the label "warm": there is nothing to tell apart`: {"data.train=[" + filepath.Join(dir, "same.csv") + "]", "data.validation_paths=[]"},
		"there is nothing to learn from":                                     {"data.train=[" + filepath.Join(dir, "none.csv") + "]", "data.validation_paths=[]"},
		`the label "cold" is none of ["warm" "hot"]`:                         {"recipe.labels=[warm, hot]"},
		"data.validation 1e-09 holds none of 5 examples out":                 {"data.validation_paths=[]", "data.validation=1e-9"},
	} {
		c, err := loaded(t, dir, classes, append(set, "run.dir="+filepath.Join(dir, "other"))...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all.Table().Open(t.Context(), recipe.Env{Config: c, FS: vfs.OS{}}); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v, want %q", err, fault)
		}
	}
}
