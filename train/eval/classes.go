package eval

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	examples "example.com/gotrain/data/labelled"
	"example.com/gotrain/nn/encode"
)

// Classifier tells the classes of texts. It belongs to one goroutine.
type Classifier struct {
	Labels  []string
	encoder Encoder
	texts   *encode.Texts
	reader  *encode.Reader
}

// NewClassifier returns the Classifier of an encoder, which must have classes.
func NewClassifier(e Encoder) (*Classifier, error) {
	texts, err := encode.NewTexts(e.Tokens, e.Roles, e.Model, false)
	if err != nil {
		return nil, err
	}
	r, err := encode.NewReader(e.Model, e.Store, encode.Config{Rows: e.rows(), Want: encode.Classes, Compute: e.Compute})
	return &Classifier{Labels: e.Model.Outputs().Labels, encoder: e, texts: texts, reader: r}, err
}

// Probabilities are those of the classes of a text, or of two, in the order of Labels. cut
// tells that it was too long and lost its end.
func (c *Classifier) Probabilities(text string, pair *string) (p []float64, cut bool, err error) {
	row, cut, err := c.texts.Row(text, pair)
	if err != nil {
		return nil, cut, err
	}
	told, err := c.reader.Read([]encode.Row{row})
	if err != nil {
		return nil, cut, err
	}
	return encode.Probabilities(told[0].Classes), cut, nil
}

// Class is a class and its probability.
type Class struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// Classes are those of a text, the likeliest first; see Probabilities.
func (c *Classifier) Classes(text string) (classes []Class, cut bool, err error) {
	p, cut, err := c.Probabilities(text, nil)
	for i, label := range c.Labels[:len(p)] {
		classes = append(classes, Class{label, p[i]})
	}
	slices.SortStableFunc(classes, func(a, b Class) int { return cmp.Compare(b.Probability, a.Probability) })
	return classes, cut, err
}

// Completions gives log-likelihoods of completions: a Classifier those of labels, a Pseudo
// those of texts.
type Completions interface {
	Score(Question) (Likelihood, error)
}

// NewCompletions returns the Completions of an encoder: its classes where it has any.
func NewCompletions(e Encoder) (Completions, error) {
	if len(e.Model.Outputs().Labels) > 0 {
		return NewClassifier(e)
	}
	return NewPseudo(e)
}

// Score gives the log-probability of the label that a question has as its completion for the
// text that is its prompt.
func (c *Classifier) Score(q Question) (Likelihood, error) {
	l := Likelihood{Line: q.Line, Tokens: 1}
	label := slices.Index(c.Labels, strings.TrimSpace(q.Completion))
	if label < 0 {
		return l, fmt.Errorf("the completion %q is none of the classes %q", q.Completion, c.Labels)
	}
	p, _, err := c.Probabilities(q.Prompt, nil)
	if err != nil {
		return l, err
	}
	l.LogLikelihood = math.Log(p[label])
	l.PerToken, l.PerByte = l.LogLikelihood, l.LogLikelihood/float64(len(q.Completion))
	l.TokenLogprobs, l.Greedy = []float32{float32(l.LogLikelihood)}, slices.Max(p) == p[label]
	return l, nil
}

// ClassReport is how well the classes of examples are told.
type ClassReport struct {
	Texts    int                          `json:"texts"`
	Cut      int                          `json:"cut"` // that were too long and lost their end
	NLL      float64                      `json:"nll"` // nats, of the right class
	Accuracy float64                      `json:"accuracy"`
	F1       float64                      `json:"f1"` // the mean of the classes'
	Classes  map[string]encode.ClassScore `json:"classes"`
}

// Examples classifies examples and compares.
func (c *Classifier) Examples(ctx context.Context, all iter.Seq2[examples.Example, error]) (r ClassReport, err error) {
	var f encode.Confusion
	f.Init(len(c.Labels))
	for e, err := range all {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return r, err
		}
		label := slices.Index(c.Labels, e.Label)
		if label < 0 {
			return r, fmt.Errorf("%s: the label %q is none of the model's classes %q", e.Origin, e.Label, c.Labels)
		}
		p, cut, err := c.Probabilities(e.Text, e.Pair)
		if err != nil {
			return r, fmt.Errorf("%s: %w", e.Origin, err)
		}
		if cut {
			r.Cut++
		}
		f.Count(label, slices.Index(p, slices.Max(p)))
		r.Texts++
		r.NLL -= math.Log(p[label])
	}
	if r.Texts == 0 {
		return r, fmt.Errorf("there are no examples")
	}
	r.NLL /= float64(r.Texts)
	r.Accuracy, r.F1, r.Classes = f.Accuracy(), f.F1(), map[string]encode.ClassScore{}
	for i, label := range c.Labels {
		r.Classes[label] = f.Of(i)
	}
	return r, nil
}
