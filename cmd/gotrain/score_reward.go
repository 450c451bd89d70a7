package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/instruct"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/eval"
)

// rewardKind is the kind of models that give a conversation a number.
func rewardKind() kind {
	return kind{plural: "reward models", has: func(m nn.Model) bool { _, ok := m.(*nn.Scored); return ok }, rewards: (*scoreFlags).runRewards}
}

// runRewards gives the reward of each completion as an answer to its prompt.
func (f *scoreFlags) runRewards(c *cobra.Command, m *opened, questions []eval.Question) error {
	template, vars, err := f.openTemplate(m.TokenizerDir())
	if err != nil {
		return err
	}
	scored, _ := m.Model.(*nn.Scored)
	r := eval.Rewarder{Model: scored, Store: m.Store, Encoder: instruct.NewEncoder(m.Tokenizer, template, vars), Compute: m.config.Compute()}
	result := struct {
		Model   string        `json:"model"`
		Results []eval.Reward `json:"results"`
	}{m.Dir, []eval.Reward{}}
	for _, q := range questions {
		if c.Context().Err() != nil {
			return errors.New("interrupted")
		}
		reward, err := r.Reward(q)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", f.name(), q.Line, err)
		}
		result.Results = append(result.Results, reward)
		if f.json {
			continue
		}
		if _, err := fmt.Fprintf(c.OutOrStdout(), "%s:%-5d reward %10.4f  %4d tokens\n", f.name(), q.Line, reward.Reward, reward.Tokens); err != nil {
			return err
		}
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), result)
	}
	return nil
}
