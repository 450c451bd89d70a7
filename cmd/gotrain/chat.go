package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gotrain/data/chat"
	"gotrain/data/hf"
	"gotrain/data/instruct"
	"gotrain/nn/generate"
)

// chatFlags say whom to talk to and how.
type chatFlags struct {
	modelFlags
	samplingFlags
	system   string
	template string
}

func newChat() *cobra.Command {
	var f chatFlags
	c := &cobra.Command{
		Use:   "chat",
		Short: "Talk to a fine-tuned model",
		Long: `Chat holds a conversation: what you type goes through the checkpoint's own chat
template, the answer comes as it is written and ends by itself at the end-of-turn
token. On a terminal lines can be edited and earlier ones come back with the arrow
keys; otherwise each line of standard input is a turn.

  /system TEXT  sets what the system says and begins anew; without TEXT nothing
  /reset        begins anew
  /quit, ctrl-D leaves; ctrl-C stops an answer`,
		Example: `  gotrain chat --model runs/finetune-instruct
  echo "What does strings.Cut do?" | gotrain chat --model runs/finetune-instruct --greedy`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "model"); err != nil {
				return usageError{err}
			}
			return f.run(c)
		},
	}
	f.modelFlags.add(c)
	c.Flags().StringVar(&f.system, "system", "", "`TEXT` that the system says first")
	c.Flags().StringVar(&f.template, "template", "", "chat template `NAME`: "+strings.Join(chat.Names(), ", ")+" (default: the checkpoint's own)")
	f.samplingFlags.add(c, 0, "at most `N` tokens an answer, 0 for what the context holds", generate.Sampling{Temperature: 0.7, TopP: 0.95})
	complete(c, "template", fixed(chat.Names()...))
	return c
}

func (f *chatFlags) run(c *cobra.Command) error {
	if err := f.resolve(); err != nil {
		return err
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	t, err := f.newTalk(m)
	if err != nil {
		return err
	}
	err = t.converse(c, openLines(c))
	if err = errors.Join(err, t.wait()); err != nil || !f.json {
		return err
	}
	return writeJSON(c.OutOrStdout(), talkResult{Model: m.Dir, Turns: t.turns})
}

// talk is a conversation with a model.
type talk struct {
	flags     *chatFlags
	model     *opened
	generator *generate.Generator
	encoder   *instruct.Encoder
	stop      []int32
	messages  []chat.Message
	ready     chan error // of the prefill of what every first question follows
	turns     []turn     // for --json
}

func (f *chatFlags) newTalk(m *opened) (*talk, error) {
	encoder, stop, err := chatEncoder(m, f.template)
	if err != nil {
		return nil, err
	}
	t := &talk{flags: f, model: m, encoder: encoder, stop: stop}
	if t.generator, err = generate.New(m.Model, m.Store, generate.Config{Compute: m.Config.Compute()}); err != nil {
		return nil, err
	}
	t.reset(f.system)
	return t, nil
}

// chatEncoder makes the encoder of the chat template called name, without a name of
// the model's own, and finds the tokens that end an answer: those that end a text
// and those that end the template's turns.
func chatEncoder(m *opened, name string) (*instruct.Encoder, []int32, error) {
	roles, err := hf.ReadRoles(m.Dir)
	if err != nil {
		return nil, nil, err
	}
	template, err := chatTemplate(name, m.Dir, roles)
	if err != nil {
		return nil, nil, err
	}
	encoder := instruct.NewEncoder(m.Tokenizer, template, chatVars(roles))
	sample, err := encoder.Example(chat.Conversation{Source: "chat template " + template.Name(), Messages: []chat.Message{
		{Role: chat.User, Content: "Hello."}, {Role: chat.Assistant, Content: "Hello."},
	}}, instruct.LossAssistant)
	if err != nil {
		return nil, nil, err
	}
	stop := m.EndTokens()
	for _, id := range sample.Ends {
		if isSpecial(m, id) && !slices.Contains(stop, id) {
			stop = append(stop, id)
		}
	}
	if len(stop) == 0 {
		return nil, nil, usagef("neither the model nor the chat template %s has a token that ends a turn; use another --template", template.Name())
	}
	return encoder, stop, nil
}

// chatVars are what a template may name.
func chatVars(roles hf.Roles) chat.Vars {
	return chat.Vars{BOS: roles.BOS, EOS: roles.EOS, Now: time.Now()}
}

func isSpecial(m *opened, id int32) bool {
	return slices.ContainsFunc(m.Tokenizer.Specials(), func(a hf.AddedToken) bool { return a.ID == id })
}

// chatTemplate is the shipped one called name or, without a name, that of the
// model in dir.
func chatTemplate(name, dir string, roles hf.Roles) (*chat.Template, error) {
	switch {
	case name != "":
		template, err := chat.Named(name)
		if err != nil {
			return nil, usagef("--template: %w", err)
		}
		return template, nil
	case roles.ChatTemplate == "":
		return nil, usagef("%s has no chat template: it was not fine-tuned on conversations; name one with --template", dir)
	}
	return chat.Parse("of "+dir, roles.ChatTemplate)
}

// reset begins anew with what the system says. While the user types, the tokens
// before the first question enter the caches.
func (t *talk) reset(system string) {
	failed := t.wait()
	t.messages = t.messages[:0]
	if system != "" {
		t.messages = append(t.messages, chat.Message{Role: chat.System, Content: system})
	}
	ready, messages := make(chan error, 1), slices.Clone(t.messages)
	t.ready = ready
	go func() { ready <- errors.Join(failed, t.prefill(messages)) }()
}

// wait returns when nothing uses the generator any more, with the error of the
// prefill.
func (t *talk) wait() error {
	if t.ready == nil {
		return nil
	}
	err := <-t.ready
	t.ready = nil
	return err
}

// prefill fills the caches with the tokens that every first question follows.
func (t *talk) prefill(messages []chat.Message) error {
	var prompts [2][]int32
	for i, question := range []string{"A", "1"} {
		var err error
		if prompts[i], err = t.encoder.Prompt(append(messages, chat.Message{Role: chat.User, Content: question})); err != nil {
			return err
		}
	}
	n := generate.CommonPrefix(prompts[0], prompts[1])
	if n > t.generator.Context() {
		return nil // the question will say so
	}
	return t.generator.Resume(prompts[0][:n])
}

// talkResult is what --json prints.
type talkResult struct {
	Model string `json:"model"`
	Turns []turn `json:"turns"`
}

// turn is a line of the user with its answer.
type turn struct {
	User       string          `json:"user"`
	Assistant  string          `json:"assistant"`
	EndedBy    generate.Reason `json:"ended_by"`
	Tokens     int             `json:"tokens"`
	FirstMS    float64         `json:"first_token_ms"`
	TokensPerS float64         `json:"tokens_per_s"` // behind the first
}

// converse answers line by line to the end of the input.
func (t *talk) converse(c *cobra.Command, lines lineReader) error {
	for {
		line, err := lines.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line = strings.TrimSpace(line)
		command, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "":
		case command == "/quit" || command == "/exit":
			return nil
		case command == "/reset":
			t.reset(t.system())
			fmt.Fprintln(c.ErrOrStderr(), "a new conversation")
		case command == "/system":
			t.reset(strings.TrimSpace(rest))
			fmt.Fprintln(c.ErrOrStderr(), "a new conversation")
		case strings.HasPrefix(line, "/"):
			fmt.Fprintf(c.ErrOrStderr(), "%s is no command; there are /system TEXT, /reset and /quit\n", command)
		default:
			if err := t.answer(c, line); err != nil {
				return err
			}
		}
		if c.Context().Err() != nil {
			return errors.New("interrupted")
		}
	}
}

func (t *talk) system() string {
	if len(t.messages) > 0 && t.messages[0].Role == chat.System {
		return t.messages[0].Content
	}
	return ""
}

// answer lets the model answer a line. The oldest turns leave a conversation
// that no longer fits the context.
func (t *talk) answer(c *cobra.Command, line string) error {
	t.messages = append(t.messages, chat.Message{Role: chat.User, Content: line})
	prompt, err := t.prompt(c.ErrOrStderr())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
	defer stop()
	var text []byte
	var first time.Duration
	start := time.Now()
	if err := t.wait(); err != nil {
		return err
	}
	options := generate.Options{Sampling: t.flags.sampling, MaxTokens: t.flags.maxTokens, Stop: t.stop, Reuse: true}
	result, err := t.generator.Generate(ctx, prompt, options, func(token int32) error {
		if first == 0 {
			first = time.Since(start)
		}
		piece := t.model.Tokenizer.TokenBytes(token)
		text = append(text, piece...)
		if t.flags.json {
			return nil
		}
		_, err := c.OutOrStdout().Write(piece)
		return err
	})
	seconds := (time.Since(start) - first).Seconds()
	if !t.flags.json {
		fmt.Fprintln(c.OutOrStdout())
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	t.messages = append(t.messages, chat.Message{Role: chat.Assistant, Content: strings.TrimSpace(string(text))})
	t.turns = append(t.turns, turn{
		User: line, Assistant: strings.TrimSpace(string(text)), EndedBy: result.Reason, Tokens: len(result.Tokens),
		FirstMS: 1e3 * first.Seconds(), TokensPerS: float64(max(0, len(result.Tokens)-1)) / max(seconds, 1e-9),
	})
	if t.flags.json {
		return nil
	}
	if result.Reason != generate.Stopped && err == nil {
		fmt.Fprintf(c.ErrOrStderr(), "(cut off by %s)\n", reasonText(result.Reason))
	}
	return nil
}

// prompt returns the tokens of the conversation with room for an answer.
func (t *talk) prompt(warn io.Writer) ([]int32, error) {
	room := t.generator.Context() - min(max(t.flags.maxTokens, 32), t.generator.Context()/2)
	for {
		ids, err := t.encoder.Prompt(t.messages)
		if err != nil || len(ids) <= room {
			return ids, err
		}
		first := 0
		if t.system() != "" {
			first = 1
		}
		if len(t.messages)-first < 3 {
			return nil, fmt.Errorf("the message has %d tokens with its frame, the model's context leaves %d; say less", len(ids), room)
		}
		t.messages = slices.Delete(t.messages, first, first+2)
		fmt.Fprintln(warn, "(the oldest turn no longer fits the context and is forgotten)")
	}
}

// lineReader gives what the user types.
type lineReader interface{ ReadLine() (string, error) }

// openLines reads lines with editing and history from a terminal, plain ones from
// anything else.
func openLines(c *cobra.Command) lineReader {
	in, isFile := c.InOrStdin().(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return &plainLines{bufio.NewReader(c.InOrStdin())}
	}
	fmt.Fprintln(c.ErrOrStderr(), "/system TEXT, /reset, /quit; ctrl-C stops an answer")
	signal.Reset(os.Interrupt) // not the program
	return &terminalLines{in: in, editor: term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, c.OutOrStdout()}, "> ")}
}

type plainLines struct{ r *bufio.Reader }

// ReadLine returns the next line, the last one also without a line end.
func (p *plainLines) ReadLine() (string, error) {
	line, err := p.r.ReadString('\n')
	if err == io.EOF && line != "" {
		err = nil
	}
	return line, err
}

// terminalLines edits lines in raw mode; between lines the terminal is as before,
// so that ctrl-C reaches the program.
type terminalLines struct {
	in     *os.File
	editor *term.Terminal
}

// ReadLine lets the user edit a line.
func (t *terminalLines) ReadLine() (string, error) {
	state, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return "", err
	}
	line, err := t.editor.ReadLine()
	return line, errors.Join(err, term.Restore(int(t.in.Fd()), state))
}
