package talk_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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

// TestRetry: the newest answer is taken back and made again, with other sampling where that was
// set; what goes wrong leaves the conversation as it was.
func TestRetry(t *testing.T) {
	c := talk.New(newSpeaker(t), "")
	if _, err := c.Retry(t.Context(), nil); !errors.Is(err, talk.ErrNoAnswer) {
		t.Errorf("without an answer: %v", err)
	}
	first, err := c.Ask(t.Context(), "One", nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Ask(t.Context(), "Two", nil)
	if err != nil {
		t.Fatal(err)
	}
	before := c.Messages()
	again, err := c.Retry(t.Context(), nil)
	if err != nil || again.Text != second.Text || again.User != "Two" || !reflect.DeepEqual(c.Messages(), before) {
		t.Errorf("again %+v, %v; first %+v; %+v", again, err, second, c.Messages())
	}
	c.Set(generate.Sampling{}, 2)
	if short, err := c.Retry(t.Context(), nil); err != nil || short.Tokens > 2 || len(c.Messages()) != 4 || c.Messages()[1].Content != first.Text {
		t.Errorf("of two tokens: %+v, %v, %+v", short, err, c.Messages())
	}
	before = c.Messages()
	failed := errors.New("the window is closed")
	if _, err := c.Retry(t.Context(), func([]byte) error { return failed }); !errors.Is(err, failed) || !reflect.DeepEqual(c.Messages(), before) {
		t.Errorf("%v, %+v", err, c.Messages())
	}
	if turn, err := c.Ask(t.Context(), "Three", func([]byte) error { return failed }); !errors.Is(err, failed) || turn != (talk.Turn{}) || !reflect.DeepEqual(c.Messages(), before) {
		t.Errorf("%+v, %v, %+v", turn, err, c.Messages())
	}
	ctx, stop := context.WithCancel(t.Context())
	if _, err := c.Retry(ctx, func([]byte) error { stop(); return nil }); !errors.Is(err, context.Canceled) || len(c.Messages()) != 4 {
		t.Errorf("an answer that was stopped: %v, %+v", err, c.Messages())
	}
}

// TestTimesOfAnswers: the first token comes within the answer's time, behind none of them.
func TestTimesOfAnswers(t *testing.T) {
	s := newSpeaker(t)
	began := time.Now()
	answer, err := s.Answer(t.Context(), []chat.Message{{Role: chat.User, Content: "Hi"}}, nil)
	if all := float64(time.Since(began)) / 1e6; err != nil || !(answer.FirstMS > 0) || answer.FirstMS > all || !(answer.TokensPerS > 1e3*float64(answer.Tokens-1)/all) {
		t.Errorf("%+v of %g ms, %v", answer, all, err)
	}
}
