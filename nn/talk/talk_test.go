package talk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/talk"
)

// speaker is a model that knows nothing, with bytes for tokens.
func speaker() (talk.Speaker, error) {
	tokens, err := bpe.Bytes()
	if err != nil {
		return talk.Speaker{}, err
	}
	model, err := gpt2.New(gpt2.Config{Layers: 1, Heads: 2, Width: 16, Context: 96, Vocab: tokens.Vocab()}, nn.Tuning{})
	if err != nil {
		return talk.Speaker{}, err
	}
	backend, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		return talk.Speaker{}, err
	}
	store := exec.NewStore(backend)
	for _, p := range model.Params() {
		if _, err := store.Ensure(p.Name, ir.F32, p.Shape); err != nil {
			return talk.Speaker{}, err
		}
	}
	if err := nn.Initialize(model.Params(), 1, store.WriteAt); err != nil {
		return talk.Speaker{}, err
	}
	generator, err := generate.New(model, store, generate.Config{})
	if err != nil {
		return talk.Speaker{}, err
	}
	template, vars, err := talk.OpenTemplate("plain", "", time.Now())
	if err != nil {
		return talk.Speaker{}, err
	}
	end, _ := tokens.Special("<|endoftext|>")
	frame, err := talk.NewFrame(tokens, template, vars, []int32{end})
	return talk.Speaker{Generator: generator, Tokens: tokens, Frame: frame, MaxTokens: 4}, err
}

func Example() {
	s, err := speaker() // of a model, its tokenizer and a chat template
	if err != nil {
		fmt.Println(err)
		return
	}
	c := talk.New(s, "Be brief.")
	var streamed int
	turn, err := c.Ask(context.Background(), "What is a rune?", func(piece []byte) error {
		streamed++
		return nil
	})
	fmt.Println(turn.Tokens == streamed, turn.EndedBy, len(c.Messages()), err)
	// Output: true length 3 <nil>
}

func newSpeaker(t *testing.T) talk.Speaker {
	t.Helper()
	s, err := speaker()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConversation is what a speaker answers to the same messages.
func TestConversation(t *testing.T) {
	c, other := talk.New(newSpeaker(t), "Be brief."), newSpeaker(t)
	if c.System() != "Be brief." {
		t.Errorf("the system says %q", c.System())
	}
	for range 2 {
		turn, err := c.Ask(t.Context(), "Hi", nil)
		if err != nil {
			t.Fatal(err)
		}
		messages := c.Messages()
		again, err := other.Answer(t.Context(), messages[:len(messages)-1], nil)
		if err != nil || turn.User != "Hi" || again.Text != turn.Text || again.Tokens != turn.Tokens {
			t.Errorf("got %+v, a speaker of its own says %+v, %v", turn, again, err)
		}
	}
	if c.Reset(""); len(c.Messages()) != 0 || c.System() != "" || c.Wait() != nil {
		t.Errorf("after a reset there are %v", c.Messages())
	}
}

// TestForgets: the oldest turns leave, what the system says and the newest question stay.
func TestForgets(t *testing.T) {
	s := newSpeaker(t)
	forgotten := 0
	s.Forgotten = func() { forgotten++ }
	c := talk.New(s, "Be kind.")
	for i := range 6 {
		if _, err := c.Ask(t.Context(), fmt.Sprint("Question ", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	m := c.Messages()
	if forgotten == 0 || m[0].Role != chat.System || m[len(m)-2].Content != "Question 5" || len(m) != 1+2*(6-forgotten) {
		t.Errorf("%d forgotten of %+v", forgotten, m)
	}
	if _, err := c.Ask(t.Context(), strings.Repeat("long ", 40), nil); err == nil || !strings.Contains(err.Error(), "say less") {
		t.Errorf("a message that does not fit: %v", err)
	}
	if after := c.Messages(); len(after) != len(m) {
		t.Errorf("a message that was refused changes %+v to %+v", m, after)
	}
}

// TestStop keeps what was said until the user had enough.
func TestStop(t *testing.T) {
	c := talk.New(newSpeaker(t), "")
	ctx, stop := context.WithCancel(t.Context())
	turn, err := c.Ask(ctx, "Hi", func([]byte) error {
		stop()
		return nil
	})
	if !errors.Is(err, context.Canceled) || turn.Tokens == 0 || turn.Tokens == 4 || len(c.Messages()) != 2 {
		t.Errorf("got %+v, %v, %+v", turn, err, c.Messages())
	}
}

func TestFaults(t *testing.T) {
	if _, _, err := talk.OpenTemplate("", t.TempDir(), time.Now()); !errors.Is(err, talk.ErrNoTemplate) {
		t.Errorf("a model without a template: %v", err)
	}
	if _, _, err := talk.OpenTemplate("latin", "", time.Now()); err == nil {
		t.Error("a template of that name is shipped")
	}
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	silent, err := chat.Parse("silent", "{% for m in messages %}{{ m.content }}\n{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := talk.NewFrame(tokens, silent, chat.Vars{}, nil); !errors.Is(err, talk.ErrNoEnd) {
		t.Errorf("a template without an end: %v", err)
	}
}
