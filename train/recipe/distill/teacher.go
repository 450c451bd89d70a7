package distill

import (
	"fmt"
	"runtime"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// role is that of the teacher's parameters, in a store of their own.
const role = "teacher"

// teacher tells the distributions of the next token of a model that is not trained. It is a
// tool of the job, and has its parameters in memory only from load to unload.
type teacher struct {
	config config.Config
	place  hub.Place
	model  nn.LanguageModel
	vocab  int  // tokens that both models know
	top    int  // K
	rest   bool // all other tokens of the student together are beside them

	hiddens, heads *plan.Plan // (rows·T, D), and (chunk, D) × (V, D)ᵀ → (chunk, V)
	backend        exec.Backend
	arena          *exec.Arena
	loaded         *loaded // nil but between load and unload
}

// loaded is what is in memory.
type loaded struct {
	store          *exec.Store
	hiddens, heads *exec.Session
	hidden         []float32 // (rows·T, D)
	chunk, logits  []float32 // (chunk, D), (chunk, V)
	most           []Most
}

// newTeacher finds the teacher of a configuration, whose student has the vocabulary of it.
func newTeacher(c config.Config, families nn.Families, student nn.LanguageModel) (*teacher, error) {
	o := own(c)
	fault := func(format string, args ...any) (*teacher, error) {
		return nil, config.Faultf("recipe.teacher: "+format, args...)
	}
	place, d, err := hub.Whole(o.Teacher, families)
	if err != nil {
		return fault("%w", err)
	}
	m, err := families.New(d.Spec, nn.Tuning{Role: role})
	if err != nil {
		return fault("%w", err)
	}
	t := &teacher{config: c, place: place}
	if t.model, err = nn.AsLanguageModel(m); err != nil {
		return fault("%w", err)
	}
	if nn.Remembers(t.model) || nn.Remembers(student) {
		return fault("recipe %s compares rows of text, of which each is one by itself; a model that remembers earlier rows is no teacher and no student", Name)
	}
	if n := t.model.Context(); n < c.Length() {
		return fault("%s reads %d tokens, and a row has %d: lower model.context or train.context", o.Teacher, n, c.Length())
	}
	t.vocab = min(t.model.Vocab(), student.Vocab())
	t.top = min(o.TopK, t.vocab)
	t.rest = t.top < student.Vocab()
	return t, nil
}

// width is that of the log-probabilities of a token.
func (t *teacher) width() int {
	if t.rest {
		return t.top + 1
	}
	return t.top
}

// rows are those of a batch.
func (t *teacher) rows() int {
	rows, _ := t.config.MicroBatches()
	return rows
}

// chunkLogits bounds the logits that are made at a time.
const chunkLogits = 4 << 20

// Plan is part of recipe.Tool.
func (t *teacher) Plan(target plan.Target) ([]*plan.Plan, error) {
	options := plan.Options{Compute: t.config.Compute(), Target: target}
	build := func(g *autograd.Graph, name string, output *autograd.Node) (*plan.Plan, error) {
		lowered, err := g.Lower(name, output)
		if err != nil {
			return nil, err
		}
		return plan.Build(lowered, options)
	}
	g := autograd.NewGraph()
	hidden, _ := nn.Hidden(g, t.model, nn.Rows{Batch: t.rows(), Length: t.config.Length(), Segments: t.config.Train.DocumentMask}, false)
	d := hidden.Shape().Cols()
	var err error
	if t.hiddens, err = build(g, "teacher.hidden", hidden); err != nil {
		return nil, err
	}
	g = autograd.NewGraph()
	_, head := nn.Hidden(g, t.model, nn.Rows{Batch: 1, Length: 1}, false)
	rows := min(max(1, chunkLogits/t.model.Vocab()), t.rows()*t.config.Length())
	t.heads, err = build(g, "teacher.head", autograd.MatMul(g.Floats("hidden", rows, d), head, false, true))
	return []*plan.Plan{t.hiddens, t.heads}, err
}

// Bind is part of recipe.Tool.
func (t *teacher) Bind(store *exec.Store, arena *exec.Arena) error {
	t.backend, t.arena = store.Backend(), arena
	return nil
}

// load brings the parameters into memory.
func (t *teacher) load() error {
	store := exec.NewStore(t.backend)
	for _, p := range t.model.Params() {
		if _, err := store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			return err
		}
	}
	if err := hub.LoadParams(store, t.place.Dir, t.model.Params()); err != nil {
		return err
	}
	l := &loaded{store: store}
	var err error
	if l.hiddens, err = exec.NewSession(t.hiddens, store, t.arena); err != nil {
		return err
	}
	if l.heads, err = exec.NewSession(t.heads, store, t.arena); err != nil {
		return err
	}
	size := func(p *plan.Plan) int { return p.Program.Outputs[0].Shape.Size() }
	d := t.hiddens.Program.Outputs[0].Shape.Cols()
	chunk := t.heads.Program.Outputs[0].Shape[0]
	l.hidden, l.logits, l.chunk = make([]float32, size(t.hiddens)), make([]float32, size(t.heads)), make([]float32, chunk*d)
	l.most = make([]Most, chunk)
	t.loaded = l
	return nil
}

// unload gives the memory back.
func (t *teacher) unload() {
	t.loaded = nil
	runtime.GC() // back ends free what nothing refers to
}

// tell calls got with the distribution after each token of a batch that has a target, in order.
func (t *teacher) tell(b *data.Batch, got func(at int, m *Most)) error {
	l := t.loaded
	for _, in := range l.hiddens.Inputs() {
		if err := in.SetInts(b.Ints[in.Name()]); err != nil {
			return fmt.Errorf("the teacher reads %s: %w", in.Name(), err)
		}
	}
	if err := l.hiddens.Run(); err != nil {
		return err
	}
	if err := l.hiddens.Output(0, l.hidden); err != nil {
		return err
	}
	var asked []int
	for at, target := range b.Ints[data.Targets] {
		if target >= 0 {
			asked = append(asked, at)
		}
	}
	d, rows := len(l.chunk)/len(l.most), len(l.most)
	for len(asked) > 0 {
		some := asked[:min(rows, len(asked))]
		asked = asked[len(some):]
		for i, at := range some {
			copy(l.chunk[i*d:][:d], l.hidden[at*d:][:d])
		}
		if err := l.heads.SetFloats("hidden", l.chunk); err != nil {
			return err
		}
		if err := l.heads.Run(); err != nil {
			return err
		}
		if err := l.heads.Output(0, l.logits); err != nil {
			return err
		}
		t.choose(len(some))
		for i, at := range some {
			got(at, &l.most[i])
		}
	}
	return nil
}

var _ recipe.Tool = (*teacher)(nil)
