package talk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/synth/bootstrap"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/talk"
)

// author is a model that knows nothing, in a context of 96 bytes.
func author(t *testing.T, template bool) *talk.Author {
	t.Helper()
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	model, err := gpt2.New(gpt2.Config{Layers: 1, Heads: 2, Width: 16, Context: 96, Vocab: tokens.Vocab()}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	backend, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	store := exec.NewStore(backend)
	for _, p := range model.Params() {
		if _, err := store.Ensure(p.Name, ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := nn.Initialize(model.Params(), 1, store.WriteAt); err != nil {
		t.Fatal(err)
	}
	batch, err := generate.NewBatch(model, store, generate.BatchConfig{Rows: 8})
	if err != nil {
		t.Fatal(err)
	}
	end, _ := tokens.Special("<|endoftext|>")
	a := &talk.Author{Batch: batch, Tokens: tokens, Plain: tokenizers.Prompts{Tokens: tokens}, Ends: []int32{end}, Sampling: generate.Sampling{Temperature: 1}, Model: bootstrap.About{Model: "tiny", Hash: "1"}}
	if template {
		s, err := speaker()
		if err != nil {
			t.Fatal(err)
		}
		a.Frame = s.Frame
	}
	return a
}

// TestAuthor: an answer is the same alone and among others, ends where it has to, and a prompt that does not fit is its fault.
func TestAuthor(t *testing.T) {
	for _, template := range []bool{false, true} {
		a := author(t, template)
		var prompts []bootstrap.Prompt
		for i := range 12 {
			prompts = append(prompts, bootstrap.Prompt{Text: fmt.Sprintf("Tell %d", i/2), Seed: uint64(i), MaxTokens: 20 + i, Begin: []string{"", "A:"}[i%2]})
		}
		prompts = append(prompts, bootstrap.Prompt{Text: "<|endoftext|>", Form: bootstrap.Rendered, MaxTokens: 5}, bootstrap.Prompt{Text: strings.Repeat("long ", 30), MaxTokens: 5})
		ask := func(list []bootstrap.Prompt) []bootstrap.Answer {
			answers := make([]bootstrap.Answer, len(list))
			if err := a.Answer(context.Background(), list, func(i int, answer bootstrap.Answer) error { answers[i] = answer; return nil }); err != nil {
				t.Fatal(err)
			}
			return answers
		}
		together := ask(prompts)
		for i, p := range prompts {
			if alone := ask([]bootstrap.Prompt{p})[0]; alone != together[i] {
				t.Errorf("prompt %d: %+v alone, %+v among others", i, alone, together[i])
			}
		}
		if together[0].Text == together[1].Text {
			t.Errorf("two seeds give %q", together[0].Text)
		}
		if f := together[13].Fault; !strings.Contains(f, "the context 96") || together[12].Fault != "" {
			t.Errorf("%q, %q", f, together[12].Fault)
		}
		whole := together[3].Text
		at := 1 + strings.IndexFunc(whole[1:], func(c rune) bool { return c < 0x80 }) // a whole character
		stop := whole[at : at+1]
		p := prompts[3]
		p.Stop = []string{stop}
		before, _, _ := strings.Cut(whole, stop)
		if got := ask([]bootstrap.Prompt{p})[0]; got.Text != before || !got.Ended {
			t.Errorf("%q before %q: %+v", whole, stop, got)
		}
		if about := a.About(); about.Model != "tiny" || !strings.Contains(about.Sampling, fmt.Sprintf("chat %t", template)) {
			t.Errorf("%+v", about)
		}
	}
	enough := errors.New("enough")
	if err := author(t, false).Answer(context.Background(), make([]bootstrap.Prompt, 3), func(int, bootstrap.Answer) error { return enough }); err == nil {
		t.Error("no error")
	}
}
