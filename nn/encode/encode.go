// Package encode reads texts with a text encoder.
//
// A [Reader] runs rows of tokens through a model and gives what it tells of them: the
// logits or the NLL of tokens that are asked for, a state of the whole text, classes. It
// plans programs when rows first need them. [Design] makes one program of a fixed size for
// a run that plans all of its memory before it starts. [Question] turns a text with masks
// into a row and the answer into candidates; [Text] turns one or two texts into a row.
//
// Errors name the text or the size at fault. Nothing here is safe for concurrent use, nor may
// it run at the same time as another session of its store.
package encode

import (
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// Row is a row of tokens as a model reads it.
type Row struct {
	IDs     []int32
	Kinds   []int32 // of each token, nil is 0
	Asked   []int32 // places of tokens, for Masked and NLL
	Targets []int32 // the tokens there, for NLL
}

// Want says what is computed of rows.
type Want uint8

// What a model may tell of a row.
const (
	Masked  Want = 1 << iota // logits of each place that is asked for
	NLL                      // of the target at each place, in nats
	Best                     // the likeliest token at each place
	Mean                     // of the states of the row's tokens
	First                    // the state of the first token
	Next                     // logits of "goes on" and "does not"
	Classes                  // logits
)

// Told is what a model tells of a row; what was not wanted is nil.
type Told struct {
	Masked  [][]float32 // (asked, V)
	NLL     []float32   // (asked)
	Best    []int32     // (asked)
	Mean    []float32   // (D)
	First   []float32   // (D)
	Next    []float32   // (2)
	Classes []float32   // (labels)
}

// Config is the size of a program, and what it computes.
type Config struct {
	Rows, Length int // of a batch; 0 is 1, and the model's context
	Asked        int // most places of a row that are asked for; 0 is Length
	Want         Want
	Compute      ir.DType // of matrix products; see plan.Options
}

// Program runs batches of rows of one size.
type Program struct {
	cfg     Config
	model   nn.TextEncoder
	plan    *plan.Plan
	session *exec.Session

	ids, positions, segments, kinds, asked, targets []int32
	outputs                                         []output
}

// output is what is read after a run.
type output struct {
	want   Want
	values []float32
}

// Design returns a program of m that has no memory on a back end yet. The error tells of a
// head that the model has not, or of a size.
func Design(m nn.TextEncoder, cfg Config) (*Program, error) {
	if cfg.Rows == 0 {
		cfg.Rows = 1
	}
	if cfg.Length == 0 {
		cfg.Length = m.Context()
	}
	if cfg.Length > m.Context() {
		return nil, fmt.Errorf("encode: rows of %d tokens are longer than the model's context of %d", cfg.Length, m.Context())
	}
	if cfg.Asked == 0 {
		cfg.Asked = cfg.Length
	}
	if err := heads(m, cfg.Want); err != nil {
		return nil, err
	}
	n := cfg.Rows * cfg.Length
	p := &Program{cfg: cfg, model: m}
	for _, ints := range []*[]int32{&p.ids, &p.positions, &p.segments, &p.kinds} {
		*ints = make([]int32, n)
	}
	p.asked, p.targets = make([]int32, cfg.Rows*cfg.Asked), make([]int32, cfg.Rows*cfg.Asked)
	for i := range p.positions {
		p.positions[i] = int32(i % cfg.Length)
	}
	return p, nil
}

// heads wants m to tell what is wanted.
func heads(m nn.TextEncoder, want Want) error {
	o := m.Outputs()
	switch {
	case want&(Masked|NLL|Best) != 0 && !o.Masked:
		return errors.New("the model has no head for masked tokens: it was trained for something else")
	case want&Next != 0 && !o.Next:
		return errors.New("the model has no head for the next sentence: it was trained without")
	case want&Classes != 0 && len(o.Labels) == 0:
		return errors.New("the model has no classes: fine-tune it with recipe.kind classify")
	}
	return nil
}

// Plan plans the program for a back end.
func (p *Program) Plan(target plan.Target) ([]*plan.Plan, error) {
	g, c := autograd.NewGraph(), p.cfg
	in := nn.NewEncoderInputs(g, c.Rows, c.Length)
	if c.Want&(Masked|NLL|Best) != 0 {
		in.Asked = g.Ints("asked", c.Rows*c.Asked)
	}
	told := p.model.Encode(g, in)
	var nodes []*autograd.Node
	p.outputs = nil
	add := func(want Want, n func() *autograd.Node) {
		if c.Want&want != 0 {
			node := n()
			nodes = append(nodes, node)
			p.outputs = append(p.outputs, output{c.Want & want, make([]float32, node.Shape().Size())})
		}
	}
	add(Masked|Best, func() *autograd.Node { return told.Masked })
	add(NLL, func() *autograd.Node {
		_, nll := autograd.CrossEntropy(told.Masked, g.Ints("targets", c.Rows*c.Asked), g.Floats("loss_weight", 1), autograd.LossConfig{})
		return nll
	})
	add(Mean|First, func() *autograd.Node { return told.Hidden })
	add(Next, func() *autograd.Node { return told.Next })
	add(Classes, func() *autograd.Node { return told.Classes })
	lowered, err := g.Lower(fmt.Sprintf("encode.%dx%d", c.Rows, c.Length), nodes...)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if p.plan, err = plan.Build(lowered, plan.Options{Compute: c.Compute, Target: target}); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return []*plan.Plan{p.plan}, nil
}

// Bind makes the planned program ready to run on the parameters in store, which may be
// filled later.
func (p *Program) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	if p.session, err = exec.NewSession(p.plan, store, arena); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return nil
}

// Run runs at most as many rows as the program has and returns what is told of each.
func (p *Program) Run(rows []Row) ([]Told, error) {
	if err := p.fill(rows); err != nil {
		return nil, err
	}
	for name, values := range map[string][]int32{"ids": p.ids, "positions": p.positions, "segments": p.segments, "kinds": p.kinds, "asked": p.asked, "targets": p.targets} {
		if in, ok := p.session.Input(name); ok {
			if err := in.SetInts(values); err != nil {
				return nil, err
			}
		}
	}
	if in, ok := p.session.Input("loss_weight"); ok {
		if err := in.SetFloats([]float32{1}); err != nil {
			return nil, err
		}
	}
	if err := p.session.Run(); err != nil {
		return nil, err
	}
	told := make([]Told, len(rows))
	for i, o := range p.outputs {
		if err := p.session.Output(i, o.values); err != nil {
			return nil, err
		}
		for r, row := range rows {
			told[r].take(o, row, r, p.cfg)
		}
	}
	return told, nil
}

// fill writes the rows into the inputs; rows and places behind them hold nothing.
func (p *Program) fill(rows []Row) error {
	if len(rows) > p.cfg.Rows {
		return fmt.Errorf("encode: %d rows, the program has %d", len(rows), p.cfg.Rows)
	}
	clear(p.ids)
	clear(p.kinds)
	for i := range p.segments {
		p.segments[i] = -1
	}
	for i := range p.asked {
		p.asked[i], p.targets[i] = 0, -1
	}
	for r, row := range rows {
		if len(row.IDs) > p.cfg.Length || len(row.Asked) > p.cfg.Asked || len(row.IDs) == 0 {
			return fmt.Errorf("encode: a row of %d tokens, of which %d are asked for, does not fit %d of %d", len(row.IDs), len(row.Asked), p.cfg.Length, p.cfg.Asked)
		}
		at := r * p.cfg.Length
		for i, id := range row.IDs {
			if id < 0 || int(id) >= p.model.Vocab() {
				return fmt.Errorf("encode: token %d is outside the vocabulary of %d", id, p.model.Vocab())
			}
			p.ids[at+i], p.segments[at+i] = id, 0
		}
		copy(p.kinds[at:], row.Kinds)
		for i, place := range row.Asked {
			p.asked[r*p.cfg.Asked+i] = int32(at) + place
		}
		copy(p.targets[r*p.cfg.Asked:], row.Targets)
	}
	return nil
}

// take copies what an output has of row r.
func (t *Told) take(o output, row Row, r int, c Config) {
	of := func(rows int) []float32 { // the part of row r, of so many rows
		n := len(o.values) / rows
		return append([]float32(nil), o.values[r*n:(r+1)*n]...)
	}
	if o.want&(Masked|Best) != 0 {
		v := len(o.values) / (c.Rows * c.Asked)
		for i := range row.Asked {
			logits := o.values[(r*c.Asked+i)*v:][:v]
			if o.want&Masked != 0 {
				t.Masked = append(t.Masked, append([]float32(nil), logits...))
			}
			if o.want&Best != 0 {
				t.Best = append(t.Best, likeliest(logits))
			}
		}
	}
	switch {
	case o.want&NLL != 0:
		t.NLL = of(c.Rows)[:len(row.Asked)]
	case o.want&(Mean|First) != 0:
		states := of(c.Rows)
		if o.want&Mean != 0 {
			t.Mean = mean(states, len(row.IDs), c.Length)
		}
		if o.want&First != 0 {
			t.First = states[:len(states)/c.Length]
		}
	case o.want&Next != 0:
		t.Next = of(c.Rows)
	case o.want&Classes != 0:
		t.Classes = of(c.Rows)
	}
}

// likeliest is the place of the largest logit, the first of several.
func likeliest(logits []float32) int32 {
	best := 0
	for i, z := range logits {
		if z > logits[best] {
			best = i
		}
	}
	return int32(best)
}

// mean averages the first n of length states.
func mean(states []float32, n, length int) []float32 {
	d := len(states) / length
	sums, out := make([]float64, d), make([]float32, d)
	for i, x := range states[:n*d] {
		sums[i%d] += float64(x)
	}
	for i, sum := range sums {
		out[i] = float32(sum / float64(n))
	}
	return out
}

// Reader reads rows of any length up to the model's context. It plans a program for each
// length that rows need, of which each is twice as long as the one before.
type Reader struct {
	model    nn.TextEncoder
	store    *exec.Store
	cfg      Config
	programs map[int]*Program
}

// NewReader returns a reader that takes m's parameters from store. cfg.Length bounds
// rows.
func NewReader(m nn.TextEncoder, store *exec.Store, cfg Config) (*Reader, error) {
	p, err := Design(m, cfg)
	if err != nil {
		return nil, err
	}
	for _, param := range m.Params() {
		if st := store.Get(param.State()); st == nil || !st.Shape.Equal(param.Shape) {
			return nil, fmt.Errorf("encode: the store does not hold parameter %q %s: load or initialise the model first", param.State(), param.Shape)
		}
	}
	asked := cfg.Asked
	cfg = p.cfg
	cfg.Asked = asked
	return &Reader{model: m, store: store, cfg: cfg, programs: map[int]*Program{}}, nil
}

// shortest is the shortest program of a Reader.
const shortest = 32

// Read gives what the model tells of rows; batch after batch, in their order. Rows of
// like length are best together.
func (r *Reader) Read(rows []Row) ([]Told, error) {
	var all []Told
	for len(rows) > 0 {
		n := min(len(rows), r.cfg.Rows)
		longest := 0
		for _, row := range rows[:n] {
			longest = max(longest, len(row.IDs))
		}
		p, err := r.program(longest)
		if err != nil {
			return nil, err
		}
		told, err := p.Run(rows[:n])
		if err != nil {
			return nil, err
		}
		all, rows = append(all, told...), rows[n:]
	}
	return all, nil
}

// program returns the program for rows of n tokens.
func (r *Reader) program(n int) (*Program, error) {
	if n > r.cfg.Length {
		return nil, fmt.Errorf("encode: a text of %d tokens does not fit the context of %d", n, r.cfg.Length)
	}
	cfg := r.cfg
	cfg.Length = shortest
	for cfg.Length < n {
		cfg.Length *= 2
	}
	cfg.Length = min(cfg.Length, r.cfg.Length)
	if p := r.programs[cfg.Length]; p != nil {
		return p, nil
	}
	p, err := Design(r.model, cfg)
	if err != nil {
		return nil, err
	}
	plans, err := p.Plan(r.store.Backend().Target())
	if err != nil {
		return nil, err
	}
	arena, err := exec.NewArena(r.store.Backend(), plans[0].Arena)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := p.Bind(r.store, arena); err != nil {
		return nil, err
	}
	r.programs[cfg.Length] = p
	return p, nil
}

// Probabilities are the softmax of logits.
func Probabilities(logits []float32) []float64 {
	top := math.Inf(-1)
	for _, z := range logits {
		top = max(top, float64(z))
	}
	sum, p := 0.0, make([]float64, len(logits))
	for i, z := range logits {
		p[i] = math.Exp(float64(z) - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// Unit scales a vector to length 1; one of zeros stays.
func Unit(x []float32) []float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	out := make([]float32, len(x))
	for i, v := range x {
		if sum > 0 {
			out[i] = float32(float64(v) / math.Sqrt(sum))
		}
	}
	return out
}
