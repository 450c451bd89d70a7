package jinja

import "strings"

// flow is how a statement ends.
type flow int

const (
	goOn flow = iota
	breakLoop
	nextTurn
)

// stmt is a compiled statement.
type stmt interface{ run(f *frame) flow }

func runAll(body []stmt, f *frame) flow {
	for _, s := range body {
		f.m.spend(1)
		if fl := s.run(f); fl != goOn {
			return fl
		}
	}
	return goOn
}

type outputItem struct {
	text string
	expr expr // nil for text
	line int
}

type outputStmt struct{ items []outputItem }

func (s *outputStmt) run(f *frame) flow {
	for i := range s.items {
		item := &s.items[i]
		if item.expr == nil {
			f.write(item.text)
			continue
		}
		f.m.line = item.line
		switch v := item.expr.eval(f).(type) {
		case string:
			f.write(v)
		default:
			f.write(f.m.str(v))
		}
	}
	return goOn
}

type branch struct {
	test expr
	body []stmt
}

type ifStmt struct {
	branches  []branch
	otherwise []stmt
}

func (s *ifStmt) run(f *frame) flow {
	for i := range s.branches {
		if truth(s.branches[i].test.eval(f)) {
			return runAll(s.branches[i].body, f)
		}
	}
	return runAll(s.otherwise, f)
}

// target is what is assigned to.
type target interface{ assign(f *frame, v Value) }

type nameTarget struct {
	v      variable
	export string // the name under which blocks see it
}

func (t *nameTarget) assign(f *frame, v Value) {
	t.v.frame(f).vars[t.v.slot] = v
	if t.export != "" {
		f.ctx.set[t.export] = v
	}
}

type nsTarget struct {
	v          variable
	name, attr string
}

func (t *nsTarget) assign(f *frame, v Value) {
	of := t.v.frame(f).vars[t.v.slot]
	ns, ok := of.(*namespace)
	if _, isDict := of.(*Dict); isDict {
		refuse("a set block changes the dict %s, which jinja2's sandbox overlooks", t.name)
	}
	if !ok {
		typeError("'%s' object does not support item assignment", typeName(of))
	}
	ns.setField(f.m, t.attr, v)
}

type tupleTarget struct{ items []target }

func (t *tupleTarget) assign(f *frame, v Value) {
	values := f.m.unpack(v, len(t.items))
	for i, item := range t.items {
		item.assign(f, values[i])
	}
}

// unpack returns the n elements of v, which must have as many.
func (m *machine) unpack(v Value, n int) []Value {
	if t, ok := v.(*Tuple); ok && len(t.items) == n {
		return t.items
	}
	next, ok := m.iterate(v)
	if !ok {
		typeError("cannot unpack non-iterable %s object", typeName(v))
	}
	values := make([]Value, 0, n)
	for {
		item, ok := next()
		switch {
		case !ok && len(values) < n:
			valueError("not enough values to unpack (expected %d, got %d)", n, len(values))
		case !ok:
			return values
		case len(values) == n:
			valueError("too many values to unpack (expected %d)", n)
		}
		values = append(values, item)
	}
}

type assignStmt struct {
	checks []variable // that must be namespaces
	target target
	expr   expr
	line   int
}

func (s *assignStmt) run(f *frame) flow {
	f.m.line = s.line
	for _, v := range s.checks {
		if _, ok := v.frame(f).vars[v.slot].(*namespace); !ok {
			fail(Runtime, "cannot assign attribute on non-namespace object")
		}
	}
	s.target.assign(f, s.expr.eval(f))
	return goOn
}

type assignBlockStmt struct {
	entry  *entry
	body   []stmt
	target target
	filter expr      // nil without
	text   *textExpr // what the filter is applied to
	line   int
}

func (s *assignBlockStmt) run(f *frame) flow {
	s.entry.enter(f)
	text, fl := f.capture(func() flow { return runAll(s.body, f) })
	if fl != goOn {
		return fl
	}
	f.m.line = s.line
	var v Value = text
	if s.filter != nil {
		v = s.text.apply(f, text, s.filter)
	}
	s.target.assign(f, v)
	s.entry.leave(f)
	return goOn
}

type filterBlockStmt struct {
	entry  *entry
	body   []stmt
	filter expr
	text   *textExpr
}

func (s *filterBlockStmt) run(f *frame) flow {
	s.entry.enter(f)
	text, fl := f.capture(func() flow { return runAll(s.body, f) })
	if fl != goOn {
		return fl
	}
	f.writeText(s.text.apply(f, text, s.filter))
	s.entry.leave(f)
	return goOn
}

type withStmt struct {
	entry   *entry
	targets []target
	values  []expr
	body    []stmt
}

func (s *withStmt) run(f *frame) flow {
	s.entry.enter(f)
	for i, t := range s.targets {
		t.assign(f, s.values[i].eval(f))
	}
	fl := runAll(s.body, f)
	if fl == goOn {
		s.entry.leave(f)
	}
	return fl
}

type scopeStmt struct {
	entry *entry
	body  []stmt
}

func (s *scopeStmt) run(f *frame) flow {
	s.entry.enter(f)
	fl := runAll(s.body, f)
	if fl == goOn {
		s.entry.leave(f)
	}
	return fl
}

type breakStmt struct{ next bool }

func (s *breakStmt) run(*frame) flow {
	if s.next {
		return nextTurn
	}
	return breakLoop
}

// loadStmt is include, import or extends, which need a loader of templates; transformers sets none up.
type loadStmt struct {
	what string
	expr expr
	line int
}

func (s *loadStmt) run(f *frame) flow {
	f.m.line = s.line
	s.expr.eval(f)
	fail(Runtime, "%s: no loader for this environment specified: a chat template is one file", s.what)
	return goOn
}

// Blocks.

type blockDef struct {
	name        string
	required    bool
	fn          *funcScope
	entry       *entry
	self, super int // slots, -1 without
	body        []stmt
}

type blockStmt struct {
	def    *blockDef
	locals map[string]variable // of a scoped block
	line   int
}

func (s *blockStmt) run(f *frame) flow {
	f.m.line = s.line
	if s.def.required {
		fail(Runtime, "Required block %s not found", quote(s.def.name))
	}
	ctx := f.ctx
	if s.locals != nil {
		ctx = &vars{set: map[string]Value{}, base: map[string]Value{}, outer: f.ctx}
		for name, v := range s.locals {
			if value := v.frame(f).vars[v.slot]; value != nil {
				ctx.base[name] = value
			}
		}
	}
	f.m.block(s.def, ctx, f.out)
	return goOn
}

// block writes a block to out.
func (m *machine) block(def *blockDef, ctx *vars, out *strings.Builder) {
	defer m.endCall(m.beginCall())
	f := &frame{m: m, vars: make([]Value, len(def.fn.slots)), ctx: ctx, out: out}
	if def.self >= 0 {
		f.vars[def.self] = &selfRef{ctx}
	}
	if def.super >= 0 {
		f.vars[def.super] = &Missing{hint: "there is no parent block called " + quote(def.name) + ".", name: "super"}
	}
	def.entry.enter(f)
	runAll(def.body, f)
}

// selfRef is self: the blocks of the template by their names.
type selfRef struct{ ctx *vars }

// blockRef is a block that can be called.
type blockRef struct {
	def *blockDef
	ctx *vars
}

const callCost = maxDepth / maxCalls

// beginCall bounds how deep calls of the template go.
func (m *machine) beginCall() *machine {
	if m.depth += callCost; m.depth > maxDepth {
		fail(Limit, "maximum recursion depth exceeded: macros, blocks or loops call each other more than %d deep", maxCalls)
	}
	return m
}

func (m *machine) endCall(*machine) { m.depth -= callCost }
