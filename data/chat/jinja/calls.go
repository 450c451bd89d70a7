package jinja

import "slices"

// callArgs are the arguments of a call: those by position, then those by name.
type callArgs struct {
	args   []Value
	names  []string
	values []Value
}

// set sets an argument by name; one that is there is replaced.
func (a *callArgs) set(name string, v Value) {
	if i := slices.Index(a.names, name); i >= 0 {
		a.values[i] = v
		return
	}
	a.names, a.values = append(a.names, name), append(a.values, v)
}

// add is set that fails where the name is there.
func (a *callArgs) add(name string, v Value) {
	if slices.Contains(a.names, name) {
		typeError("got multiple values for keyword argument %s", quote(name))
	}
	a.names, a.values = append(a.names, name), append(a.values, v)
}

// update adds those of **v.
func (a *callArgs) update(v Value) {
	if u, ok := v.(*Missing); ok {
		u.fail()
	}
	d, ok := v.(*Dict)
	if !ok {
		typeError("argument after ** must be a mapping, not %s", typeName(v))
	}
	for i, key := range d.keys {
		name, ok := text(key)
		if !ok {
			typeError("keywords must be strings")
		}
		a.add(name, d.values[i])
	}
}

// take removes an argument by name and returns it, nil if it is not given.
func (a *callArgs) take(name string) Value {
	i := slices.Index(a.names, name)
	if i < 0 {
		return nil
	}
	v := a.values[i]
	a.names, a.values = slices.Delete(slices.Clone(a.names), i, i+1), slices.Delete(slices.Clone(a.values), i, i+1)
	return v
}

// plain refuses arguments by name.
func (a *callArgs) plain(name string) {
	if len(a.names) > 0 {
		typeError("%s() takes no keyword arguments", name)
	}
}

// dict returns the arguments by name as a dict.
func (a *callArgs) dict() *Dict {
	d := newDict(len(a.names))
	for i, name := range a.names {
		d.set(name, a.values[i])
	}
	return d
}

// params are the parameters of a Python function in order; those from required on may be left out.
type params struct {
	names    []string
	required int
}

// bind returns the arguments in the order of the parameters, nil for those that are not given.
func (p *params) bind(function string, a callArgs) []Value {
	if len(a.args) > len(p.names) {
		typeError("%s() takes %d positional arguments but %d were given", function, len(p.names), len(a.args))
	}
	if len(a.names) == 0 && len(a.args) == len(p.names) {
		return a.args
	}
	values := make([]Value, len(p.names))
	copy(values, a.args)
	for i, name := range a.names {
		k := slices.Index(p.names, name)
		if k < 0 {
			typeError("%s() got an unexpected keyword argument %s", function, quote(name))
		}
		if values[k] != nil {
			typeError("%s() got multiple values for argument %s", function, quote(name))
		}
		values[k] = a.values[i]
	}
	for i := range p.required {
		if values[i] == nil {
			typeError("%s() missing 1 required positional argument: %s", function, quote(p.names[i]))
		}
	}
	return values
}

// method is a method of a built-in type.
type method struct {
	name     string
	min, max int // arguments by position; max is -1 for any number
	names    bool
	call     func(m *machine, self Value, a callArgs) Value
}

func (d *method) run(m *machine, self Value, a callArgs) Value {
	if !d.names {
		a.plain(d.name)
	}
	if len(a.args) < d.min {
		typeError("%s() takes at least %d arguments (%d given)", d.name, d.min, len(a.args))
	}
	if d.max >= 0 && len(a.args) > d.max {
		typeError("%s() takes at most %d arguments (%d given)", d.name, d.max, len(a.args))
	}
	return d.call(m, self, a)
}

// bound is a method of a value.
type bound struct {
	self Value
	def  *method
}

// function is one of the globals.
type function struct {
	kind string // Python's type
	name string
	text string // repr(), "" where it is an address
	call func(m *machine, a callArgs) Value
}

// call calls a value.
func (m *machine) call(callee Value, a callArgs) Value {
	switch callee := callee.(type) {
	case *bound:
		return callee.def.run(m, callee.self, a)
	case *function:
		return callee.call(m, a)
	case *macro:
		return callee.call(m, a)
	case *joiner:
		if len(a.args)+len(a.names) > 0 {
			typeError("Joiner.__call__() takes 1 positional argument but %d were given", 1+len(a.args)+len(a.names))
		}
		return callee.next()
	case *loopState:
		if callee.recurse == nil {
			typeError("The loop must have the 'recursive' marker to be called recursively.")
		}
		return callee.recurse((&params{[]string{"iterable"}, 1}).bind("__call__", a)[0])
	case *blockRef:
		if len(a.args)+len(a.names) > 0 {
			typeError("BlockReference.__call__() takes 1 positional argument but %d were given", 1+len(a.args)+len(a.names))
		}
		var out = &frame{m: m}
		text, _ := out.capture(func() flow {
			m.block(callee.def, callee.ctx, out.out)
			return goOn
		})
		return text
	case *Missing:
		callee.fail()
	}
	typeError("'%s' object is not callable", typeName(callee))
	return nil
}

// Macros.

type macroDef struct {
	name           string // "" of the body of a call block
	args           []string
	slots          []int  // of args
	defaults       []expr // of args, nil where there is none
	caller         bool   // the body reads caller
	explicitCaller bool   // caller is one of args
	callerSlot     int    // -1 without
	kwargsSlot     int
	varargsSlot    int
	fn             *funcScope
	entry          *entry
	body           []stmt
	line           int
}

// macro is a macro with the frame that it was defined in.
type macro struct {
	def *macroDef
	up  *frame
}

// call is jinja2's Macro.__call__.
func (mc *macro) call(m *machine, a callArgs) Value {
	d := mc.def
	given := make([]Value, len(d.args))
	n := copy(given, a.args)
	foundCaller := false
	if n < len(d.args) {
		for i := n; i < len(d.args); i++ {
			given[i] = a.take(d.args[i])
			foundCaller = foundCaller || d.args[i] == "caller"
		}
	} else {
		foundCaller = d.explicitCaller
	}
	var caller Value
	if d.caller && !foundCaller {
		if caller = a.take("caller"); caller == nil || caller == None {
			caller = &Missing{hint: "No caller defined", name: "caller"}
		}
	}
	if d.kwargsSlot < 0 && len(a.names) > 0 {
		if slices.Contains(a.names, "caller") {
			typeError("macro %s was invoked with two values for the special caller argument. This is most likely a bug.", quote(d.name))
		}
		typeError("macro %s takes no keyword argument %s", quote(d.name), quote(a.names[0]))
	}
	if d.varargsSlot < 0 && len(a.args) > len(d.args) {
		typeError("macro %s takes not more than %d argument(s)", quote(d.name), len(d.args))
	}
	defer m.endCall(m.beginCall())
	f := newFrame(d.fn, mc.up)
	for i, slot := range d.slots {
		f.vars[slot] = given[i]
	}
	if d.callerSlot >= 0 {
		f.vars[d.callerSlot] = caller
	}
	if d.kwargsSlot >= 0 {
		f.vars[d.kwargsSlot] = a.dict()
	}
	if d.varargsSlot >= 0 {
		f.vars[d.varargsSlot] = &Tuple{items: a.args[min(len(d.args), len(a.args)):]}
	}
	text, _ := f.capture(func() flow {
		d.entry.enter(f)
		for i, slot := range d.slots {
			if f.vars[slot] != nil {
				continue
			}
			if d.defaults[i] != nil {
				f.vars[slot] = d.defaults[i].eval(f)
			} else {
				f.vars[slot] = &Missing{hint: "parameter " + quote(d.args[i]) + " was not provided", name: d.args[i]}
			}
		}
		return runAll(d.body, f)
	})
	return text
}

func (mc *macro) attr(name string) (Value, bool) {
	d := mc.def
	switch name {
	case "name":
		if d.name == "" {
			return None, true
		}
		return d.name, true
	case "arguments":
		t := &Tuple{}
		for _, arg := range d.args {
			t.items = append(t.items, arg)
		}
		return t, true
	case "catch_kwargs":
		return d.kwargsSlot >= 0, true
	case "catch_varargs":
		return d.varargsSlot >= 0, true
	case "caller":
		return d.caller, true
	case "explicit_caller":
		return d.explicitCaller, true
	}
	return nil, false
}

type macroStmt struct {
	def    *macroDef
	target variable
	export bool
}

func (s *macroStmt) run(f *frame) flow {
	mc := &macro{s.def, f}
	s.target.frame(f).vars[s.target.slot] = mc
	if s.export {
		f.ctx.set[s.def.name] = mc
	}
	return goOn
}

type callBlockStmt struct {
	def  *macroDef
	call *callExpr
}

func (s *callBlockStmt) run(f *frame) flow {
	f.writeText(s.call.call(f, &macro{s.def, f}))
	return goOn
}

// Span is what a generation block has written: the bytes [Begin, End) of the text.
type Span struct {
	Begin, End int
	Text       string // what the block gave; it stands there unless the block is in a macro, a set block or the like
}

// generationStmt is {% generation %} … {% endgeneration %}: what the assistant says.
type generationStmt struct{ def *macroDef }

func (s *generationStmt) run(f *frame) flow {
	m := f.m
	m.line = s.def.line
	text := m.str((&macro{s.def, f}).call(m, callArgs{}))
	begin := m.output.Len()
	m.spans = append(m.spans, Span{begin, begin + len(text), text})
	f.write(text)
	return goOn
}
