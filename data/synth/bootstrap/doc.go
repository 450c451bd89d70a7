// Package bootstrap makes training data from a few seeds by a model.
//
// A [Method] says what the model is asked: new tasks like the seeds and their answers
// ([SelfInstruct]), harder and rarer forms of what is there ([Evolve]), passages of a textbook
// ([Textbook]), or what a user would ask ([Magpie]). An [Author] answers: a model of ours or a
// server. A [Filter] rejects what is malformed, too like what is there, or in texts for
// evaluation, each for one counted reason. [Run] goes on in rounds until there are enough records.
//
// What a round asks is a function of the seeds, the number of the round and the records before
// it, and so, for an author that answers the same prompt and seed alike, is all that is kept:
// however many prompts are answered at once, and wherever a run is killed and goes on.
package bootstrap

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/zeebo/xxh3"
)

// Form is how a prompt reaches the model.
type Form uint8

const (
	// Message is what a user says, through the chat template; a model without one continues it.
	Message Form = iota
	// Rendered is text that a chat template has made, with its special tokens, which is continued.
	Rendered
)

// Prompt is what an author is asked.
type Prompt struct {
	Text string
	// Begin is how the answer begins, which is no part of what the author writes. Where the
	// author can't be given one, it stands behind the text.
	Begin     string
	Form      Form
	Stop      []string // the answer ends before one of these
	Seed      uint64
	MaxTokens int
}

// Whole is the text with the beginning of the answer behind it.
func (p *Prompt) Whole() string {
	if p.Begin == "" {
		return p.Text
	}
	return p.Text + "\n\n" + p.Begin
}

// Answer is what the author writes.
type Answer struct {
	Text  string `json:"text"`
	Ended bool   `json:"ended"` // by itself or before a stop, not by the number of tokens
	// Fault says why there is no answer: what came was none, or the prompt is too long.
	Fault string `json:"fault,omitempty"`
}

// Author is a model that answers.
type Author interface {
	// Answer answers all prompts; done gets each answer with the number of its prompt, in any
	// order, from one goroutine at a time. An error of done or of the author ends it.
	Answer(ctx context.Context, prompts []Prompt, done func(i int, a Answer) error) error
	// About describes the author; a run goes on with an equal one only.
	About() About
}

// About says which model writes, and how.
type About struct {
	Model    string `json:"model"`
	Hash     string `json:"model_hash,omitempty"` // of its weights; a server tells none
	Sampling string `json:"sampling"`
}

// Record is what is made: a task with its answer, or a text.
type Record struct {
	ID          string   `json:"id"`
	Instruction string   `json:"instruction,omitempty"`
	Input       *string  `json:"input,omitempty"` // "" where the instruction is all
	Output      string   `json:"output,omitempty"`
	Text        string   `json:"text,omitempty"`
	Metadata    Metadata `json:"metadata"`
}

// Metadata is where a record comes from.
type Metadata struct {
	Method  string   `json:"method"`
	Model   string   `json:"model"`
	Hash    string   `json:"model_hash,omitempty"`
	Round   int      `json:"round"`
	Calls   []Call   `json:"calls"`
	Parents []string `json:"parents,omitempty"` // ids of the seeds and records that the prompts show
	Reward  *float64 `json:"reward,omitempty"`
}

// Call is a prompt of a record and the seed of its answer.
type Call struct {
	Stage  string `json:"stage"`
	Seed   uint64 `json:"seed"`
	Prompt string `json:"prompt"`
}

// input is that of a task, "" for none.
func (r *Record) input() string {
	if r.Input == nil {
		return ""
	}
	return *r.Input
}

// Question is what a user would say: the instruction with its input.
func (r *Record) Question() string {
	if in := r.input(); in != "" {
		return r.Instruction + "\n\n" + in
	}
	return r.Instruction
}

// all is everything that a record says.
func (r *Record) all() string {
	if r.Text != "" {
		return r.Text
	}
	return r.Question() + "\n\n" + r.Output
}

// name gives a record its id, a hash of what it says.
func (r *Record) name() {
	r.ID = fmt.Sprintf("%016x", xxh3.HashString(r.Instruction+"\x00"+r.input()+"\x00"+r.Output+"\x00"+r.Text))
}

// Draft is a record on its way through the stages of a method.
type Draft struct {
	Record
	Reason Reason // why it is rejected, "" while it is not
	why    string // more of that
	tells  string // the first prompt, and how its answer begins
	begin  string
	class  bool      // the task is to choose one of a few labels
	cut    bool      // the last answer ended with its number of tokens
	tested bool      // the instruction went through the filter
	shown  [2][]Task // examples of answers: of tasks, and of those that choose a label
}

// reject gives a draft the reason why it is none.
func (d *Draft) reject(r Reason, format string, args ...any) {
	d.Reason, d.why = r, fmt.Sprintf(format, args...)
}

// Stage is a question of a method to the author.
type Stage struct {
	Name string
	// Ask is the prompt of a draft; one without text asks nothing.
	Ask func(d *Draft) Prompt
	// Read makes one draft or several of a draft and the answer.
	Read func(d Draft, a Answer) []Draft
}

// Method is a way to make records.
type Method interface {
	Name() string
	// Begin makes the draft whose first prompt is number k of a round.
	Begin(draw *rand.Rand, pool *Pool) Draft
	Stages() []Stage
	// NeedsSeeds tells whether there is no beginning without seeds.
	NeedsSeeds() bool
}

// Pool is what prompts show: the seeds, and the records so far.
type Pool struct {
	Seeds []Task
	Made  []Task
}

// at is one of all, seeds first.
func (p *Pool) at(i int) *Task {
	if i < len(p.Seeds) {
		return &p.Seeds[i]
	}
	return &p.Made[i-len(p.Seeds)]
}

// Task is a seed or a record as prompts show it.
type Task struct {
	ID          string
	Instruction string // of a text its beginning, of a topic that
	Input       string
	Output      string
	Class       *bool // whether the answer is one of a few labels; nil where nothing says so
}

// taskOf is a record as prompts show it.
func taskOf(r *Record) Task {
	return Task{ID: r.ID, Instruction: r.Instruction, Input: r.input(), Output: r.Output}
}

// line is v as a line of JSON.
func line(v any) ([]byte, error) {
	var out bytes.Buffer
	text := json.NewEncoder(&out)
	text.SetEscapeHTML(false)
	err := text.Encode(v)
	return out.Bytes(), err
}
