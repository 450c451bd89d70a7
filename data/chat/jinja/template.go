package jinja

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
)

// Template is a compiled template. It is immutable and safe for concurrent use.
type Template struct {
	program *program
	words   map[string]bool
}

// Parse compiles a template. Its errors are of type *Error.
func Parse(source string) (*Template, error) {
	t := &Template{}
	if err := attemptAll(func() {
		if !utf8.ValidString(source) {
			fail(Syntax, "the template is not UTF-8")
		}
		tokens := lex(source)
		t.words = wordsOf(tokens)
		t.program = compile(parse(tokens))
	}); err != nil {
		return nil, err
	}
	return t, nil
}

// Marked says whether the template has {% generation %} blocks.
func (t *Template) Marked() bool { return t.program.marked }

// Options are what a rendering sees beside its variables.
type Options struct {
	Limits Limits
	Now    func() time.Time // what strftime_now formats; nil for the machine's clock
}

// Result is a rendered text.
type Result struct {
	Text string
	// Spans are what generation blocks have written, in the order in which they ended.
	Spans []Span
}

// Misplaced returns the number of the first span whose text does not stand where the block was reached, -1 for none. So it
// is with a block inside a macro, a set block or another that writes its text later.
func (r *Result) Misplaced() int {
	for i, s := range r.Spans {
		if s.End > len(r.Text) || r.Text[s.Begin:s.End] != s.Text {
			return i
		}
	}
	return -1
}

// Render renders the template with variables, which must not change meanwhile. It ends with an error of type *Error, at the
// latest when ctx is done or the limits are reached.
func (t *Template) Render(ctx context.Context, variables map[string]Value, options Options) (r Result, err error) {
	m := newMachine(ctx, options.Limits)
	m.blocks = t.program.blocks
	m.output = &strings.Builder{}
	if m.now = options.Now; m.now == nil {
		m.now = time.Now
	}
	p := t.program
	if fault := attemptAll(func() {
		m.spend(0)
		f := &frame{m: m, vars: make([]Value, len(p.fn.slots)), out: m.output}
		f.ctx = &vars{set: map[string]Value{}, base: variables}
		if p.self >= 0 {
			f.vars[p.self] = &selfRef{f.ctx}
		}
		p.entry.enter(f)
		runAll(p.body, f)
	}); fault != nil {
		if fault.Line == 0 {
			fault.Line = m.line
		}
		return Result{}, fault
	}
	return Result{Text: m.output.String(), Spans: m.spans}, nil
}
