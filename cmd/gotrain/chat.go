package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"

	"gotrain/data/chat"
	"gotrain/nn/generate"
	"gotrain/nn/talk"
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
	frame, err := m.frame(f.template)
	if err != nil {
		return err
	}
	generator, err := generate.New(m.Language, m.Store, generate.Config{Compute: m.config.Compute()})
	if err != nil {
		return err
	}
	talker := talk.New(talk.Speaker{Generator: generator, Tokens: m.Tokenizer, Frame: frame, Sampling: f.sampling, MaxTokens: f.maxTokens, Forgotten: func() {
		fmt.Fprintln(c.ErrOrStderr(), "(the oldest turn no longer fits the context and is forgotten)")
	}}, f.system)
	r := chatResult{Model: m.Dir}
	err = f.converse(c, talker, openLines(c), &r)
	if err = errors.Join(err, talker.Wait()); err != nil || !f.json {
		return err
	}
	return writeJSON(c.OutOrStdout(), r)
}

// chatResult is what --json prints.
type chatResult struct {
	Model string      `json:"model"`
	Turns []talk.Turn `json:"turns"`
}

// converse answers line by line to the end of the input.
func (f *chatFlags) converse(c *cobra.Command, t *talk.Conversation, lines lineReader, r *chatResult) error {
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
			t.Reset(t.System())
			fmt.Fprintln(c.ErrOrStderr(), "a new conversation")
		case command == "/system":
			t.Reset(strings.TrimSpace(rest))
			fmt.Fprintln(c.ErrOrStderr(), "a new conversation")
		case strings.HasPrefix(line, "/"):
			fmt.Fprintf(c.ErrOrStderr(), "%s is no command; there are /system TEXT, /reset and /quit\n", command)
		default:
			if err := f.ask(c, t, line, r); err != nil {
				return err
			}
		}
		if c.Context().Err() != nil {
			return errors.New("interrupted")
		}
	}
}

// ask prints the answer to a line as it comes; an interrupt stops it.
func (f *chatFlags) ask(c *cobra.Command, t *talk.Conversation, line string, r *chatResult) error {
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
	defer stop()
	turn, err := t.Ask(ctx, line, func(piece []byte) error {
		if f.json {
			return nil
		}
		_, err := c.OutOrStdout().Write(piece)
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if r.Turns = append(r.Turns, turn); f.json {
		return nil
	}
	fmt.Fprintln(c.OutOrStdout())
	if err == nil && turn.EndedBy != generate.Stopped {
		fmt.Fprintf(c.ErrOrStderr(), "(cut off by %s)\n", reasonText(turn.EndedBy))
	}
	return nil
}
