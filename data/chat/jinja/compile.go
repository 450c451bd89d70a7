package jinja

import (
	"context"
	"slices"
)

// compiler turns the syntax tree into statements and expressions whose variables stand in slots.
type compiler struct {
	fold   *machine // computes constants
	folded map[node]constantResult
	blocks map[string]*blockDef
	marked bool // there are generation blocks
}

// scope is what the compiler knows of a frame.
type scope struct {
	symbols  *symbols
	toplevel bool // the template itself, not in a loop or a macro: what is set there is seen by blocks
	soft     bool // in an if or a conditional expression, where unknown filters are an error only when they are reached
}

func (s *scope) fn() *funcScope { return s.symbols.in }

func (s *scope) inner(in *funcScope) *scope { return &scope{symbols: newSymbols(s.symbols, in)} }

func (s *scope) softened() *scope {
	return &scope{symbols: s.symbols, toplevel: s.toplevel, soft: true}
}

// variable is where a variable stands: a slot of the frame of a function that is up functions out.
type variable struct{ up, slot int }

func (v variable) frame(f *frame) *frame {
	for range v.up {
		f = f.up
	}
	return f
}

func (c *compiler) variable(id ident, in *funcScope) variable {
	return variable{in.depth - id.in.depth, id.in.slot(id)}
}

// entry is what happens when a frame is entered: its variables get their first values.
type entry struct {
	loads []entryLoad
	slots []int // all variables, which are forgotten when the frame is left
}

type entryLoad struct {
	slot  int
	kind  byte
	name  string
	alias variable
}

func (c *compiler) entry(s *symbols) *entry {
	e := &entry{}
	for _, id := range s.sortedLoads() {
		l := s.loads[id]
		slot := id.in.slot(id)
		e.slots = append(e.slots, slot)
		switch l.kind {
		case 'r', 'u':
			e.loads = append(e.loads, entryLoad{slot: slot, kind: l.kind, name: id.name})
		case 'a':
			e.loads = append(e.loads, entryLoad{slot: slot, kind: 'a', alias: c.variable(l.alias, s.in)})
		}
	}
	return e
}

// program is a compiled template.
type program struct {
	fn     *funcScope
	entry  *entry
	self   int // the slot of self, -1 without
	body   []stmt
	blocks map[string]*blockDef
	marked bool
}

// compile compiles a template.
func compile(body []node) *program {
	c := &compiler{fold: newMachine(context.Background(), foldLimits), folded: map[node]constantResult{}, blocks: map[string]*blockDef{}}
	var blocks []*blockNode
	for _, n := range body {
		walk(n, func(n node) {
			if b, ok := n.(*blockNode); ok {
				if c.blocks[b.name] != nil {
					failAt(b.line, "block %s defined twice", quote(b.name))
				}
				c.blocks[b.name] = &blockDef{name: b.name, required: b.required}
				blocks = append(blocks, b)
			}
		})
	}
	fn := newFuncScope(nil)
	s := &scope{symbols: newSymbols(nil, fn), toplevel: true}
	p := &program{fn: fn, self: -1, blocks: c.blocks}
	if undeclared(body, "self")["self"] {
		p.self = fn.slot(s.symbols.declareParameter("self"))
	}
	v := visitor{s.symbols}
	v.all(body)
	p.entry = c.entry(s.symbols)
	p.body = c.statements(body, s)
	for _, b := range blocks {
		c.block(b)
	}
	p.marked = c.marked
	return p
}

// block compiles the content of a block, which sees the variables of the template and none of a loop around it.
func (c *compiler) block(n *blockNode) {
	def := c.blocks[n.name]
	def.fn = newFuncScope(nil)
	s := &scope{symbols: newSymbols(nil, def.fn)}
	def.self, def.super = -1, -1
	found := undeclared(n.body, "self", "super")
	if found["self"] {
		def.self = def.fn.slot(s.symbols.declareParameter("self"))
	}
	if found["super"] {
		def.super = def.fn.slot(s.symbols.declareParameter("super"))
	}
	s.symbols.analyze(n)
	def.entry = c.entry(s.symbols)
	def.body = c.statements(n.body, s)
}

func (c *compiler) statements(nodes []node, s *scope) []stmt {
	var all []stmt
	for _, n := range nodes {
		if st := c.statement(n, s); st != nil {
			all = append(all, st)
		}
	}
	return all
}

func (c *compiler) statement(n node, s *scope) stmt {
	switch n := n.(type) {
	case *outputNode:
		return c.output(n, s)
	case *ifNode:
		return c.ifStatement(n, s)
	case *forNode:
		return c.forStatement(n, s)
	case *macroNode:
		def := c.macro(n, s)
		return &macroStmt{def: def, target: c.variable(s.symbols.ref(n.name, n.line), s.fn()), export: c.export(s)}
	case *callBlockNode:
		return c.callBlock(n, s)
	case *filterBlockNode:
		inner := s.inner(s.fn())
		inner.symbols.analyze(n)
		st := &filterBlockStmt{entry: c.entry(inner.symbols)}
		st.body = c.statements(n.body, inner)
		st.filter = c.filterOf(n.filter, inner, &st.text)
		return st
	case *withNode:
		return c.withStatement(n, s)
	case *assignNode:
		return c.assign(n, s)
	case *assignBlockNode:
		inner := s.inner(s.fn())
		inner.symbols.analyze(n)
		st := &assignBlockStmt{entry: c.entry(inner.symbols), line: n.line}
		st.body = c.statements(n.body, inner)
		st.target = c.target(n.target, s)
		if n.filter != nil {
			st.filter = c.filterOf(n.filter, inner, &st.text)
		}
		return st
	case *blockNode:
		st := &blockStmt{def: c.blocks[n.name], line: n.line}
		if n.scoped {
			st.locals = map[string]variable{}
			for name, id := range s.symbols.dumpStores() {
				st.locals[name] = c.variable(id, s.fn())
			}
		}
		return st
	case *scopeNode:
		inner := s.inner(s.fn())
		inner.symbols.analyze(n)
		return &scopeStmt{entry: c.entry(inner.symbols), body: c.statements(n.body, inner)}
	case *loadNode:
		if n.what == "extends" && !s.toplevel {
			failAt(n.line, "cannot use extend from a non top-level scope")
		}
		return &loadStmt{what: n.what, expr: c.expr(n.expr, s), line: n.line}
	case *breakNode:
		if s.fn().loops == 0 {
			failAt(n.line, "'%s' outside loop", map[bool]string{false: "break", true: "continue"}[n.next])
		}
		return &breakStmt{n.next}
	}
	return nil
}

// output compiles text and outputs; what is constant becomes text.
func (c *compiler) output(n *outputNode, s *scope) stmt {
	st := &outputStmt{}
	constant := func(text string) {
		if k := len(st.items) - 1; k >= 0 && st.items[k].expr == nil {
			st.items[k].text += text
		} else {
			st.items = append(st.items, outputItem{text: text})
		}
	}
	for i, child := range n.nodes {
		if data, ok := child.(*dataNode); ok {
			constant(data.text)
			continue
		}
		if v, ok := c.constant(child); ok {
			text := ""
			if attempt(func() { text = c.fold.str(v) }) == nil {
				constant(text)
			} else {
				st.items = append(st.items, outputItem{expr: &constExpr{v}, line: n.lines[i]})
			}
			continue
		}
		st.items = append(st.items, outputItem{expr: c.expr(child, s), line: n.lines[i]})
	}
	return st
}

func (c *compiler) ifStatement(n *ifNode, s *scope) stmt {
	soft := s.softened()
	st := &ifStmt{branches: []branch{{c.expr(n.test, soft), c.statements(n.body, soft)}}}
	for _, e := range n.elifs {
		e := e.(*ifNode)
		st.branches = append(st.branches, branch{c.expr(e.test, soft), c.statements(e.body, soft)})
	}
	st.otherwise = c.statements(n.otherwise, soft)
	return st
}

func (c *compiler) forStatement(n *forNode, s *scope) stmt {
	in := s.fn()
	if n.recursive {
		in = newFuncScope(s.fn())
	}
	body, otherwise := s.inner(in), s.inner(in)
	st := &forStmt{line: n.line, loop: -1}
	extended := n.recursive || undeclared(n.body, "loop")["loop"]
	walk(n, func(n node) {
		if b, ok := n.(*blockNode); ok && b.scoped {
			extended = true
		}
		if name, ok := n.(*nameNode); ok && name.store && name.name == "loop" {
			failAt(name.line, "Can't assign to special loop variable in for-loop target")
		}
	})
	if extended {
		st.loop = in.slot(body.symbols.declareParameter("loop"))
	}
	body.symbols.parameters(n.target)
	(&visitor{body.symbols}).all(n.body)
	(&visitor{otherwise.symbols}).all(n.otherwise)
	if n.test != nil {
		fn := newFuncScope(s.fn())
		test := s.inner(fn)
		test.symbols.parameters(n.target)
		(&visitor{test.symbols}).visit(n.test)
		st.filter = &loopFilter{fn: fn, entry: c.entry(test.symbols), target: c.target(n.target, test), test: c.expr(n.test, test)}
	}
	st.iter = c.expr(n.iter, s)
	st.target = c.target(n.target, body)
	st.entry = c.entry(body.symbols)
	in.loops++
	st.body = c.statements(n.body, body)
	in.loops--
	if n.otherwise != nil {
		st.elseEntry = c.entry(otherwise.symbols)
		st.otherwise = c.statements(n.otherwise, otherwise)
	}
	if n.recursive {
		st.fn = in
	}
	return st
}

func (c *compiler) withStatement(n *withNode, s *scope) stmt {
	inner := s.inner(s.fn())
	inner.symbols.analyze(n)
	st := &withStmt{entry: c.entry(inner.symbols)}
	for i, target := range n.targets {
		st.targets = append(st.targets, c.target(target, inner))
		st.values = append(st.values, c.expr(n.values[i], s))
	}
	st.body = c.statements(n.body, inner)
	return st
}

// export says whether what a frame sets is seen by blocks.
func (c *compiler) export(s *scope) bool { return s.toplevel && len(c.blocks) > 0 }

func (c *compiler) assign(n *assignNode, s *scope) stmt {
	return &assignStmt{checks: c.namespaces(n.target, s), target: c.target(n.target, s), expr: c.expr(n.node, s), line: n.line}
}

// namespaces returns the variables of a target that must be namespaces.
func (c *compiler) namespaces(target node, s *scope) (all []variable) {
	walk(target, func(n node) {
		if ref, ok := n.(*nsRefNode); ok {
			v := c.variable(s.symbols.ref(ref.name, ref.line), s.fn())
			if !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
	})
	return all
}

func (c *compiler) target(n node, s *scope) target {
	switch n := n.(type) {
	case *nameNode:
		t := &nameTarget{v: c.variable(s.symbols.ref(n.name, n.line), s.fn())}
		if c.export(s) {
			t.export = n.name
		}
		return t
	case *nsRefNode:
		return &nsTarget{c.variable(s.symbols.ref(n.name, n.line), s.fn()), n.name, n.attr}
	}
	t := &tupleTarget{}
	for _, item := range n.(*tupleNode).items {
		t.items = append(t.items, c.target(item, s))
	}
	return t
}

// macro compiles a macro, or the body of a call block.
func (c *compiler) macro(n *macroNode, s *scope) *macroDef {
	fn := newFuncScope(s.fn())
	inner := s.inner(fn)
	inner.symbols.analyze(n)
	def := &macroDef{name: n.name, fn: fn, line: n.line, callerSlot: -1, kwargsSlot: -1, varargsSlot: -1}
	for _, arg := range n.args {
		name := arg.(*nameNode).name
		if slices.Contains(def.args, name) {
			failAt(n.line, "duplicate argument %s in function definition", quote(name))
		}
		def.args = append(def.args, name)
	}
	found := undeclared(n.body, "caller", "kwargs", "varargs")
	if i := slices.Index(def.args, "caller"); i >= 0 {
		def.explicitCaller = true
		if found["caller"] && len(def.args)-i > len(n.defaults) {
			failAt(n.line, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
		}
		def.caller = found["caller"]
	} else if found["caller"] {
		def.caller = true
		def.callerSlot = fn.slot(inner.symbols.declareParameter("caller"))
	}
	if found["kwargs"] && !slices.Contains(def.args, "kwargs") {
		def.kwargsSlot = fn.slot(inner.symbols.declareParameter("kwargs"))
	}
	if found["varargs"] && !slices.Contains(def.args, "varargs") {
		def.varargsSlot = fn.slot(inner.symbols.declareParameter("varargs"))
	}
	inner.symbols.analyze(n)
	def.entry = c.entry(inner.symbols)
	for _, name := range def.args {
		def.slots = append(def.slots, fn.slot(inner.symbols.ref(name, n.line)))
	}
	def.defaults = make([]expr, len(def.args))
	for i, d := range n.defaults {
		def.defaults[len(def.args)-len(n.defaults)+i] = c.expr(d, inner)
	}
	def.body = c.statements(n.body, inner)
	return def
}

func (c *compiler) callBlock(n *callBlockNode, s *scope) stmt {
	def := c.macro(n.macro, s)
	if n.call == nil {
		c.marked = true
		return &generationStmt{def: def}
	}
	call := c.call(n.call.(*callNode), s, "caller")
	return &callBlockStmt{def: def, call: call}
}
