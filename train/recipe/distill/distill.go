// Package distill is the recipe of distillation (Hinton et al. 2015): a model learns the
// distributions over the next token that another, its teacher, has on the same text.
//
// The teacher is not in memory while the model learns. What it says of the rows of the run is
// computed before the first step and kept in RUN/teacher.bin: of each distribution the K
// likeliest tokens and the probability of all others together, by a hash of the row. A run
// that goes on, or goes through more of its data, computes what the file lacks.
package distill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
	"example.com/gotrain/train/units"
)

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name:    Name,
		Config:  func() any { return &Config{Divergence: Forward, Beta: 0.5, Temperature: 1, Weight: 1, TopK: 32} },
		Formats: text.Formats(), Check: check, Design: design, Open: open,
	}
}

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	j, _, err := newJob(ctx, env)
	return j, err
}

// newJob is the job without its data, with the teacher.
func newJob(ctx context.Context, env recipe.Env) (*recipe.Job, *teacher, error) {
	j, err := text.Design(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	j.Reading = text.Reading(env)
	m := j.Parts[0].Model.(nn.LanguageModel)
	t, err := newTeacher(j.Config, env.Families, m)
	if err != nil {
		return nil, nil, err
	}
	j.Phases = []recipe.Phase{{Loss: lossOf(j.Config, m, t), Optimizer: j.Config.Optimizer}}
	j.Score = scoreOf(j.Config, m, t)
	j.Tools = append(j.Tools, t)
	j.Remarks = append(j.Remarks, recipe.Prepared{Name: "teacher", Detail: t.remark()})
	return j, t, nil
}

// remark says what the teacher takes of disk and memory.
func (t *teacher) remark() string {
	c, each := t.config, int64(t.identity().tokenBytes())
	parameters := int64(0)
	for _, p := range t.model.Params() {
		parameters += p.DType.Bytes(p.Shape)
	}
	text := fmt.Sprintf("%s, %s of parameters, in memory before the first step only; of each distribution the %d likeliest tokens, %d bytes a token of text", own(c).Teacher, units.Bytes(parameters), t.top, each)
	return text + ", each row once, in " + t.path()
}

// path is that of the file.
func (t *teacher) path() string { return filepath.Join(t.config.Run.Dir, File) }

// identity is that of the file but for the teacher's weights.
func (t *teacher) identity() identity {
	return identity{Format: 1, Precision: string(t.config.Precision), Temperature: own(t.config).Temperature, Top: t.top, Rest: t.rest, Vocab: t.vocab}
}

// open packs the text into shards and cuts them into batches.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	enc, err := text.Encoder(env.Config, tokens, id)
	if err != nil {
		return nil, err
	}
	j, t, err := newJob(ctx, env)
	if err != nil {
		return nil, err
	}
	if err := t.checkTokenizer(tokens); err != nil {
		return nil, err
	}
	if err := text.Finish(j, env, tokens, id); err != nil {
		return nil, err
	}
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", env.Config.Train.Sample)
	}
	texts, _ := env.Config.Texts()
	if texts.Known, err = text.Ledger(env); err != nil {
		return nil, err
	}
	if env.Dry && !texts.Prepared() {
		return j, text.Count(ctx, env, j, texts, enc)
	}
	return j, openShards(ctx, env, j, t, texts, enc)
}

// checkTokenizer wants the teacher to read the same tokens.
func (t *teacher) checkTokenizer(tokens data.Tokenizer) error {
	o, err := tokenizers.Open(t.place.TokenizerDir())
	if err != nil {
		return config.Faultf("recipe.teacher: %w", err)
	}
	if o.Tokenizer.Fingerprint() != tokens.Fingerprint() {
		return config.Faultf("recipe.teacher: %s has another tokenizer: their tokens are not the same; set tokenizer.path: %s", own(t.config).Teacher, t.place.TokenizerDir())
	}
	return nil
}

// openShards gives the job its batches, and what completes them.
func openShards(ctx context.Context, env recipe.Env, j *recipe.Job, t *teacher, texts data.Config, enc tokenizers.Encoder) error {
	c := env.Config
	prepared, err := text.Shards(ctx, env, j, texts, enc)
	if err != nil {
		return err
	}
	batches := func(rows data.Rows) (data.Windowed, error) {
		return prepared.Batches(data.LoaderConfig{Sequences: c.Sequences(rows), Seed: c.Run.Seed, Fixed: true})
	}
	train, err := batches(c.TrainRows())
	if err != nil {
		return err
	}
	_, mixed := train.(*data.Mixture)
	l := &lesson{teacher: t, env: env, job: j, mixed: mixed}
	if l.train, err = batches(t.batch()); err != nil {
		return err
	}
	bytes := int64(t.identity().tokenBytes()) * int64(l.samples()) * int64(c.Length())
	env.Telling("teacher", "%s: %s for what is trained on", t.remark(), units.Bytes(bytes))
	j.Train, j.Epoch = l.taught(train), train.Windows()
	if mixture, ok := train.(*data.Mixture); ok {
		j.Drawn = mixture.Drawn
		text.TellSources(env, j, prepared.Parts)
	}
	if prepared.Validation != nil {
		eval, err := data.NewEval(prepared.Validation, c.Sequences(c.EvalRows()), enc)
		if err != nil {
			return err
		}
		if l.eval, err = data.NewEval(prepared.Validation, c.Sequences(t.batch()), enc); err != nil {
			return err
		}
		j.Eval = l.taught(eval)
	}
	closeData := j.Close
	j.Begin, j.Close = l.begin, func() error { return errors.Join(l.cache.close(), closeData()) }
	return text.CheckEval(c, j.Eval)
}

// batch is how rows come to the teacher: all of them, whatever ranks there are.
func (t *teacher) batch() data.Rows { return data.Rows{Batch: t.rows()} }

// lesson is what the teacher says of the rows of a run.
type lesson struct {
	*teacher
	env   recipe.Env
	job   *recipe.Job
	train data.Windowed
	mixed bool        // train draws from several sources, some perhaps several times before others once
	eval  data.Source // nil where nothing is held out
	cache *cache
}

// begin opens the file. Rank 0, which has the teacher, completes it first.
func (l *lesson) begin(ctx context.Context, _ int) error {
	d := l.identity()
	sum, err := hub.Fingerprint(l.place.Dir)
	if err != nil {
		return err
	}
	d.Model = sum.String()
	first := l.backend != nil
	if l.cache, err = openCache(l.env.FS, l.path(), d, first); err != nil || !first {
		return err
	}
	if err := errors.Join(l.complete(ctx), l.cache.close()); err != nil {
		return err
	}
	l.cache, err = openCache(l.env.FS, l.path(), d, false)
	return err
}

// samples is how many samples the run has until they repeat, or all of them.
func (l *lesson) samples() uint64 {
	t := l.job.Config.Train
	n := uint64(t.Steps) * uint64(l.job.Config.StepSamples())
	if t.Epochs > 0 || n > l.train.Windows() && !l.mixed {
		return l.train.Windows()
	}
	return n
}

// complete computes what the file lacks of the rows that the run reads.
func (l *lesson) complete(ctx context.Context) (err error) {
	file, err := l.env.FS.OpenAppend(l.path())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Sync(), file.Close()) }()
	w := &writer{lesson: l, file: file}
	defer w.close()
	if err := w.all(ctx, l.train, l.samples()); err != nil {
		return err
	}
	if l.eval == nil {
		return nil
	}
	held := uint64(l.job.Config.Train.EvalBatches) * l.job.Eval.Stride()
	return w.all(ctx, l.eval, held)
}

// writer appends the distributions of rows to the file.
type writer struct {
	*lesson
	file io.Writer
}

// close gives the teacher's memory back.
func (w *writer) close() {
	if w.loaded != nil {
		w.unload()
	}
}

// all goes through the first samples of a source, through all of it where that is 0.
func (w *writer) all(ctx context.Context, s data.Source, samples uint64) error {
	batch := s.NewBatch()
	size := w.config.Sequences(w.batch())
	for position := uint64(0); samples == 0 || position < samples; position += s.Stride() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.Fill(batch, position); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		columns, err := size.Columns(batch)
		if err != nil {
			return err
		}
		if err := w.batchOf(columns, batch); err != nil {
			return err
		}
	}
	return nil
}

// batchOf appends the rows of a batch that the file lacks. The others are no targets.
func (w *writer) batchOf(c data.Columns, b *data.Batch) error {
	length := w.config.Length()
	records := make([][]byte, b.Rows)
	some := false
	for row := range records {
		r := c.Row(row, length)
		k := keyOf(r)
		tokens := count(r.Targets)
		if _, known := w.cache.index[k]; known || tokens == 0 {
			for i := range r.Targets {
				r.Targets[i] = data.Ignore
			}
			continue
		}
		records[row], some = recordOf(k, tokens), true
		w.cache.index[k] = place{}
	}
	if !some {
		return nil
	}
	if w.loaded == nil {
		w.env.Telling("teacher", "computes what %s lacks", w.path())
		if err := w.load(); err != nil {
			return err
		}
	}
	err := w.tell(b, func(at int, m *Most) { records[at/length] = w.cache.add(records[at/length], m) })
	for _, record := range records {
		if err == nil && record != nil {
			_, err = w.file.Write(sealed(record))
		}
	}
	return err
}

// count is the number of targets.
func count(targets []int32) (n int) {
	for _, t := range targets {
		if t >= 0 {
			n++
		}
	}
	return n
}

// taught is a source with what the teacher says of its rows.
func (l *lesson) taught(s data.Source) data.Source { return &taught{Source: s, lesson: l} }

type taught struct {
	data.Source
	*lesson
}

// Fields is part of data.Source.
func (s *taught) Fields() []data.Field { return append(s.Source.Fields(), s.added()...) }

// added are the fields that the teacher's distributions take.
func (l *lesson) added() []data.Field {
	length := l.config.Length()
	return []data.Field{{Name: classesField, Kind: data.Int32, Shape: []int{length, l.top}}, {Name: logsField, Kind: data.Float32, Shape: []int{length, l.width()}}}
}

// NewBatch is part of data.Source.
func (s *taught) NewBatch() *data.Batch {
	b := s.Source.NewBatch()
	more := data.NewBatch(b.Rows, s.added())
	b.Ints[classesField], b.Floats[logsField] = more.Ints[classesField], more.Floats[logsField]
	return b
}

// Fill is part of data.Source. It reads what it adds from the file.
func (s *taught) Fill(dst *data.Batch, position uint64) error {
	if err := s.Source.Fill(dst, position); err != nil {
		return err
	}
	length := s.config.Length()
	c := data.Columns{IDs: dst.Ints[data.IDs], Targets: dst.Ints[data.Targets], Positions: dst.Ints[data.Positions], Segments: dst.Ints[data.Segments]}
	classes, logs := dst.Ints[classesField], dst.Floats[logsField]
	scratch := make([]byte, length*s.cache.tokenBytes())
	for row := range dst.Rows {
		r := c.Row(row, length)
		part, ps := classes[row*length*s.top:][:length*s.top], logs[row*length*s.width():][:length*s.width()]
		if count(r.Targets) == 0 {
			for i := range part {
				part[i] = -1
			}
			clear(ps)
			continue
		}
		if err := s.cache.get(keyOf(r), r.Targets, part, ps, scratch); err != nil {
			return fmt.Errorf("%s: %w", filepath.Dir(s.path()), err)
		}
	}
	return nil
}
