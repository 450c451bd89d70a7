package all_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
	"example.com/gotrain/train/recipe/text"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// configOf is a configuration of a small model in a directory, with assignments.
func configOf(t *testing.T, dir string, set ...string) config.Config {
	t.Helper()
	file := write(t, filepath.Join(dir, "c.yaml"), `
model: {family: gpt2, layers: 1, heads: 2, width: 16, context: 24}
tokenizer: {kind: bytes}
train: {batch: 2, accumulate: 3, sample: "The", sample_tokens: 12}
`)
	c, err := config.Load(file, append([]string{"run.dir=" + filepath.Join(dir, "run"), "data.cache_dir=" + filepath.Join(dir, "cache")}, set...), all.Table().Config())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T, env recipe.Env) *recipe.Job {
	t.Helper()
	env.FS = vfs.OS{}
	if err := os.MkdirAll(env.Config.Run.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	job, err := all.Table().Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if job.Close != nil {
		t.Cleanup(func() { job.Close() })
	}
	return job
}

func fill(t *testing.T, s data.Source, position uint64) *data.Batch {
	t.Helper()
	b := s.NewBatch()
	if err := s.Fill(b, position); err != nil {
		t.Fatal(err)
	}
	return b
}

// paragraphs is a text longer than a piece.
func paragraphs(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "Paragraph %d goes on for %d words%s.\n\n", i, i%19, strings.Repeat(" word", i%19))
	}
	return b.String()
}

// TestTextJob: the batches of a job are those of its text, seed and settings, and a dry run
// counts the tokens that a run has.
func TestTextJob(t *testing.T) {
	dir := t.TempDir()
	long, held := paragraphs(5<<19), paragraphs(3<<19)
	train, validation := write(t, filepath.Join(dir, "train.txt"), long), write(t, filepath.Join(dir, "held.txt"), held)
	for _, set := range [][]string{nil, {"run.seed=9"}, {"train.document_mask=true"}, {"train.context=10"}} {
		c := configOf(t, dir, append([]string{"data.train=[" + train + "]", "data.validation_paths=[" + validation + "]"}, set...)...)
		dry := open(t, recipe.Env{Config: c, Dry: true})
		job := open(t, recipe.Env{Config: c})
		if tokens, heldOut := int64(len(long)+1), int64(len(held)+1); job.TrainUnits != tokens || job.EvalUnits != heldOut || dry.TrainUnits != tokens || dry.EvalUnits != heldOut {
			t.Errorf("%q: %d and %d tokens, a dry run has %d and %d; want %d and %d", set, job.TrainUnits, job.EvalUnits, dry.TrainUnits, dry.EvalUnits, tokens, heldOut)
		}
		length := c.Length()
		if job.Unit != (recipe.Unit{Name: "tokens", PerSample: length}) {
			t.Errorf("%q: the unit is %+v", set, job.Unit)
		}
		tokens, err := bpe.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		enc := tokenizers.NewEncoder(tokens, nil, 256)
		texts, _ := c.Texts()
		prepared, err := data.Prepare(t.Context(), texts, enc, nil)
		if err != nil {
			t.Fatal(err)
		}
		size := data.Sequences{Rows: data.Rows{Batch: 6, Samples: 6}, Context: length, VocabSize: 257, DocumentMask: c.Train.DocumentMask}
		loader, err := data.NewLoader(prepared.Train, data.LoaderConfig{Sequences: size, Seed: c.Run.Seed})
		if err != nil {
			t.Fatal(err)
		}
		for _, position := range []uint64{0, 6, 600_000} {
			got, want := fill(t, job.Train, position), fill(t, loader, position)
			for name, x := range want.Ints {
				if !slices.Equal(got.Ints[name], x) {
					t.Errorf("%q: %s at %d is %v, want %v", set, name, position, got.Ints[name], x)
				}
			}
			if len(got.Ints) != len(want.Ints) {
				t.Errorf("%q: the fields are %v, want %v", set, slices.Sorted(maps.Keys(got.Ints)), slices.Sorted(maps.Keys(want.Ints)))
			}
		}
		if job.Train.Stride() != 6 || job.Eval.Stride() != 2 {
			t.Errorf("%q: steps of %d, evaluations of %d", set, job.Train.Stride(), job.Eval.Stride())
		}
		if e := fill(t, job.Eval, 0); string(bytesOf(e.Ints[data.IDs])) != held[:2*length] || e.TextBytes != int64(2*length) {
			t.Errorf("%q: an evaluation begins with %q, %d bytes", set, bytesOf(e.Ints[data.IDs]), e.TextBytes)
		}
		if err := prepared.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func bytesOf(ids []int32) []byte {
	var b []byte
	for _, id := range ids {
		b = append(b, byte(id))
	}
	return b
}

// TestLossesOfText: what shapes the gradient is in training and not in evaluations, and the
// metrics are those of users.
func TestLossesOfText(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a.txt"), paragraphs(1000))
	c := configOf(t, dir, "data.train=["+path+"]", "train.label_smoothing=0.25", "train.z_loss=0.125", "train.document_mask=true")
	job, err := all.Table().Design(t.Context(), recipe.Env{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	for training, loss := range map[bool]recipe.LossFunc{true: job.Phases[0].Loss, false: job.Score} {
		g := autograd.NewGraph()
		l := loss(g, 2)
		var names []string
		for _, m := range l.Metrics {
			as := 0.0
			if m.As != nil {
				as = m.As(2)
			}
			names = append(names, fmt.Sprintf("%s/%d %.3f", m.Name, m.Per, as))
		}
		want := "nll/0 0.000,ppl/0 7.389"
		if !training {
			want += ",bits_per_byte/1 2.885"
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("training %t: the metrics are %s, want %s", training, got, want)
		}
		p, err := g.Lower("loss", l.Metrics[0].Sum)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, in := range p.Instrs {
			if a, ok := in.Attrs.(ir.LinearCrossEntropyAttrs); ok {
				found = true
				if shaped := a.Smoothing == 0.25 && a.ZLoss == 0.125; shaped != training || !training && (a.Smoothing != 0 || a.ZLoss != 0) {
					t.Errorf("training %t: the loss is %+v", training, a)
				}
			}
		}
		if masks := g.Declared("segments") != nil; !found || !masks {
			t.Errorf("training %t: a loss %t, a document mask %t", training, found, masks)
		}
	}
	if a, b := recipe.BitsPerByte(3), recipe.Perplexity(3); math.Abs(a-4.328085) > 1e-6 || math.Abs(b-20.085537) > 1e-6 {
		t.Errorf("3 nats are %g bits, of perplexity %g", a, b)
	}
}

// TestShownText: the text that evaluations show is drawn by the seed of the run from the
// parameters of the moment, and ends where texts do.
func TestShownText(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a.txt"), paragraphs(3000))
	show := func(seed string) (func() string, *engine.Engine) {
		c := configOf(t, dir, "data.train=["+path+"]", "run.seed="+seed)
		job := open(t, recipe.Env{Config: c})
		b, err := cpu.New(cpu.Config{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		job.Config.Run.Seed = 1 // the same first parameters, whatever the seed of the sample
		e, err := engine.New(job.Config, job, b, ranks.Coordinate(nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Initialize(vfs.OS{}); err != nil {
			t.Fatal(err)
		}
		return func() string {
			s, err := job.Show(t.Context())
			if err != nil || s.Name != "sample" || !strings.HasPrefix(s.Text, "The") {
				t.Fatalf("%+v, %v", s, err)
			}
			return s.Text
		}, e
	}
	one, e := show("1")
	two, _ := show("2")
	first := one()
	if len(first) != 3+12 || first != one() {
		t.Errorf("it shows %q, then %q", first, one())
	}
	if first == two() {
		t.Errorf("two seeds show %q", first)
	}
	write := func(name string, x []float32) {
		t.Helper()
		if err := e.Store().Write(name, x); err != nil {
			t.Fatal(err)
		}
	}
	// With these the last hidden state is always that of one token, which is likeliest then.
	table := make([]float32, 257*16)
	if err := e.Store().Read("transformer.wte.weight", table); err != nil {
		t.Fatal(err)
	}
	say := func(id int) string {
		bias := make([]float32, 16)
		for i, x := range table[id*16 : (id+1)*16] {
			bias[i] = 1e5 * x
		}
		write("transformer.ln_f.weight", make([]float32, 16))
		write("transformer.ln_f.bias", bias)
		return one()
	}
	if got := say('q'); got != "The"+strings.Repeat("q", 12) {
		t.Errorf("with other parameters it shows %q", got)
	}
	if got := say(256); got != "The" {
		t.Errorf("at the end of a text it shows %q", got)
	}
}

// TestTokenizerOfARun: that of the checkpoint, else the one that the run has frozen, else a
// new one, which knows the training text only.
func TestTokenizerOfARun(t *testing.T) {
	dir := t.TempDir()
	train, held := write(t, filepath.Join(dir, "train.txt"), strings.Repeat("abc é\n", 40)), write(t, filepath.Join(dir, "held.txt"), strings.Repeat("abc ß\n", 40))
	c := configOf(t, dir, "tokenizer.kind=characters", "data.train=["+train+"]", "data.validation_paths=["+held+"]")
	env := recipe.Env{Config: c, FS: vfs.OS{}}
	fresh, _, err := text.OpenTokenizer(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := fresh.ID([]byte("é")); !ok {
		t.Error("it lacks a character of the training text")
	}
	if _, ok := fresh.ID([]byte("ß")); ok {
		t.Error("it has a character that only the held-out text has")
	}
	write(t, train, "completely other text")
	frozen, _, err := text.OpenTokenizer(t.Context(), env)
	if err != nil || frozen.Fingerprint() != fresh.Fingerprint() {
		t.Errorf("the run's own tokenizer is not taken: %v", err)
	}
	bytes, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	env.From = filepath.Join(dir, "checkpoint")
	if err := tokenizers.Save(vfs.OS{}, env.From, bytes, tokenizers.RolesOf(bytes, hf.Roles{}, 24)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(env.From, "config.json"), "{}")
	if from, _, err := text.OpenTokenizer(t.Context(), env); err != nil || from.Fingerprint() != bytes.Fingerprint() {
		t.Errorf("the checkpoint's tokenizer is not taken: %v", err)
	}
}

// marked is a tokenizer of bytes with the marks of ChatML, in a directory.
func marked(t *testing.T, dir string) string {
	t.Helper()
	b, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.Config()
	for _, s := range []string{"<|im_start|>", "<|im_end|>"} {
		cfg.Added = append(cfg.Added, hf.AddedToken{ID: int32(len(cfg.Tokens)), Content: s, Special: true})
		cfg.Tokens = append(cfg.Tokens, s)
	}
	tokens, err := bpe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "marked")
	if err := tokenizers.Save(vfs.OS{}, path, tokens, tokenizers.RolesOf(tokens, hf.Roles{}, 64)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestInstructJob: which conversations are learnt and which are held out, how they are packed,
// in which order, and what a checkpoint says of template and ends.
func TestInstructJob(t *testing.T) {
	dir := t.TempDir()
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"answer %02d\"}]}\n", i)
	}
	path := write(t, filepath.Join(dir, "a.jsonl"), lines.String())
	load := func(set ...string) *recipe.Job {
		c := configOf(t, dir, append([]string{
			"data.format=instruct", "data.train=[" + path + "]", "data.instruct.template=chatml", "train.document_mask=true", "model.context=200",
			"tokenizer={path: " + marked(t, dir) + "}", "data.validation=0.25", "train.sample_tokens=0",
		}, set...)...)
		return open(t, recipe.Env{Config: c})
	}
	// answers are those whose tokens count, of the rows that hold conversations.
	answers := func(s data.Source, rows uint64) (all []string, used int) {
		for position := uint64(0); position < rows; position += s.Stride() {
			b := fill(t, s, position)
			counted := []byte{}
			for _, id := range b.Ints[data.Targets] {
				if id >= 0 && id < 256 {
					counted = append(counted, byte(id))
				}
			}
			for _, a := range strings.Split(string(counted), "answer ")[1:] {
				all = append(all, a[:2])
			}
			for _, from := range b.From {
				if from != (data.Origin{}) {
					used++
				}
			}
		}
		return all, used
	}
	job := load()
	held, _ := answers(job.Eval, 2)
	learnt, _ := answers(job.Train, 6)
	seen := map[string]bool{}
	for _, a := range learnt {
		seen[a] = true
	}
	for _, a := range held {
		if seen[a] {
			t.Errorf("answer %s is learnt and held out", a)
		}
	}
	if len(held) < 2 || len(learnt) < 12 {
		t.Errorf("%d answers are held out, %d learnt", len(held), len(learnt))
	}
	if other, _ := answers(load("run.seed=99").Train, 6); slices.Equal(other, learnt) {
		t.Errorf("another seed has the same order: %v", other)
	}
	if single, rows := answers(load("data.instruct.packing=false").Train, 6); len(single) != rows {
		t.Errorf("unpacked, %d rows have %d answers", rows, len(single))
	}
	files, err := job.Parts[0].Files()
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, f := range files {
		var b strings.Builder
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		content[f.Name] = b.String()
	}
	// 256 ends texts and 258 turns.
	if !strings.Contains(content["tokenizer_config.json"]+content["chat_template.jinja"], "add_generation_prompt") || !strings.Contains(strings.Join(strings.Fields(content["generation_config.json"]), ""), `"eos_token_id":[256,258]`) {
		t.Errorf("the files say\n%s\n%s", content["tokenizer_config.json"], content["generation_config.json"])
	}
}
