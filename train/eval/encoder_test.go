package eval

import (
	"context"
	"errors"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	examples "example.com/gotrain/data/labelled"
	"example.com/gotrain/data/wordpiece"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/nn/encode"
	"example.com/gotrain/nn/nntest"
)

// newEncoder is a BERT of random weights, large enough that it is far from certain of nothing, and of 12
// tokens of context. Its tokenizer knows the words that tests use.
func newEncoder(t *testing.T, outputs nn.Outputs) Encoder {
	t.Helper()
	words := func(yield func([]byte, error) bool) {
		yield([]byte(strings.Repeat("red green blue yellow pink grey brown black ", 9)+"café"), nil)
	}
	tokens, err := wordpiece.Train(t.Context(), words, wordpiece.TrainConfig{Vocab: 80, Lowercase: true})
	if err != nil {
		t.Fatal(err)
	}
	c := bert.Config{Layers: 1, Heads: 2, Width: 16, Context: 12, Vocab: tokens.Vocab()}
	c.SetOutputs(outputs)
	m, err := bert.New(c, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	return Encoder{Model: m, Store: nntest.Random(t, m, 5, 8), Tokens: tokens, Batch: 3} // 8, so that texts differ
}

// ids are the tokens of a text, without those around it.
func (e Encoder) ids(text string) []int32 { return e.Tokens.AppendEncode(nil, []byte(text)) }

// told is what the model tells of one row: [CLS] (2), the tokens, [SEP] (3).
func (e Encoder) told(t *testing.T, want encode.Want, ids []int32, masked int) encode.Told {
	t.Helper()
	row := encode.Row{IDs: slices.Concat([]int32{2}, ids, []int32{3})}
	if masked >= 0 {
		row.IDs[masked+1] = 4 // [MASK]
		row.Asked = []int32{int32(masked + 1)}
	}
	r, err := encode.NewReader(e.Model, e.Store, encode.Config{Want: want})
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.Read([]encode.Row{row})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func docs(texts ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, text := range texts {
			if !yield([]byte(text), nil) {
				return
			}
		}
	}
}

// TestPseudoByDefinition: the score of a token is the log-softmax of its place while it alone is masked.
func TestPseudoByDefinition(t *testing.T) {
	e := newEncoder(t, nn.Outputs{Masked: true})
	p, err := NewPseudo(e)
	if err != nil {
		t.Fatal(err)
	}
	logp := func(ids []int32, at int) (float64, bool) {
		probabilities := encode.Probabilities(e.told(t, encode.Masked, ids, at).Masked[0])
		return math.Log(probabilities[ids[at]]), slices.Index(probabilities, slices.Max(probabilities)) == int(ids[at])
	}
	for _, c := range []struct{ prompt, completion string }{
		{"red green", " blue"}, {"red", " green blue yellow"}, {"", "café"}, {"pink pink pink", " black"},
		{"red green blue yellow pink grey brown", " black red green"}, // all that a row holds
		{"blue red green blue yellow pink grey brown", " black red green"},
	} {
		all, n := e.ids(c.prompt+c.completion), len(e.ids(c.completion))
		over := max(0, len(all)-10)
		ids := all[over:]
		want, greedy := 0.0, true
		for i := len(ids) - n; i < len(ids); i++ {
			x, best := logp(ids, i)
			want, greedy = want+x, greedy && best
		}
		l, err := p.Score(Question{Line: 7, Prompt: c.prompt, Completion: c.completion})
		if err != nil || l.Line != 7 || l.Tokens != n || l.Overflow != over || len(l.TokenLogprobs) != n || l.Greedy != greedy ||
			math.Abs(l.LogLikelihood-want) > 1e-4 || math.Abs(l.PerToken-want/float64(n)) > 1e-4 || math.Abs(l.PerByte-want/float64(len(c.completion))) > 1e-4 {
			t.Errorf("%q %q: %+v, %v; want %g of %d tokens, %d over, greedy %t", c.prompt, c.completion, l, err, want, n, over, greedy)
		}
		if first, _ := logp(ids, len(ids)-n); math.Abs(float64(l.TokenLogprobs[0])-first) > 1e-4 {
			t.Errorf("%q: the first token has %g, want %g", c.completion, l.TokenLogprobs[0], first)
		}
	}
	// The likeliest token for a place is what the model would write there.
	ids := e.ids("red green blue")
	likeliest := e.told(t, encode.Best, ids, 2).Best[0]
	if l, err := p.Score(Question{Prompt: "red green", Completion: " " + string(e.Tokens.TokenBytes(likeliest))}); err == nil && l.Tokens == 1 && e.ids(string(e.Tokens.TokenBytes(likeliest)))[0] == likeliest && !l.Greedy {
		t.Errorf("%q is the likeliest: %+v", e.Tokens.TokenBytes(likeliest), l)
	}
	for want, c := range map[string][2]string{
		`the completion " " has no token`:                          {"red", " "},
		"a completion of 11 tokens does not fit the context of 12": {"", strings.Repeat("red ", 11)},
	} {
		if _, err := p.Score(Question{Prompt: c[0], Completion: c[1]}); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}

	// Windows of 10 tokens, each document by itself.
	texts := []string{strings.Repeat("red green pink ", 4) + "blue", "black", ""}
	sum, tokens, right := 0.0, 0, 0
	for _, text := range texts {
		for window := range slices.Chunk(e.ids(text), 10) {
			for i := range window {
				x, best := logp(window, i)
				sum, tokens = sum-x, tokens+1
				if best {
					right++
				}
			}
		}
	}
	s, err := p.Texts(t.Context(), docs(texts...))
	if nll := sum / float64(tokens); err != nil || tokens != 14 || s.Tokens != 14 || s.Documents != 3 || math.Abs(s.NLL-nll) > 1e-4 || math.Abs(s.PPL-math.Exp(nll)) > 1e-2*s.PPL || s.Accuracy != float64(right)/14 {
		t.Errorf("%+v, %v; want %g of %d tokens, %d right", s, err, nll, tokens, right)
	}
	if _, err := p.Texts(t.Context(), docs("", " ")); err == nil || err.Error() != "the texts have no token" {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := p.Texts(t.Context(), func(yield func([]byte, error) bool) { yield(nil, broken) }); err != broken {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := p.Texts(stopped, docs("red")); err != context.Canceled {
		t.Error(err)
	}
}

// TestClassifierByDefinition: what is said of examples, against counts by hand.
func TestClassifierByDefinition(t *testing.T) {
	e := newEncoder(t, nn.Outputs{Pooled: true, Labels: []string{"warm", "cold", "none"}})
	k, err := NewClassifier(e)
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"red", "green", "blue", "yellow", "pink", "grey", "brown", "black", strings.Repeat("red blue ", 6)}
	said := map[string]int{}
	var all []examples.Example
	nll, right, cut := 0.0, 0, 0
	var there, told, both [3]int
	for i, text := range words {
		ids := e.ids(text)
		if len(ids) > 10 {
			ids = ids[:10]
			cut++
		}
		p := encode.Probabilities(e.told(t, encode.Classes, ids, -1).Classes)
		said[text] = slices.Index(p, slices.Max(p))
		label := i % 2 // no text is of the third class
		all = append(all, examples.Example{Text: text, Label: k.Labels[label], Origin: data.Origin{}})
		nll -= math.Log(p[label])
		there[label]++
		told[said[text]]++
		if said[text] == label {
			right++
			both[label]++
		}
		classes, short, err := k.Classes(text)
		if err != nil || short != (cut > 0) || len(classes) != 3 || classes[0].Label != k.Labels[said[text]] || math.Abs(classes[0].Probability-slices.Max(p)) > 1e-5 || math.Abs(classes[2].Probability-slices.Min(p)) > 1e-5 {
			t.Errorf("%q: %+v, cut %t, %v; want %v", text, classes, short, err, p)
		}
		for c, label := range k.Labels {
			l, err := k.Score(Question{Line: 3, Prompt: text, Completion: " " + label + "\n"})
			if want := math.Log(p[c]); err != nil || l.Line != 3 || l.Tokens != 1 || l.Greedy != (c == said[text]) || math.Abs(l.LogLikelihood-want) > 1e-4 ||
				l.PerToken != l.LogLikelihood || math.Abs(l.PerByte-want/6) > 1e-4 || len(l.TokenLogprobs) != 1 || l.TokenLogprobs[0] != float32(l.LogLikelihood) {
				t.Errorf("%q, %s: %+v, %v; want %g", text, label, l, err, want)
			}
		}
	}
	r, err := k.Examples(t.Context(), func(yield func(examples.Example, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil || r.Texts != 9 || r.Cut != 1 || math.Abs(r.NLL-nll/9) > 1e-4 || math.Abs(r.Accuracy-float64(right)/9) > 1e-9 {
		t.Errorf("%+v, %v; want an NLL of %g and %d right", r, err, nll/9, right)
	}
	share := func(a, b int) float64 { return float64(a) / float64(max(1, b)) }
	f1, counted := 0.0, 0
	for c, label := range k.Labels {
		s := r.Classes[label]
		if s.Texts != there[c] || s.Precision != share(both[c], told[c]) || s.Recall != share(both[c], there[c]) || math.Abs(s.F1-share(2*both[c], told[c]+there[c])) > 1e-12 {
			t.Errorf("%s: %+v; there %d, said %d, both %d", label, s, there[c], told[c], both[c])
		}
		if told[c]+there[c] > 0 {
			f1, counted = f1+s.F1, counted+1
		}
	}
	if math.Abs(r.F1-f1/float64(counted)) > 1e-12 {
		t.Errorf("F1 is %g, want %g", r.F1, f1/float64(counted))
	}
	second := "blue"
	one, _, err := k.Probabilities("red", nil)
	two, _, err2 := k.Probabilities("red", &second)
	if err != nil || err2 != nil || slices.Equal(one, two) {
		t.Errorf("a second text changes nothing: %v, %v, %v, %v", one, two, err, err2)
	}
	for want, e := range map[string]examples.Example{`the label "hot" is none of the model's classes ["warm" "cold" "none"]`: {Text: "red", Label: "hot"}, "the text is empty": {Text: " ", Label: "warm"}} {
		if _, err := k.Examples(t.Context(), func(yield func(examples.Example, error) bool) { yield(e, nil) }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := k.Examples(t.Context(), func(func(examples.Example, error) bool) {}); err == nil || err.Error() != "there are no examples" {
		t.Error(err)
	}
	if c, err := NewCompletions(e); err != nil {
		t.Error(err)
	} else if _, ok := c.(*Classifier); !ok {
		t.Errorf("the completions of a classifier are those of a %T", c)
	}
	if _, err := k.Score(Question{Prompt: "red", Completion: "hot"}); err == nil || !strings.Contains(err.Error(), `the completion "hot" is none of the classes`) {
		t.Error(err)
	}
}

// TestEmbedderByDefinition: the mean of a text's states, or the first, scaled or not, cut to what modules.json
// says, in order whatever the batch.
func TestEmbedderByDefinition(t *testing.T) {
	e := newEncoder(t, nn.Outputs{})
	texts := []string{"red", "green blue", "pink pink pink pink pink pink", "black", strings.Repeat("red blue ", 6)}
	for _, c := range []struct {
		modules      string
		tokens, cut  int
		first, units bool
	}{
		{"", 12, 1, false, false},
		{`[{"path": "", "type": "sentence_transformers.models.Transformer"}, {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]`, 6, 2, true, false},
		{`[{"path": "", "type": "sentence_transformers.models.Transformer"}, {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]`, 6, 2, false, true},
	} {
		dir := t.TempDir()
		if c.modules != "" {
			for name, text := range map[string]string{"modules.json": c.modules, "1_Pooling/config.json": `{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}`, "sentence_bert_config.json": `{"max_seq_length": 6}`} {
				file := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(text), 0o666)); err != nil {
					t.Fatal(err)
				}
			}
		}
		m, err := NewEmbedder(e, dir)
		if err != nil {
			t.Fatal(err)
		}
		if m.Tokens() != c.tokens || m.Pooling.First != c.first || m.Pooling.Unit != c.units {
			t.Errorf("%+v, want %d tokens, first %t, unit %t", m.Pooling, c.tokens, c.first, c.units)
		}
		i := 0
		cut, err := m.Embed(t.Context(), texts, func(one Embedding) error {
			ids := e.ids(texts[i])
			ids = ids[:min(len(ids), c.tokens-2)]
			told := e.told(t, encode.Mean|encode.First, ids, -1)
			want := told.Mean
			if c.first {
				want = told.First
			}
			length := 1.0
			if c.units {
				length = 0
				for _, x := range want {
					length += float64(x) * float64(x)
				}
				length = math.Sqrt(length)
			}
			if one.Text != texts[i] || !slices.EqualFunc(one.Embedding, want, func(a, b float32) bool { return math.Abs(float64(a)-float64(b)/length) < 1e-4 }) {
				t.Errorf("%q: %v, want %v by %g", one.Text, one.Embedding, want, length)
			}
			i++
			return nil
		})
		if err != nil || cut != c.cut || i != len(texts) {
			t.Errorf("%d embeddings, %d cut, want %d: %v", i, cut, c.cut, err)
		}
		broken := errors.New("broken")
		if _, err := m.Embed(t.Context(), texts, func(Embedding) error { return broken }); err != broken {
			t.Error(err)
		}
		if _, err := m.Embed(t.Context(), []string{"red", " "}, func(Embedding) error { return nil }); err == nil || err.Error() != `" ": the text is empty` {
			t.Error(err)
		}
	}
	if (Encoder{}).rows() != 16 || (Encoder{Batch: 5}).rows() != 5 {
		t.Error("rows that are read together")
	}
	if _, err := NewPseudo(e); err == nil {
		t.Error("a model without a head for masks scores tokens")
	}
	if c, err := NewCompletions(newEncoder(t, nn.Outputs{Masked: true})); err != nil {
		t.Error(err)
	} else if _, ok := c.(*Pseudo); !ok {
		t.Errorf("the completions of a masked model are those of a %T", c)
	}
}

// TestAnswers: each completion of each query by itself, in order.
func TestAnswers(t *testing.T) {
	broken := errors.New("broken")
	a := Answers(func(q Question) (Likelihood, error) {
		if q.Completion == "?" {
			return Likelihood{}, broken
		}
		return Likelihood{LogLikelihood: float64(len(q.Prompt)*100 + len(q.Completion)), Greedy: len(q.Completion) == 2, Overflow: len(q.Prompt) - 1}, nil
	})
	var got [][]Completion
	err := a.Score(t.Context(), []Query{{Prompt: "a", Completions: []string{"x", "xy"}}, {Prompt: "ab", Completions: []string{"xyz"}}}, func(i int, scores []Completion) error {
		if i != len(got) {
			t.Errorf("query %d comes as %d", i, len(got))
		}
		got = append(got, scores)
		return nil
	})
	if err != nil || len(got) != 2 || !slices.Equal(got[0], []Completion{{101, false, 0}, {102, true, 0}}) || !slices.Equal(got[1], []Completion{{203, false, 1}}) {
		t.Errorf("%v, %v", got, err)
	}
	if err := a.Score(t.Context(), []Query{{Source: "q.jsonl:3", Completions: []string{"?"}}}, nil); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "q.jsonl:3: ") {
		t.Error(err)
	}
	if err := a.Score(t.Context(), []Query{{Completions: []string{"x"}}}, func(int, []Completion) error { return broken }); err != broken {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := a.Score(stopped, []Query{{Completions: []string{"x"}}}, nil); err != context.Canceled {
		t.Error(err)
	}
	if _, _, err := a.Generate(t.Context(), "", nil, 1); err == nil || !strings.Contains(err.Error(), "take a task of multiple choice") {
		t.Error(err)
	}
}
