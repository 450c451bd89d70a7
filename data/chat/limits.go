package chat

import (
	"bytes"
	"fmt"
	"io"

	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// What a template may cost. The templates of known models stay far below: Llama 3.1's, tools included, is 4 KiB long and
// takes some ten steps a message.
const (
	maxSource  = 64 << 10 // bytes of a template
	maxOutputs = 2048     // {{ expressions }}
	maxJoins   = 1024     // operators that can build a string or a list, + and ~
	maxNesting = 200      // brackets that are open at a time

	baseSteps       = 20_000    // turns of loops, set statements and calls of macros
	stepsPerMessage = 200       // on top
	stepsPerCall    = 50        // of a macro, which bounds how deep macros call themselves too
	baseBytes       = 256 << 10 // of the output and of each value
	bytesPerByte    = 4         // on top, for each byte of the messages
	maxList         = 10_000    // elements of a list, range() included
)

// budget counts down what a rendering may still cost. It is the writer of the rendered text too.
type budget struct {
	text  []byte
	steps int
	bytes int    // of the text and of each value
	spans []Span // what {% generation %} blocks have written

	refusal string // what raise_exception was called with
}

func newBudget(messages []Message) *budget {
	b := &budget{steps: baseSteps + stepsPerMessage*len(messages), bytes: baseBytes}
	for _, m := range messages {
		b.bytes += bytesPerByte * (len(m.Role) + len(m.Content))
	}
	return b
}

// Write appends to the rendered text.
func (b *budget) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > b.bytes {
		return 0, fmt.Errorf("the text grows beyond %d bytes", b.bytes)
	}
	b.text = append(b.text, p...)
	return len(p), nil
}

// exhausted is what spend panics with, so that a rendering ends at once however deep it stands; Template.render recovers.
type exhausted struct{}

func (exhausted) String() string {
	return "it does not come to an end: it has taken more steps than any conversation of this length needs"
}

// spend takes n steps. It panics with exhausted when there are none left.
func (b *budget) spend(n int) {
	if b.steps -= n; b.steps < 0 {
		panic(exhausted{})
	}
}

// allow refuses a value that is too long to go on with.
func (b *budget) allow(v *exec.Value) error {
	if v.IsString() && len(v.String()) > b.bytes {
		return fmt.Errorf("a string of %d bytes; a conversation of this length needs %d at most", len(v.String()), b.bytes)
	}
	if v.IsList() && v.Len() > maxList {
		return fmt.Errorf("a list of %d elements; %d are allowed", v.Len(), maxList)
	}
	return nil
}

// budgetKey is where a rendering's budget stands in its context; no template can spell it.
const budgetKey = "\x00budget"

func budgetOf(c *exec.Context) *budget {
	b, _ := c.Get(budgetKey)
	return b.(*budget)
}

// toll is a statement that takes steps: the first of each body of a loop and of a macro.
type toll struct {
	at    *tokens.Token
	steps int
}

func (t *toll) Position() *tokens.Token { return t.at }
func (t *toll) String() string          { return "toll" }

// Execute takes the steps, and looks at how much a set block or a macro has written so far.
func (t *toll) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	b := budgetOf(r.Environment.Context)
	if buffer, ok := r.Output.(*bytes.Buffer); ok && buffer.Len() > b.bytes {
		return fmt.Errorf("a block writes more than %d bytes", b.bytes)
	}
	b.spend(t.steps)
	return nil
}

// addToll puts a toll before what w holds.
func addToll(w *nodes.Wrapper, steps int) {
	at := w.Position()
	block := &nodes.ControlStructureBlock{Location: at, Name: "toll", ControlStructure: &toll{at, steps}}
	w.Nodes = append([]nodes.Node{block}, w.Nodes...)
}

var _ io.Writer = (*budget)(nil)
