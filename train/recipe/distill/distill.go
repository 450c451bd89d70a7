// Package distill is the recipe of distillation (Hinton et al. 2015): a model learns the
// distributions over the next token that another, its teacher, has on the same text.
//
// The teacher is not in memory while the model learns. What it says of the rows of the run is
// computed before the first step and kept in RUN/teacher.bin: of each distribution the K
// likeliest tokens and the probability of all others together, by a hash of the text. A run
// that goes on, or goes through more of its data, computes what the file lacks.
package distill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/units"
)

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name:    Name,
		Config:  func() any { return &Config{Divergence: Forward, Beta: 0.5, Temperature: 1, Weight: 1, TopK: 32} },
		Formats: append(text.Formats(), text.InstructFormat()), Check: check, Design: design, Open: open,
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
	if j.Reading = text.Reading(env); conversing(env.Config) {
		j.Reading = text.ReadingConversations(env.Config)
	}
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
	return text + ", each once, in " + t.path()
}

// path is that of the file.
func (t *teacher) path() string { return filepath.Join(t.config.Run.Dir, File) }

// identity is that of the file but for the teacher's weights.
func (t *teacher) identity() identity {
	return identity{Format: 1, Precision: string(t.config.Precision), Temperature: own(t.config).Temperature, Top: t.top, Rest: t.rest, Vocab: t.vocab}
}

// open opens text or conversations.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	if conversing(env.Config) {
		return openConversations(ctx, env, tokens, id)
	}
	return openText(ctx, env, tokens, id)
}

// finish is newJob with the tokenizer, which has to be the teacher's.
func finish(ctx context.Context, env recipe.Env, tokens data.Tokenizer, id hub.Identity) (*recipe.Job, *teacher, error) {
	j, t, err := newJob(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	if err := t.checkTokenizer(tokens); err != nil {
		return nil, nil, err
	}
	return j, t, text.Finish(j, env, tokens, id)
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

// lessons gives a job its batches, of which train and eval make those for some rows: of what is
// trained on, epoch rows, and what is held out, nil for nothing.
func (t *teacher) lessons(env recipe.Env, j *recipe.Job, epoch uint64, train, eval func(data.Rows) (data.Source, error)) error {
	c := env.Config
	l := &lesson{teacher: t, env: env, job: j, epoch: epoch}
	j.Epoch = epoch
	var err error
	both := func(source func(data.Rows) (data.Source, error), rows data.Rows) (own, whole data.Source) {
		if err == nil {
			own, err = source(rows)
		}
		if err == nil {
			whole, err = source(t.batch())
		}
		return own, whole
	}
	own, whole := both(train, c.TrainRows())
	_, l.mixed = own.(*data.Mixture)
	l.train, j.Train = whole, l.taught(own)
	if eval != nil {
		own, l.eval = both(eval, c.EvalRows())
		j.Eval = l.taught(own)
	}
	if err != nil {
		return err
	}
	closeData := j.Close
	j.Begin, j.Close = l.begin, func() error {
		err := l.cache.close()
		if closeData != nil {
			err = errors.Join(err, closeData())
		}
		return err
	}
	env.Telling("teacher", "%s", t.remark())
	return text.CheckEval(c, j.Eval)
}

// batch is how rows come to the teacher: all of them, whatever ranks there are.
func (t *teacher) batch() data.Rows { return data.Rows{Batch: t.rows()} }

// lesson is what the teacher says of the rows of a run.
type lesson struct {
	*teacher
	env   recipe.Env
	job   *recipe.Job
	train data.Source
	epoch uint64      // rows of train that come before one comes again
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
	if t.Epochs > 0 || n > l.epoch && !l.mixed {
		return l.epoch
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

// batchOf appends the texts of a batch that the file lacks. The others are no targets.
func (w *writer) batchOf(c data.Columns, b *data.Batch) error {
	length := w.config.Length()
	type record struct {
		end     int // of the text in the batch
		content []byte
	}
	var records []record
	for row := range b.Rows {
		r := c.Row(row, length)
		_ = texts(r, func(first, end int) error {
			k := keyOf(r, first, end)
			if _, known := w.cache.index[k]; known {
				for i := first; i < end; i++ {
					r.Targets[i] = data.Ignore
				}
				return nil
			}
			records = append(records, record{row*length + end, recordOf(k, count(r.Targets[first:end]))})
			w.cache.index[k] = place{}
			return nil
		})
	}
	if len(records) == 0 {
		return nil
	}
	if w.loaded == nil {
		w.env.Telling("teacher", "computes what %s lacks", w.path())
		if err := w.load(); err != nil {
			return err
		}
	}
	at := 0
	err := w.tell(b, func(token int, m *Most) {
		for token >= records[at].end {
			at++
		}
		records[at].content = w.cache.add(records[at].content, m)
	})
	for _, r := range records {
		if err == nil {
			_, err = w.file.Write(sealed(r.content))
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
	pool sync.Pool // of *[]byte: what the file keeps of a row
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
	for i := range classes {
		classes[i] = -1
	}
	clear(logs)
	scratch, ok := s.pool.Get().(*[]byte)
	if !ok {
		row := make([]byte, length*s.cache.tokenBytes())
		scratch = &row
	}
	defer s.pool.Put(scratch)
	for row := range dst.Rows {
		r := c.Row(row, length)
		err := texts(r, func(first, end int) error {
			from, to := row*length+first, row*length+end
			return s.cache.get(keyOf(r, first, end), r.Targets[first:end], classes[from*s.top:to*s.top], logs[from*s.width():to*s.width()], *scratch)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Dir(s.path()), err)
		}
	}
	return nil
}
