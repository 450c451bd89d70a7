package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gotrain/nn/generate"
)

// scoreFlags say what to score.
type scoreFlags struct {
	modelFlags
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

White space at the end of a prompt counts to its completion, where tokenizers
have it. An empty prompt stands for the beginning of a text. A prompt too long
for the context loses its beginning; a completion must fit whole.`,
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
	c.Flags().StringVar(&f.data, "data", "", "JSONL `FILE`, - for standard input")
	complete(c, "data", filesWith("jsonl", "ndjson"))
	return c
}

// question is a line of the input.
type question struct {
	Prompt     *string `json:"prompt"`
	Completion *string `json:"completion"`

	line int
}

// answer is the score of a line.
type answer struct {
	Line          int     `json:"line"`
	LogLikelihood float64 `json:"log_likelihood"` // nats, of the whole completion
	PerToken      float64 `json:"per_token"`
	PerByte       float64 `json:"per_byte"`
	Tokens        int     `json:"tokens"`
	Greedy        bool    `json:"greedy"` // greedy decoding gives this completion
	// TokenLogprobs are the log-likelihoods of the completion's tokens, nats.
	TokenLogprobs  []float32 `json:"token_logprobs"`
	promptOverflow int
}

// scoreResult is what --json prints.
type scoreResult struct {
	Model   string   `json:"model"`
	Results []answer `json:"results"`
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
	s, err := newScorer(m)
	if err != nil {
		return err
	}
	result := scoreResult{Model: m.Dir, Results: []answer{}}
	for _, q := range questions {
		if c.Context().Err() != nil {
			return errors.New("interrupted")
		}
		a, err := s.score(q)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", f.name(), q.line, err)
		}
		if a.promptOverflow > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "%s:%d: the first %d tokens of the prompt did not fit the context\n", f.name(), q.line, a.promptOverflow)
		}
		result.Results = append(result.Results, a)
		if !f.json {
			if _, err := fmt.Fprintf(c.OutOrStdout(), "%s:%-5d %10.4f nats  %8.4f per token  %8.4f per byte  %3d tokens  greedy %t\n",
				f.name(), a.Line, a.LogLikelihood, a.PerToken, a.PerByte, a.Tokens, a.Greedy); err != nil {
				return err
			}
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
func (f *scoreFlags) read(in io.Reader) ([]question, error) {
	if f.data != "-" {
		file, err := os.Open(f.data)
		if err != nil {
			return nil, usagef("--data: %w", err)
		}
		defer file.Close()
		in = file
	}
	var questions []question
	r := bufio.NewReader(in)
	for line := 1; ; line++ {
		text, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("--data %s: %w", f.name(), err)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			q, fault := parseQuestion(text)
			if fault != nil {
				return nil, fmt.Errorf("%s:%d: %w", f.name(), line, fault)
			}
			q.line = line
			questions = append(questions, q)
		}
		if err == io.EOF {
			break
		}
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("%s has no lines; write one object {\"prompt\": …, \"completion\": …} a line", f.name())
	}
	return questions, nil
}

// parseQuestion reads one line. Other keys than prompt and completion are for
// the caller's own use.
func parseQuestion(line []byte) (question, error) {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			return q, fmt.Errorf("not a JSON object, at byte %d: %w", syntax.Offset, err)
		case errors.As(err, &kind) && kind.Field != "":
			return q, fmt.Errorf("%q is a %s; make it a string", kind.Field, kind.Value)
		}
		return q, fmt.Errorf("not a JSON object with the keys prompt and completion: %w", err)
	}
	switch {
	case q.Prompt == nil:
		return q, errors.New(`there is no "prompt"; give "" for none`)
	case q.Completion == nil || *q.Completion == "":
		return q, errors.New(`there is no "completion" to score`)
	}
	return q, nil
}

// scorer scores questions with a model.
type scorer struct {
	model     *opened
	scorer    *generate.Scorer
	generator *generate.Generator
}

func newScorer(m *opened) (*scorer, error) {
	cfg := generate.Config{Compute: m.Config.Compute()}
	s, err := generate.NewScorer(m.Model, m.Store, cfg)
	if err != nil {
		return nil, err
	}
	g, err := generate.New(m.Model, m.Store, cfg)
	return &scorer{m, s, g}, err
}

func (s *scorer) score(q question) (answer, error) {
	prompt, ids, overflow := s.encode(*q.Prompt, *q.Completion)
	a := answer{Line: q.line, Tokens: len(ids), promptOverflow: overflow}
	logs, err := s.scorer.Score(prompt, ids)
	if err != nil {
		return a, err
	}
	a.TokenLogprobs = append([]float32(nil), logs...)
	for _, l := range logs {
		a.LogLikelihood += float64(l)
	}
	a.PerToken, a.PerByte = a.LogLikelihood/float64(len(ids)), a.LogLikelihood/float64(len(*q.Completion))
	a.Greedy, err = s.greedy(prompt, ids)
	return a, err
}

// encode returns the tokens of both texts, spaces between them with the
// completion. A prompt that is too long loses its first overflow tokens.
func (s *scorer) encode(prompt, completion string) (promptIDs, completionIDs []int32, overflow int) {
	text := strings.TrimRight(prompt, " \t\r\n")
	t := s.model.Tokenizer
	promptIDs, completionIDs = t.AppendEncode(nil, []byte(text)), t.AppendEncode(nil, []byte(prompt[len(text):]+completion))
	if len(promptIDs) == 0 {
		if ends := s.model.EndTokens(); len(ends) > 0 {
			promptIDs = append(promptIDs, ends[0])
		}
	}
	context := s.model.Config.Model.Context
	if over := len(promptIDs) + len(completionIDs) - (context + 1); over > 0 && over < len(promptIDs) {
		return promptIDs[over:], completionIDs, over
	}
	return promptIDs, completionIDs, 0
}

// greedy tells whether ids are the most likely tokens after prompt one by one.
func (s *scorer) greedy(prompt, ids []int32) (bool, error) {
	s.generator.Truncate(0)
	if err := s.generator.Append(prompt...); err != nil {
		return false, err
	}
	for i, id := range ids {
		if best(s.generator.Logits()) != id {
			return false, nil
		}
		if i < len(ids)-1 {
			if err := s.generator.Append(id); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// best is the lowest index of the largest logit.
func best(logits []float32) int32 {
	at := 0
	for i, x := range logits {
		if x > logits[at] {
			at = i
		}
	}
	return int32(at)
}
