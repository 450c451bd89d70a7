package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/train/eval"
)

// scoreFlags say what to score.
type scoreFlags struct {
	modelFlags
	templateFlags
	data string
}

func newScore() *cobra.Command {
	var f scoreFlags
	c := &cobra.Command{
		Use:   "score",
		Short: "Log-likelihood of completions, for multiple choice and few-shot",
		Long: `Score reads a JSON object {"prompt": TEXT, "completion": TEXT} from each line and
gives the log-likelihood of the completion after the prompt in nats: its sum, its
mean per token and per byte, and whether greedy decoding gives this completion.

Prompt and completion are one text to the tokenizer, as in lm-evaluation-harness:
before it stands what the tokenizer puts before a text, such as BOS, and white space
at the end of a prompt counts to its completion. An empty prompt stands for the
beginning of a text: BOS, else EOS. A prompt too long for the context loses its
beginning; a completion must fit whole.

Of a model that fills masks it is the pseudo-log-likelihood, each token of the
completion masked by itself; of a classifier the completion is a label, and its
log-probability is told. Of a reward model it is the reward of the completion as
the answer to the prompt, through the chat template.`,
		Example: `  gotrain score --model runs/opticks --data questions.jsonl
  gotrain score --model runs/opticks --data - --json < questions.jsonl`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "model", "data"); err != nil {
				return usageError{err}
			}
			return f.run(c)
		},
	}
	f.modelFlags.add(c)
	f.addBOS(c)
	f.addTemplate(c, "of a reward model, ")
	f.addContext(c)
	c.Flags().StringVar(&f.data, "data", "", "JSONL `FILE`, - for standard input")
	complete(c, "data", filesWith("jsonl", "ndjson"))
	return c
}

// scoreResult is what --json prints.
type scoreResult struct {
	Model   string            `json:"model"`
	Results []eval.Likelihood `json:"results"`
}

func (f *scoreFlags) run(c *cobra.Command) error {
	questions, err := f.read(c.InOrStdin())
	if err != nil {
		return err
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	k, err := kindOf(m.Model, c.CommandPath(), func(k kind) bool { return k.score != nil || k.rewards != nil })
	if err != nil {
		return err
	}
	if k.rewards != nil {
		return k.rewards(f, c, m, questions)
	}
	s, err := k.score(m)
	if err != nil {
		return err
	}
	result := scoreResult{Model: m.Dir, Results: []eval.Likelihood{}}
	for _, q := range questions {
		if c.Context().Err() != nil {
			return errors.New("interrupted")
		}
		l, err := s.Score(q)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", f.name(), q.Line, err)
		}
		if l.Overflow > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "%s:%d: the first %d tokens of the prompt did not fit the context\n", f.name(), q.Line, l.Overflow)
		}
		result.Results = append(result.Results, l)
		if f.json {
			continue
		}
		if _, err := fmt.Fprintf(c.OutOrStdout(), "%s:%-5d %10.4f nats  %8.4f per token  %8.4f per byte  %3d tokens  greedy %t\n",
			f.name(), l.Line, l.LogLikelihood, l.PerToken, l.PerByte, l.Tokens, l.Greedy); err != nil {
			return err
		}
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), result)
	}
	return nil
}

func (f *scoreFlags) name() string {
	if f.data == "-" {
		return "standard input"
	}
	return f.data
}

// read reads all questions, so that a fault in the last line costs no scoring.
func (f *scoreFlags) read(in io.Reader) ([]eval.Question, error) {
	if f.data != "-" {
		file, err := data.OpenText(f.data, "")
		if err != nil {
			return nil, usagef("--data: %w", err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("--data %s: %w", f.name(), err)
	}
	return eval.ParseQuestions(text, f.name())
}
