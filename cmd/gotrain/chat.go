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

	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/talk"
)

// chatFlags say whom to talk to and how.
type chatFlags struct {
	modelFlags
	samplingFlags
	system string
	templateFlags
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

` + helpOfCommands("  "),
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
	f.addTemplate(c, "")
	f.samplingFlags.add(c, 0, "at most `N` tokens an answer, 0 for what the context holds", generate.Sampling{Temperature: 0.7, TopP: 0.95})
	return c
}

func (f *chatFlags) run(c *cobra.Command) error {
	if err := f.resolve(); err != nil {
		return err
	}
	m, err := f.openLanguage()
	if err != nil {
		return err
	}
	defer m.Close()
	frame, err := m.frame(f.templateFlags)
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
	lines := openLines(c)
	s := chatSession{cobra: c, flags: f, talk: talker, result: chatResult{Model: m.Dir}}
	err = s.converse(lines)
	if err = errors.Join(err, talker.Wait(), lines.Close()); err != nil || !f.json {
		return err
	}
	return writeJSON(c.OutOrStdout(), s.result)
}

// chatResult is what --json prints.
type chatResult struct {
	Model string      `json:"model"`
	Turns []talk.Turn `json:"turns"`
}

// chatSession is a conversation in progress.
type chatSession struct {
	cobra  *cobra.Command
	flags  *chatFlags
	talk   *talk.Conversation
	result chatResult
}

// converse answers line by line to the end of the input.
func (s *chatSession) converse(lines lineReader) error {
	for {
		line, err := lines.ReadLine()
		if err == nil {
			line = strings.TrimSpace(line)
			switch {
			case line == "":
			case strings.HasPrefix(line, "/"):
				err = s.command(line)
			default:
				err = s.answer(func(ctx context.Context, emit func([]byte) error) (talk.Turn, error) {
					return s.talk.Ask(ctx, line, emit)
				})
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && s.cobra.Context().Err() != nil {
			err = errors.New("interrupted")
		}
		if err != nil {
			return err
		}
	}
}

// answer prints what the model says as it comes; an interrupt stops it.
func (s *chatSession) answer(ask func(ctx context.Context, emit func(piece []byte) error) (talk.Turn, error)) error {
	ctx, stop := signal.NotifyContext(s.cobra.Context(), os.Interrupt)
	defer stop()
	out := s.cobra.OutOrStdout()
	turn, err := ask(ctx, func(piece []byte) error {
		if s.flags.json {
			return nil
		}
		_, err := out.Write(piece)
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if s.result.Turns = append(s.result.Turns, turn); s.flags.json {
		return nil
	}
	fmt.Fprintln(out)
	if err == nil && turn.EndedBy != generate.Stopped {
		s.tell("(cut off by %s)", reasonText(turn.EndedBy))
	}
	return nil
}
