package eval

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
)

// subject is a model that knows nothing, with bytes for tokens.
func subject() (Subject, error) {
	tokens, err := bpe.Bytes()
	if err != nil {
		return Subject{}, err
	}
	model, err := gpt2.New(gpt2.Config{Layers: 1, Heads: 2, Width: 16, Context: 16, Vocab: tokens.Vocab()}, nn.Tuning{})
	if err != nil {
		return Subject{}, err
	}
	backend, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		return Subject{}, err
	}
	store := exec.NewStore(backend)
	for _, p := range model.Params() {
		if _, err := store.Ensure(p.Name, ir.F32, p.Shape); err != nil {
			return Subject{}, err
		}
	}
	end, _ := tokens.Special("<|endoftext|>")
	prompts := tokenizers.Prompts{Tokens: tokens, Empty: []int32{end}}
	return Subject{Model: model, Store: store, Tokens: tokens, Prompts: prompts, Ends: []int32{end}}, nn.Initialize(model.Params(), 1, store.WriteAt)
}

// likelihood is that of one completion, asked alone.
func likelihood(l *Language, prompt, completion string) (sum float64, err error) {
	err = l.Score(context.Background(), []Query{{Prompt: prompt, Completions: []string{completion}}}, func(_ int, scores []Completion) error {
		sum = scores[0].LogLikelihood
		return nil
	})
	return sum, err
}

func Example() {
	s, err := subject() // a model with its tokenizer
	if err != nil {
		fmt.Println(err)
		return
	}
	scorer, err := NewScorer(s)
	if err != nil {
		fmt.Println(err)
		return
	}
	questions, err := ParseQuestions([]byte(`{"prompt": "Light is", "completion": " fast"}`), "questions.jsonl")
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := scorer.Score(questions[0])
	fmt.Println(l.Tokens, l.LogLikelihood < 0, l.Greedy, err)
	// Output: 5 true false <nil>
}

// TestScore holds scores to the chain rule, and a Language to a Scorer.
func TestScore(t *testing.T) {
	s, err := subject()
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := NewScorer(s)
	if err != nil {
		t.Fatal(err)
	}
	score := func(prompt, completion string) Likelihood {
		t.Helper()
		l, err := scorer.Score(Question{Prompt: prompt, Completion: completion})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	whole, first, second := score("line", "ab"), score("line", "a"), score("linea", "b")
	if d := whole.LogLikelihood - first.LogLikelihood - second.LogLikelihood; math.Abs(d) > 1e-4 || whole.PerToken != whole.LogLikelihood/2 {
		t.Errorf("%+v is not %+v and %+v", whole, first, second)
	}
	if l := score(strings.Repeat("x", 30), "yz"); l.Overflow != 15 {
		t.Errorf("of 30 tokens before 2 in a context of 16 there are %d too many, want 15", l.Overflow)
	}
	if l := score("", "l"); l.Tokens != 1 || !(l.LogLikelihood < 0) {
		t.Errorf("without a prompt: %+v", l)
	}
	if l := score("spaces  ", "x"); l.Tokens != 3 {
		t.Errorf("spaces at the end of a prompt count to the completion: %+v", l)
	}
	other, err := subject()
	if err != nil {
		t.Fatal(err)
	}
	language := NewLanguage(other, nil, 2)
	for range 2 { // the caches are used again
		sum, err := likelihood(language, "line", "ab")
		if err != nil || math.Abs(sum-whole.LogLikelihood) > 1e-4 {
			t.Errorf("a language gives %g, %v; a scorer %g", sum, err, whole.LogLikelihood)
		}
	}
	if text, _, err := language.Generate(t.Context(), "line", nil, 3); err != nil || len(text) == 0 || len(text) > 3*len("<|endoftext|>") {
		t.Errorf("it goes on with %q, %v", text, err)
	}
}

func TestParseQuestions(t *testing.T) {
	got, err := ParseQuestions([]byte("\n{\"prompt\":\"\",\"completion\":\"b\",\"id\":7}\n\n{\"prompt\":\"c\",\"completion\":\"d\"}"), "q")
	if err != nil || len(got) != 2 || got[0] != (Question{"", "b", 2}) || got[1] != (Question{"c", "d", 4}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"": "q has no lines", "[]": "q:1: not a JSON object", "{\"prompt\":\"a\"}": `q:1: there is no "completion"`, "\n{\"completion\":\"a\"}": `q:2: there is no "prompt"`,
		"{\"prompt\":1}": `"prompt" is a number; make it a string`, "{": "q:1: not a JSON object, at byte 1",
	} {
		if _, err := ParseQuestions([]byte(text), "q"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseQuestion(f *testing.F) {
	for _, s := range []string{`{"prompt":"a","completion":"b"}`, `{"prompt":null}`, `[]`, `{"prompt":"`, `{"completion":{}}`, ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		q, err := parseQuestion(line)
		if err == nil && q.Completion == "" {
			t.Errorf("%q is accepted as %+v", line, q)
		}
	})
}
