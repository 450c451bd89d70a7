package jinja

import (
	"context"
	"strings"
	"time"
)

// What a template may be.
const (
	maxBrackets = 200 // that are open at a time
	maxNesting  = 400 // calls of the parser by itself
	maxDepth    = 500 // values in values, where one is printed or compared
	maxCalls    = 190 // macros, blocks and recursive loops that call each other: where Python's limit on recursion lies
	maxRange    = 100_000
)

// Limits bounds what a rendering may cost.
type Limits struct {
	Work   int64 // steps: nodes that are evaluated, turns of loops, elements and bytes that built-in functions go through
	Memory int64 // bytes of the values that are made, those that are dropped again included, and of the text
}

// foldLimits are for what is computed when a template is compiled.
var foldLimits = Limits{Work: 1 << 20, Memory: 4 << 20}

// machine is the state of one rendering.
type machine struct {
	ctx          context.Context
	work, memory int64
	poll         int64 // the work left at which ctx is looked at again
	depth        int   // of calls
	line         int   // of what is evaluated
	blocks       map[string]*blockDef
	spans        []Span
	output       *strings.Builder // the text of the template itself
	now          func() time.Time
}

const pollEvery = 1 << 14

func newMachine(ctx context.Context, limits Limits) *machine {
	return &machine{ctx: ctx, work: limits.Work, memory: limits.Memory, poll: limits.Work - pollEvery}
}

// spend counts n steps.
func (m *machine) spend(n int64) {
	if m.work -= n; m.work > m.poll {
		return
	}
	if m.work < 0 {
		fail(Limit, "it does not come to an end: it has taken more steps than any conversation of this length needs")
	}
	if err := m.ctx.Err(); err != nil {
		fail(Limit, "the rendering is stopped: %v", err)
	}
	m.poll = m.work - pollEvery
}

// grow counts n bytes or elements of a value before it is made.
func (m *machine) grow(n int64) {
	if m.memory -= n; m.memory < 0 || n < 0 {
		fail(Limit, "it makes values of more bytes than any conversation of this length needs")
	}
	m.spend(n / 16)
}

// growTimes is grow for n bytes times k.
func (m *machine) growTimes(n, k int64) {
	if n > 0 && k > 0 && n > m.memory/k {
		n, k = m.memory+1, 1
	}
	m.grow(max(n, 0) * max(k, 0))
}

// enter bounds how deep the engine calls itself; pass what it returns to leave.
func (m *machine) enter() *machine {
	if m.depth++; m.depth > maxDepth {
		fail(Limit, "values nested more than %d levels deep", maxDepth)
	}
	return m
}

func (m *machine) leave(*machine) { m.depth-- }

// frame is the variables of a call of a function.
type frame struct {
	m         *machine
	vars      []Value // nil for what is not set
	up        *frame  // of the function around this one
	ctx       *vars
	blockText string // the content of the filter block that is filtered
	out       *strings.Builder
}

// vars is jinja2's context: the variables that a template is rendered with, and those that it has set for its blocks.
type vars struct {
	set   map[string]Value
	base  map[string]Value
	outer *vars
}

func (v *vars) resolve(name string) Value {
	for c := v; c != nil; c = c.outer {
		if value, ok := c.set[name]; ok {
			return value
		}
		if value, ok := c.base[name]; ok {
			return value
		}
	}
	return globals[name]
}

// newFrame returns the frame of a call of fn, which is defined in up.
func newFrame(fn *funcScope, up *frame) *frame {
	return &frame{m: up.m, vars: make([]Value, len(fn.slots)), up: up, ctx: up.ctx}
}

// write appends to the text of a frame.
func (f *frame) write(s string) {
	f.m.grow(int64(len(s)))
	f.out.WriteString(s)
}

// writeText is write of what a block gives, which must be a string.
func (f *frame) writeText(v Value) {
	s, ok := text(v)
	if !ok {
		typeError("sequence item: expected str instance, %s found", typeName(v))
	}
	f.write(s)
}

// enter gives the variables of a frame their first values.
func (e *entry) enter(f *frame) {
	for i := range e.loads {
		l := &e.loads[i]
		switch l.kind {
		case 'r':
			f.vars[l.slot] = f.ctx.resolve(l.name)
		case 'u':
			f.vars[l.slot] = nil
		default:
			f.vars[l.slot] = l.alias.frame(f).vars[l.alias.slot]
		}
	}
}

// leave forgets them.
func (e *entry) leave(f *frame) {
	for _, slot := range e.slots {
		f.vars[slot] = nil
	}
}

// capture runs statements and returns what they write.
func (f *frame) capture(run func() flow) (string, flow) {
	out := f.out
	var b strings.Builder
	f.out = &b
	fl := run()
	f.out = out
	return b.String(), fl
}
