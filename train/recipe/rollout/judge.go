package rollout

import (
	"errors"
	"fmt"
	"math"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/reward"
)

// Judge is a reward model that scores answers, on every rank and beside the model that
// learns. It reads a conversation of the prompt and the answer by its own template, or where
// it has none the text of both, with its own tokenizer; the reward is the score after the last
// token, as gotrain score gives it.
type Judge struct {
	place  hub.Place
	factor float64
	sizes  []*generate.Values // shortest first
	encode func(prompt, answer string) ([]int32, error)
	fs     vfs.FS
	store  *exec.Store
	loaded bool
}

// newJudge designs the reward model of a rule, which has that role in the store.
func newJudge(env recipe.Env, role string, rule reward.Rule) (*Judge, error) {
	place, d, err := hub.Whole(rule.Model, env.Families)
	if err != nil {
		return nil, err
	}
	m, err := env.Families.New(d.Spec, nn.Tuning{Role: role})
	if err != nil {
		return nil, err
	}
	scored, ok := m.(*nn.Scored)
	if !ok {
		return nil, fmt.Errorf("%s is no reward model: name one that recipe reward has trained, or a …ForSequenceClassification of a language model with one label", place.Base)
	}
	j := &Judge{place: place, factor: rule.Factor()}
	c := env.Config
	longest := min(scored.Context(), 2*c.Length()+room)
	rows, _ := c.MicroBatches()
	for _, length := range []int{longest / 4 / 8 * 8, longest} {
		if length < shortest && length < longest {
			continue
		}
		v, err := generate.DesignValues(scored, generate.Config{Context: length, Compute: c.Compute()}, max(1, rows*c.Length()/length))
		if err != nil {
			return nil, err
		}
		j.sizes = append(j.sizes, v)
	}
	return j, nil
}

// room is how many tokens more than twice those of a row a reward model reads, for its template
// and for a tokenizer that cuts texts into more tokens.
const room = 64

// shortest is the least length of programs but the longest.
const shortest = 32

// open gives the judge its tokenizer and its template.
func (j *Judge) open(env recipe.Env) error {
	j.fs = env.FS
	o, err := tokenizers.Open(j.place.TokenizerDir())
	if err != nil {
		return err
	}
	id, err := hub.ReadIdentity(j.place, o.Tokenizer, j.model().Context())
	if err != nil {
		return err
	}
	source := id.Roles.ChatTemplate
	if source == "" {
		encoder := id.Prompts(o.Tokenizer, true)
		j.encode = func(prompt, answer string) ([]int32, error) { return encoder.Encode(prompt + answer) }
		return nil
	}
	template, err := chat.Parse("the template of "+j.place.Base, source)
	if err != nil {
		return err
	}
	encoder := instruct.NewEncoder(o.Tokenizer, template, instruct.Variables(id.Roles, env.Today()))
	j.encode = func(prompt, answer string) ([]int32, error) {
		x, err := encoder.Example(chat.Conversation{
			Messages: []chat.Message{{Role: chat.User, Content: prompt}, {Role: chat.Assistant, Content: answer}}, Masked: []bool{false, false},
		}, instruct.LossAssistant)
		return x.Tokens, err
	}
	return nil
}

func (j *Judge) model() *nn.Scored { return j.sizes[0].Model() }

// Plan plans the programs for a back end.
func (j *Judge) Plan(target plan.Target) ([]*plan.Plan, error) {
	var all []*plan.Plan
	for _, v := range j.sizes {
		plans, err := v.Plan(target)
		if err != nil {
			return nil, err
		}
		all = append(all, plans...)
	}
	return all, nil
}

// Bind makes the programs ready to run. The weights are read when they are needed first.
func (j *Judge) Bind(store *exec.Store, arena *exec.Arena) error {
	j.store = store
	var errs []error
	for _, v := range j.sizes {
		errs = append(errs, v.Bind(store, arena))
	}
	return errors.Join(errs...)
}

// load verifies and reads the weights.
func (j *Judge) load() error {
	if j.loaded {
		return nil
	}
	if err := j.place.Verify(j.fs); err != nil {
		return err
	}
	if err := hub.LoadParams(j.store, j.place.Base, j.model().Params()); err != nil {
		return err
	}
	j.loaded = true
	return nil
}

// add adds the weighted scores to the rewards of texts.
func (j *Judge) add(texts []Text) error {
	if err := j.load(); err != nil {
		return err
	}
	bySize := make([][]int, len(j.sizes))
	tokens := make([][]int32, len(texts))
	for i, t := range texts {
		var err error
		if tokens[i], err = j.encode(t.Prompt.Text, t.Answer); err != nil {
			return fmt.Errorf("the answer %.60q to %s: %w", t.Answer, t.Prompt.Origin, err)
		}
		size := 0
		for size < len(j.sizes) && len(tokens[i]) > j.sizes[size].Length() {
			size++
		}
		if size == len(j.sizes) {
			return config.Faultf("the answer %.60q to %s is %d tokens to the reward model %s, which reads %d here: lower recipe.max_tokens, or leave the record out",
				t.Answer, t.Prompt.Origin, len(tokens[i]), j.place.Base, j.sizes[size-1].Length())
		}
		bySize[size] = append(bySize[size], i)
	}
	for size, v := range j.sizes {
		var some [][]int32
		for _, i := range bySize[size] {
			some = append(some, tokens[i])
		}
		scores, err := v.Of(some)
		if err != nil {
			return err
		}
		for k, i := range bySize[size] {
			score := float64(scores[k][len(scores[k])-1])
			if math.IsNaN(score) || math.IsInf(score, 0) {
				return fmt.Errorf("the answer %.60q to %s: the reward is %g, says the reward model %s: its weights have diverged, or are others than its config.json tells", texts[i].Answer, texts[i].Prompt.Origin, score, j.place.Base)
			}
			texts[i].Reward += j.factor * score
		}
	}
	return nil
}
