package jinja

// forStmt is a for loop.
type forStmt struct {
	iter      expr
	target    target
	filter    *loopFilter // nil without if
	loop      int         // the slot of the variable loop, -1 where the body does not read it
	entry     *entry
	body      []stmt
	elseEntry *entry
	otherwise []stmt
	fn        *funcScope // of a recursive loop: its body is a function
	line      int
}

// loopFilter is the if of a loop.
type loopFilter struct {
	fn     *funcScope
	entry  *entry
	target target
	test   expr
}

// apply returns those of the elements of v that pass, looked at one by one when they are asked for.
func (l *loopFilter) apply(v Value, up *frame) *iterator {
	f := newFrame(l.fn, up)
	var source func() (Value, bool)
	return &iterator{kind: "generator", next: func() (Value, bool) {
		if source == nil {
			source = f.m.mustIterate(v)
			l.entry.enter(f)
		}
		for {
			item, ok := source()
			if !ok {
				return nil, false
			}
			f.m.spend(1)
			l.target.assign(f, item)
			if truth(l.test.eval(f)) {
				return item, true
			}
		}
	}}
}

func (s *forStmt) run(f *frame) flow {
	f.m.line = s.line
	v := s.iter.eval(f)
	if s.fn != nil {
		f.write(s.recurse(f, v, 0))
		return goOn
	}
	return s.turns(f, f, v, 0)
}

// recurse runs a recursive loop over v and returns what it writes.
func (s *forStmt) recurse(f *frame, v Value, depth int64) string {
	defer f.m.endCall(f.m.beginCall())
	inner := newFrame(s.fn, f)
	text, _ := inner.capture(func() flow { return s.turns(f, inner, v, depth) })
	return text
}

// turns runs the loop over v in frame in, which is f or, of a recursive loop, a frame of its own.
func (s *forStmt) turns(f, in *frame, v Value, depth int64) flow {
	m := f.m
	if s.filter != nil {
		v = s.filter.apply(v, f)
	}
	var next func() (Value, bool)
	var loop *loopState
	if s.loop >= 0 {
		loop = &loopState{m: m, of: v, index0: -1, depth0: depth, next: m.mustIterate(v)}
		if s.fn != nil {
			loop.recurse = func(v Value) string { return s.recurse(f, v, depth+1) }
		}
		next = loop.advance
	} else {
		next = m.mustIterate(v)
	}
	empty := true
	for {
		m.spend(1)
		item, ok := next()
		if !ok {
			break
		}
		s.target.assign(in, item)
		if loop != nil {
			in.vars[s.loop] = loop
		}
		s.entry.enter(in)
		fl := runAll(s.body, in)
		if fl == breakLoop {
			break
		}
		if fl == goOn {
			empty = false
		}
	}
	s.entry.leave(in)
	if empty && s.otherwise != nil {
		s.elseEntry.enter(in)
		if fl := runAll(s.otherwise, in); fl != goOn {
			return fl
		}
		s.elseEntry.leave(in)
	}
	return goOn
}

// loopState is the variable loop.
type loopState struct {
	m       *machine
	of      Value
	next    func() (Value, bool)
	recurse func(v Value) string // nil but for a recursive loop

	index0, depth0         int64
	known                  int64 // the length + 1, 0 while it is not known
	before, current, after Value // nil for none
	peeked                 bool  // after holds the next element, or there is none
	changed                *Tuple
}

// advance goes to the next element.
func (l *loopState) advance() (Value, bool) {
	v, ok := l.peek(), true
	if l.peeked = false; v == nil {
		ok = false
	}
	l.after = nil
	if !ok {
		return nil, false
	}
	l.index0++
	l.before, l.current = l.current, v
	return v, true
}

// peek returns the next element, nil at the end.
func (l *loopState) peek() Value {
	if l.after == nil {
		if v, ok := l.next(); ok {
			l.after = v
		}
	}
	return l.after
}

// length returns the number of elements; what has none is read to its end.
func (l *loopState) length() int64 {
	if l.known > 0 {
		return l.known - 1
	}
	n, ok := l.m.length(l.of)
	if !ok {
		var rest []Value
		for {
			v, ok := l.next()
			if !ok {
				break
			}
			l.m.grow(1)
			rest = append(rest, v)
		}
		n = int64(len(rest)) + l.index0 + 1
		if l.after != nil {
			n++
		}
		l.next = sliceIterator(rest)
	}
	l.known = n + 1
	return n
}

// attr returns an attribute.
func (l *loopState) attr(name string) (Value, bool) {
	switch name {
	case "index0":
		return l.index0, true
	case "index":
		return l.index0 + 1, true
	case "revindex0":
		return l.length() - l.index0 - 1, true
	case "revindex":
		return l.length() - l.index0, true
	case "length":
		return l.length(), true
	case "first":
		return l.index0 == 0, true
	case "last":
		return l.peek() == nil, true
	case "depth0":
		return l.depth0, true
	case "depth":
		return l.depth0 + 1, true
	case "previtem":
		if l.index0 == 0 {
			return &Missing{hint: "there is no previous item"}, true
		}
		return l.before, true
	case "nextitem":
		if v := l.peek(); v != nil {
			return v, true
		}
		return &Missing{hint: "there is no next item"}, true
	case "cycle":
		return &bound{l, loopCycle}, true
	case "changed":
		return &bound{l, loopChanged}, true
	}
	return nil, false
}

var loopCycle = &method{name: "cycle", max: -1, call: func(m *machine, self Value, a callArgs) Value {
	if len(a.args) == 0 {
		typeError("no items for cycling given")
	}
	return a.args[self.(*loopState).index0%int64(len(a.args))]
}}

var loopChanged = &method{name: "changed", max: -1, call: func(m *machine, self Value, a callArgs) Value {
	l := self.(*loopState)
	if l.changed != nil && m.equalItems(l.changed.items, a.args) {
		return false
	}
	l.changed = &Tuple{items: a.args}
	return true
}}
