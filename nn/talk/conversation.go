package talk

import (
	"context"
	"errors"
	"slices"
	"time"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/nn/generate"
)

// Conversation is what one user and the model have said. Make it with New, and Wait
// before its Generator is used for anything else.
type Conversation struct {
	speaker  Speaker
	messages []chat.Message
	ready    chan error // of the prefill; nil when nothing uses the generator
}

// Turn is a question with its answer.
type Turn struct {
	User string `json:"user"`
	Answer
}

// New begins a conversation, in which the system says something first unless that is
// empty.
func New(s Speaker, system string) *Conversation {
	c := &Conversation{speaker: s}
	c.Reset(system)
	return c
}

// System is what the system says.
func (c *Conversation) System() string { return systemOf(c.messages) }

// Messages are what was said, as far as it fits the context.
func (c *Conversation) Messages() []chat.Message { return slices.Clone(c.messages) }

// Reset begins anew. In the background the tokens before the first question enter the
// caches; an error of that comes back from the next Ask or Wait.
func (c *Conversation) Reset(system string) {
	failed := c.Wait()
	c.messages = nil
	if system != "" {
		c.messages = []chat.Message{{Role: chat.System, Content: system}}
	}
	ready, messages := make(chan error, 1), slices.Clone(c.messages)
	c.ready = ready
	go func() { ready <- errors.Join(failed, c.prefill(messages)) }()
}

// Set changes how answers are sampled from here on, and how long they are at most.
func (c *Conversation) Set(s generate.Sampling, maxTokens int) {
	c.speaker.Sampling, c.speaker.MaxTokens = s, maxTokens
}

// ErrNoAnswer says that there is no answer yet to make again.
var ErrNoAnswer = errors.New("there is no answer yet")

// Retry takes the newest answer back and asks again. Without another seed or sampling the
// answer is the same.
func (c *Conversation) Retry(ctx context.Context, emit func(piece []byte) error) (Turn, error) {
	n := len(c.messages)
	if n < 2 || c.messages[n-1].Role != chat.Assistant {
		return Turn{}, ErrNoAnswer
	}
	said := c.messages
	c.messages = said[: n-2 : n-2]
	turn, err := c.Ask(ctx, said[n-2].Content, emit)
	if err != nil && !errors.Is(err, context.Canceled) {
		c.messages = said
	}
	return turn, err
}

// Wait returns when nothing of the conversation uses the generator, with the error of
// the prefill.
func (c *Conversation) Wait() error {
	if c.ready == nil {
		return nil
	}
	err := <-c.ready
	c.ready = nil
	return err
}

// prefill fills the caches with the tokens that every first question follows.
func (c *Conversation) prefill(messages []chat.Message) error {
	var prompts [2][]int32
	for i, question := range []string{"A", "1"} {
		var err error
		if prompts[i], err = c.speaker.Frame.Prompt(append(messages, chat.Message{Role: chat.User, Content: question})...); err != nil {
			return err
		}
	}
	n := generate.CommonPrefix(prompts[0], prompts[1])
	if n > c.speaker.Generator.Context() {
		return nil // the question will say so
	}
	return c.speaker.Generator.Resume(prompts[0][:n])
}

// Ask says something and returns the answer, of which emit, unless nil, gets each piece
// as it is made. When ctx ends, the answer so far becomes part of the conversation and
// the error is context.Canceled.
func (c *Conversation) Ask(ctx context.Context, text string, emit func(piece []byte) error) (Turn, error) {
	said := append(slices.Clone(c.messages), chat.Message{Role: chat.User, Content: text})
	prompt, kept, err := c.speaker.fit(said)
	if err != nil {
		return Turn{}, err
	}
	start := time.Now()
	if err := c.Wait(); err != nil {
		return Turn{}, err
	}
	answer, err := c.speaker.generate(ctx, start, prompt, emit)
	if err != nil && !errors.Is(err, context.Canceled) {
		return Turn{}, err
	}
	c.messages = append(kept, chat.Message{Role: chat.Assistant, Content: answer.Text})
	return Turn{text, answer}, err
}
