package jinja

import (
	"maps"
	"slices"
)

// Which variable a name means is decided when a template is compiled, by jinja2's own rules (its module idtracking): each
// frame (the template, the body of a loop, a macro, …) has symbols; a name is looked up through the frames around it, and a
// frame that sets it has a variable of its own, which begins as a copy of the outer one.

// ident is a variable: a name at a level of frames within a function.
type ident struct {
	in    *funcScope
	level int
	name  string
}

// funcScope is what Python would compile to a function: the template, a macro, a block, a recursive loop, the filter of a
// loop. Its variables stand in slots; frames of one function that are on one level share those of equal names.
type funcScope struct {
	parent *funcScope
	depth  int
	slots  map[slotKey]int
	loops  int // that are open, for break and continue
}

type slotKey struct {
	level int
	name  string
}

func newFuncScope(parent *funcScope) *funcScope {
	f := &funcScope{parent: parent, slots: map[slotKey]int{}}
	if parent != nil {
		f.depth = parent.depth + 1
	}
	return f
}

func (f *funcScope) slot(id ident) int {
	key := slotKey{id.level, id.name}
	n, ok := f.slots[key]
	if !ok {
		n = len(f.slots)
		f.slots[key] = n
	}
	return n
}

// load is how a frame's variable gets its first value.
type load struct {
	kind  byte // 'p' a parameter has one, 'r' from the context, 'a' from another variable, 'u' it is undefined
	alias ident
}

type symbols struct {
	in     *funcScope
	level  int
	parent *symbols
	under  *symbols // of the branch of an if: the frame's symbols before it, which hold what the branch has not
	refs   map[string]ident
	loads  map[ident]load
	stores map[string]bool
}

func newSymbols(parent *symbols, in *funcScope) *symbols {
	s := &symbols{in: in, parent: parent, refs: map[string]ident{}, loads: map[ident]load{}, stores: map[string]bool{}}
	if parent != nil {
		s.level = parent.level + 1
	}
	return s
}

// branch returns the symbols of a branch of an if, which begin as those of the frame.
func (s *symbols) branch() *symbols {
	b := newSymbols(s.parent, s.in)
	b.level, b.under = s.level, s
	return b
}

// own returns a variable of the frame itself.
func (s *symbols) own(name string) (ident, bool) {
	for ; s != nil; s = s.under {
		if id, ok := s.refs[name]; ok {
			return id, true
		}
	}
	return ident{}, false
}

func (s *symbols) hasStored(name string) bool {
	for ; s != nil; s = s.under {
		if s.stores[name] {
			return true
		}
	}
	return false
}

func (s *symbols) define(name string, l load) ident {
	id := ident{s.in, s.level, name}
	s.refs[name] = id
	s.loads[id] = l
	return id
}

func (s *symbols) findRef(name string) (ident, bool) {
	for ; s != nil; s = s.parent {
		if id, ok := s.own(name); ok {
			return id, true
		}
	}
	return ident{}, false
}

// ref is findRef of a name that has been seen. jinja2 fails on one that has not: its rules overlook some places.
func (s *symbols) ref(name string, line int) ident {
	id, ok := s.findRef(name)
	if !ok {
		failAt(line, "Tried to resolve a name to a reference that was unknown to the frame (%s)", quote(name))
	}
	return id
}

func (s *symbols) store(name string) {
	s.stores[name] = true
	if _, ok := s.own(name); ok {
		return
	}
	if s.parent != nil {
		if outer, ok := s.parent.findRef(name); ok {
			s.define(name, load{kind: 'a', alias: outer})
			return
		}
	}
	s.define(name, load{kind: 'u'})
}

func (s *symbols) declareParameter(name string) ident {
	s.stores[name] = true
	return s.define(name, load{kind: 'p'})
}

func (s *symbols) load(name string) {
	if _, ok := s.findRef(name); !ok {
		s.define(name, load{kind: 'r'})
	}
}

// branchUpdate takes over what the branches of an if have set.
func (s *symbols) branchUpdate(branches ...*symbols) {
	stores := map[string]bool{}
	for _, b := range branches {
		maps.Copy(stores, b.stores)
	}
	maps.DeleteFunc(stores, func(name string, _ bool) bool { return s.hasStored(name) })
	for _, b := range branches {
		maps.Copy(s.refs, b.refs)
		maps.Copy(s.loads, b.loads)
		maps.Copy(s.stores, b.stores)
	}
	for name := range stores {
		target, _ := s.findRef(name)
		l := load{kind: 'r'}
		if s.parent != nil {
			if outer, ok := s.parent.findRef(name); ok {
				l = load{kind: 'a', alias: outer}
			}
		}
		s.loads[target] = l
	}
}

// sortedLoads returns the variables that a frame begins with in a fixed order.
func (s *symbols) sortedLoads() []ident {
	ids := slices.Collect(maps.Keys(s.loads))
	slices.SortFunc(ids, func(a, b ident) int {
		if a.level != b.level {
			return a.level - b.level
		}
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return ids
}

// dumpStores returns the variables that s and the frames around it set, by name.
func (s *symbols) dumpStores() map[string]ident {
	all := map[string]ident{}
	for f := s; f != nil; f = f.parent {
		for name := range f.stores {
			if _, ok := all[name]; !ok {
				all[name], _ = s.findRef(name)
			}
		}
	}
	return all
}

// analyze finds the symbols of a frame whose content is n.
func (s *symbols) analyze(n node) {
	v := visitor{s}
	switch n := n.(type) {
	case *assignBlockNode:
		v.all(n.body)
	case *macroNode:
		v.all(n.args)
		v.all(n.defaults)
		v.all(n.body)
	case *withNode:
		v.all(n.targets)
		v.all(n.body)
	default: // a filter block, a block, a scope
		children(n, v.visit)
	}
}

// visitor is jinja2's FrameSymbolVisitor: it goes through a frame, not into those within.
type visitor struct{ symbols *symbols }

func (v *visitor) all(nodes []node) {
	for _, n := range nodes {
		v.visit(n)
	}
}

func (v *visitor) visit(n node) {
	switch n := n.(type) {
	case *nameNode:
		switch {
		case n.param:
			v.symbols.declareParameter(n.name)
		case n.store:
			v.symbols.store(n.name)
		default:
			v.symbols.load(n.name)
		}
	case *nsRefNode:
		v.symbols.load(n.name)
	case *ifNode:
		v.visitIf(n)
	case *macroNode:
		v.symbols.store(n.name)
	case *loadNode:
		v.visit(n.expr)
		for _, name := range n.names {
			v.symbols.store(name)
		}
	case *assignNode:
		v.visit(n.node)
		v.visit(n.target)
	case *forNode:
		v.visit(n.iter)
	case *callBlockNode:
		if n.call != nil {
			v.visit(n.call)
		}
	case *filterBlockNode:
		v.visit(n.filter)
	case *withNode:
		v.all(n.values)
	case *assignBlockNode:
		v.visit(n.target)
	case *scopeNode, *blockNode:
	default:
		children(n, v.visit)
	}
}

func (v *visitor) visitIf(n *ifNode) {
	v.visit(n.test)
	original := v.symbols
	branch := func(nodes []node) *symbols {
		if len(nodes) == 0 {
			return &symbols{}
		}
		v.symbols = original.branch()
		v.all(nodes)
		b := v.symbols
		v.symbols = original
		return b
	}
	original.branchUpdate(branch(n.body), branch(n.elifs), branch(n.otherwise))
}

// parameters declares the names of a target as parameters.
func (s *symbols) parameters(target node) {
	walk(target, func(n node) {
		if name, ok := n.(*nameNode); ok {
			s.declareParameter(name.name)
		}
	})
}

// undeclared returns which of names are read in nodes before anything there sets them.
func undeclared(nodes []node, names ...string) map[string]bool {
	open := map[string]bool{}
	for _, name := range names {
		open[name] = true
	}
	found := map[string]bool{}
	var visit func(n node)
	visit = func(n node) {
		switch n := n.(type) {
		case *blockNode:
			return
		case *nameNode:
			if n.store || n.param {
				delete(open, n.name)
			} else if open[n.name] {
				found[n.name] = true
			}
		}
		children(n, visit)
	}
	for _, n := range nodes {
		visit(n)
	}
	return found
}
