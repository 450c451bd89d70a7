package eval

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/nn"
)

// Rewarder asks a reward model what answers are worth. It plans a program for each length
// of a conversation, rounded up, when one first needs it. It is not safe for concurrent use.
type Rewarder struct {
	Model   *nn.Scored
	Store   *exec.Store
	Encoder *instruct.Encoder
	Compute ir.DType // of matrix products; see plan.Options

	programs map[int]*exec.Session
}

// Reward is what an answer is worth to a reward model.
type Reward struct {
	Line   int     `json:"line"`
	Reward float64 `json:"reward"`
	Tokens int     `json:"tokens"` // of the whole conversation
}

// rewardStep is what lengths of programs are multiples of.
const rewardStep = 64

// Reward is the score after the last token of the completion, which ends its turn, in the
// conversation of both.
func (r *Rewarder) Reward(q Question) (Reward, error) {
	x, err := r.Encoder.Example(chat.Conversation{
		Messages: []chat.Message{{Role: chat.User, Content: q.Prompt}, {Role: chat.Assistant, Content: q.Completion}},
		Masked:   []bool{false, false}, Source: fmt.Sprintf("line %d", q.Line),
	}, instruct.LossAssistant)
	if err != nil {
		return Reward{}, err
	}
	n := len(x.Tokens)
	if n == 0 || n > r.Model.Context() {
		return Reward{}, fmt.Errorf("the conversation has %d tokens, the model reads 1 to %d", n, r.Model.Context())
	}
	score, err := r.run(x.Tokens)
	return Reward{Line: q.Line, Reward: score, Tokens: n}, err
}

// run gives the score after the last of tokens.
func (r *Rewarder) run(tokens []int32) (float64, error) {
	length := min(r.Model.Context(), (len(tokens)+rewardStep-1)/rewardStep*rewardStep)
	session, err := r.program(length)
	if err != nil {
		return 0, err
	}
	ids, positions, segments := make([]int32, length), make([]int32, length), make([]int32, length)
	copy(ids, tokens)
	for i := range length {
		positions[i] = int32(i)
		if i >= len(tokens) {
			segments[i] = -1
		}
	}
	for _, in := range session.Inputs() {
		values := map[string][]int32{"ids": ids, "positions": positions, "segments": segments, "last": {int32(len(tokens) - 1)}}[in.Name()]
		if err := in.SetInts(values); err != nil {
			return 0, err
		}
	}
	if err := session.Run(); err != nil {
		return 0, err
	}
	var score [1]float32
	err = session.Output(0, score[:])
	return float64(score[0]), err
}

// program is that of conversations of a length.
func (r *Rewarder) program(length int) (*exec.Session, error) {
	if s := r.programs[length]; s != nil {
		return s, nil
	}
	g := autograd.NewGraph()
	score := nn.Scores(g, r.Model, nn.Rows{Batch: 1, Length: length, Segments: true}, false, g.Ints("last", 1))
	lowered, err := g.Lower("reward", score)
	if err != nil {
		return nil, err
	}
	p, err := plan.Build(lowered, plan.Options{Compute: r.Compute, Target: r.Store.Backend().Target()})
	if err != nil {
		return nil, err
	}
	arena, err := exec.NewArena(r.Store.Backend(), p.Arena)
	if err != nil {
		return nil, err
	}
	s, err := exec.NewSession(p, r.Store, arena)
	if err != nil {
		return nil, err
	}
	if r.programs == nil {
		r.programs = map[int]*exec.Session{}
	}
	r.programs[length] = s
	return s, nil
}
