package eval

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/encode"
)

// Encoder is a text encoder that is ready to run, and how it reads texts.
type Encoder struct {
	Model   nn.TextEncoder
	Store   *exec.Store // holds the parameters
	Tokens  data.Tokenizer
	Roles   hf.Roles
	Compute ir.DType // of matrix products
	Batch   int      // rows that are read together; 0 is 16
}

func (e Encoder) rows() int {
	if e.Batch == 0 {
		return 16
	}
	return e.Batch
}

// Pseudo scores texts with a masked model by pseudo-likelihood (Salazar et al. 2020, "Masked
// Language Model Scoring"): the log-likelihood of each token while it alone is masked and
// all others are seen. It belongs to one goroutine.
type Pseudo struct {
	encoder Encoder
	texts   *encode.Texts
	reader  *encode.Reader
}

// NewPseudo returns the Pseudo of an encoder, which must tell masked tokens.
func NewPseudo(e Encoder) (*Pseudo, error) {
	texts, err := encode.NewTexts(e.Tokens, e.Roles, e.Model, true)
	if err != nil {
		return nil, err
	}
	r, err := encode.NewReader(e.Model, e.Store, encode.Config{Rows: e.rows(), Asked: 1, Want: encode.NLL | encode.Best, Compute: e.Compute})
	return &Pseudo{e, texts, r}, err
}

// ask gives the NLL of the tokens at places of ids, all of them in one row, and the likeliest
// token of each.
func (p *Pseudo) ask(ids []int32, places []int) ([]encode.Told, error) {
	row, kinds := p.texts.Frame().Row(ids, nil)
	before := len(p.texts.Frame().Before)
	rows := make([]encode.Row, len(places))
	for k, i := range places {
		masked := slices.Clone(row)
		masked[before+i] = p.texts.Marks().Mask
		rows[k] = encode.Row{IDs: masked, Kinds: kinds, Asked: []int32{int32(before + i)}, Targets: ids[i : i+1]}
	}
	return p.reader.Read(rows)
}

// room is the most tokens of text in a row.
func (p *Pseudo) room() int { return p.texts.Context() - p.texts.Frame().Around(false) }

// Score gives the pseudo-log-likelihood of a question's completion behind its prompt. A prompt
// that is too long for the context loses its beginning; a completion must fit whole.
// Likelihood.Greedy tells whether each token is the likeliest in its place.
func (p *Pseudo) Score(q Question) (Likelihood, error) {
	ids, spans := p.encoder.Tokens.EncodeSpans([]byte(q.Prompt+q.Completion), nil)
	from := 0
	for from < len(ids) && spans[from].End <= len(q.Prompt) {
		from++
	}
	l := Likelihood{Line: q.Line, Tokens: len(ids) - from}
	switch {
	case l.Tokens == 0:
		return l, fmt.Errorf("the completion %q has no token", q.Completion)
	case l.Tokens > p.room():
		return l, fmt.Errorf("a completion of %d tokens does not fit the context of %d", l.Tokens, p.texts.Context())
	}
	if l.Overflow = max(0, len(ids)-p.room()); l.Overflow > 0 {
		ids, from = ids[l.Overflow:], from-l.Overflow
	}
	told, err := p.ask(ids, counted(from, len(ids)))
	if err != nil {
		return l, err
	}
	l.Greedy = true
	for i, t := range told {
		l.TokenLogprobs = append(l.TokenLogprobs, -t.NLL[0])
		l.LogLikelihood -= float64(t.NLL[0])
		l.Greedy = l.Greedy && t.Best[0] == ids[from+i]
	}
	l.PerToken, l.PerByte = l.LogLikelihood/float64(l.Tokens), l.LogLikelihood/float64(len(q.Completion))
	return l, nil
}

// Answers is a Model that answers by the score of each completion.
type Answers func(Question) (Likelihood, error)

var _ Model = Answers(nil)

// Score scores the completions of queries; see Model.
func (a Answers) Score(ctx context.Context, queries []Query, each func(i int, scores []Completion) error) error {
	for i, q := range queries {
		var scores []Completion
		for _, completion := range q.Completions {
			if err := ctx.Err(); err != nil {
				return err
			}
			l, err := a(Question{Prompt: q.Prompt, Completion: completion})
			if err != nil {
				return fmt.Errorf("%s: %w", q.Source, err)
			}
			scores = append(scores, Completion{l.LogLikelihood, l.Greedy, l.Overflow})
		}
		if err := each(i, scores); err != nil {
			return err
		}
	}
	return nil
}

// Generate is an error: such models write nothing.
func (Answers) Generate(context.Context, string, []string, int) (string, int, error) {
	return "", 0, errors.New("the task wants an answer that is written, and a model that reads a text from both sides writes none: take a task of multiple choice")
}

// PseudoScore is how well a masked model knows texts.
type PseudoScore struct {
	Tokens    int     `json:"tokens"`
	Documents int     `json:"documents"`
	NLL       float64 `json:"pseudo_nll"` // nats per token, each masked by itself
	PPL       float64 `json:"pseudo_ppl"` // exp(pseudo_nll), Salazar et al.'s pseudo-perplexity
	Accuracy  float64 `json:"accuracy"`   // of the likeliest token in each place
}

// Texts scores every token of documents, in windows of the model's context that do not
// overlap.
func (p *Pseudo) Texts(ctx context.Context, documents iter.Seq2[[]byte, error]) (s PseudoScore, err error) {
	sum, right := 0.0, 0
	for doc, err := range documents {
		if err != nil {
			return s, err
		}
		s.Documents++
		for window := range slices.Chunk(p.encoder.Tokens.AppendEncode(nil, doc), p.room()) {
			if err := ctx.Err(); err != nil {
				return s, err
			}
			told, err := p.ask(window, counted(0, len(window)))
			if err != nil {
				return s, err
			}
			for i, t := range told {
				sum += float64(t.NLL[0])
				if t.Best[0] == window[i] {
					right++
				}
			}
			s.Tokens += len(window)
		}
	}
	if s.Tokens == 0 {
		return s, errors.New("the texts have no token")
	}
	s.NLL, s.Accuracy = sum/float64(s.Tokens), float64(right)/float64(s.Tokens)
	s.PPL = math.Exp(s.NLL)
	return s, nil
}

// counted are the numbers in [first, end).
func counted(first, end int) []int {
	var all []int
	for i := first; i < end; i++ {
		all = append(all, i)
	}
	return all
}
