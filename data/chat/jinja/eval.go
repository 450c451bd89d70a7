package jinja

// expr is a compiled expression.
type expr interface{ eval(f *frame) Value }

type constExpr struct{ value Value }

func (e *constExpr) eval(*frame) Value { return e.value }

// failExpr is what jinja2 compiles to Python that fails, or computes as this engine cannot.
type failExpr struct {
	kind    Kind
	message string
}

func (e *failExpr) eval(*frame) Value {
	fail(e.kind, "%s", e.message)
	return nil
}

// localExpr is a variable of the function that runs.
type localExpr struct {
	slot int
	name string
}

func (e *localExpr) eval(f *frame) Value {
	if v := f.vars[e.slot]; v != nil {
		return v
	}
	return &Missing{name: e.name}
}

// nameExpr is a variable of a function around it.
type nameExpr struct {
	variable
	name string
}

func (e *nameExpr) eval(f *frame) Value {
	if v := e.frame(f).vars[e.slot]; v != nil {
		return v
	}
	return &Missing{name: e.name}
}

// textExpr is the content of a filter block.
type textExpr struct{}

func (e *textExpr) eval(f *frame) Value { return f.blockText }

// apply computes the filter of a block whose content is text.
func (e *textExpr) apply(f *frame, text string, filter expr) Value {
	outer := f.blockText
	f.blockText = text
	v := filter.eval(f)
	f.blockText = outer
	return v
}

func evalAll(exprs []expr, f *frame) []Value {
	if len(exprs) == 0 {
		return nil
	}
	f.m.grow(int64(16 * len(exprs)))
	values := make([]Value, len(exprs))
	for i, e := range exprs {
		values[i] = e.eval(f)
	}
	return values
}

type tupleExpr struct{ items []expr }

func (e *tupleExpr) eval(f *frame) Value { return &Tuple{items: evalAll(e.items, f)} }

type listExpr struct{ items []expr }

func (e *listExpr) eval(f *frame) Value { return NewList(evalAll(e.items, f)) }

type dictExpr struct{ keys, values []expr }

func (e *dictExpr) eval(f *frame) Value {
	f.m.grow(int64(32 * len(e.keys)))
	d := newDict(len(e.keys))
	for i := range e.keys {
		key := f.m.key(e.keys[i].eval(f))
		d.set(key, e.values[i].eval(f))
	}
	return d
}

type andExpr struct{ left, right expr }

func (e *andExpr) eval(f *frame) Value {
	if v := e.left.eval(f); !truth(v) {
		return v
	}
	return e.right.eval(f)
}

type orExpr struct{ left, right expr }

func (e *orExpr) eval(f *frame) Value {
	if v := e.left.eval(f); truth(v) {
		return v
	}
	return e.right.eval(f)
}

type notExpr struct{ of expr }

func (e *notExpr) eval(f *frame) Value { return !truth(e.of.eval(f)) }

type addExpr struct {
	left, right expr
	line        int
}

func (e *addExpr) eval(f *frame) Value {
	left, right := e.left.eval(f), e.right.eval(f)
	f.m.spend(1)
	if a, ok := left.(string); ok {
		if b, ok := right.(string); ok {
			f.m.grow(int64(len(a) + len(b)))
			return a + b
		}
	}
	f.m.line = e.line
	return f.m.binary("+", left, right)
}

type binaryExpr struct {
	op          string
	left, right expr
	line        int
}

func (e *binaryExpr) eval(f *frame) Value {
	left, right := e.left.eval(f), e.right.eval(f)
	f.m.spend(1)
	f.m.line = e.line
	return f.m.binary(e.op, left, right)
}

type signExpr struct {
	minus bool
	of    expr
	line  int
}

func (e *signExpr) eval(f *frame) Value {
	v := e.of.eval(f)
	f.m.line = e.line
	return f.m.sign(e.minus, v)
}

type compareExpr struct {
	first expr
	ops   []string
	exprs []expr
	line  int
}

func (e *compareExpr) eval(f *frame) Value {
	left := e.first.eval(f)
	for i, op := range e.ops {
		right := e.exprs[i].eval(f)
		f.m.spend(1)
		f.m.line = e.line
		if !f.m.compare(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

type concatExpr struct{ exprs []expr }

func (e *concatExpr) eval(f *frame) Value { return f.m.concat(evalAll(e.exprs, f)) }

type condExpr struct {
	test, yes, no expr
	line          int
}

func (e *condExpr) eval(f *frame) Value {
	if truth(e.test.eval(f)) {
		return e.yes.eval(f)
	}
	if e.no == nil {
		return &Missing{hint: "the inline if-expression on line " + pyRepr(int64(e.line)) + " evaluated to false and no else section was defined."}
	}
	return e.no.eval(f)
}

type attrExpr struct {
	of   expr
	name string
	line int
}

func (e *attrExpr) eval(f *frame) Value {
	of := e.of.eval(f)
	f.m.spend(1)
	f.m.line = e.line
	return f.m.getattr(of, e.name)
}

type itemExpr struct {
	of, arg expr
	line    int
}

func (e *itemExpr) eval(f *frame) Value {
	of, arg := e.of.eval(f), e.arg.eval(f)
	f.m.spend(1)
	f.m.line = e.line
	return f.m.getitem(of, arg)
}

type sliceExpr struct {
	of                expr
	start, stop, step expr // nil where left out
	line              int
}

func (e *sliceExpr) eval(f *frame) Value {
	of := e.of.eval(f)
	bound := func(e expr) Value {
		if e == nil {
			return None
		}
		return e.eval(f)
	}
	start, stop, step := bound(e.start), bound(e.stop), bound(e.step)
	f.m.spend(1)
	f.m.line = e.line
	return f.m.slice(of, start, stop, step)
}

// argExprs are the arguments of a call.
type argExprs struct {
	args        []expr
	names       []string
	values      []expr
	star, stars expr // nil without
}

func (e *argExprs) eval(f *frame) callArgs {
	a := callArgs{args: evalAll(e.args, f)}
	if e.star != nil {
		star := e.star.eval(f)
		next, ok := f.m.iterate(star)
		if !ok {
			typeError("Value after * must be an iterable, not %s", typeName(star))
		}
		for v, ok := next(); ok; v, ok = next() {
			f.m.grow(16)
			a.args = append(a.args, v)
		}
	}
	for i, name := range e.names {
		a.set(name, e.values[i].eval(f))
	}
	if e.stars != nil {
		a.update(e.stars.eval(f))
	}
	return a
}

type callExpr struct {
	node   expr
	method *attrExpr // node, where it is an attribute
	args   argExprs
	line   int
}

func (e *callExpr) eval(f *frame) Value { return e.call(f, nil) }

// call calls, with the body of a call block as caller.
func (e *callExpr) call(f *frame, caller *macro) Value {
	m := f.m
	var callee Value
	if e.method != nil {
		of := e.method.of.eval(f)
		if def := methodOf(of, e.method.name); def != nil {
			a := e.args.eval(f)
			if caller != nil {
				a.add("caller", caller)
			}
			m.spend(1)
			m.line = e.line
			return def.run(m, of, a)
		}
		m.line = e.line
		callee = m.getattr(of, e.method.name)
	} else {
		callee = e.node.eval(f)
	}
	a := e.args.eval(f)
	if caller != nil {
		a.add("caller", caller)
	}
	m.spend(1)
	m.line = e.line
	return m.call(callee, a)
}

// filterExpr applies a filter or a test.
type filterExpr struct {
	def     *builtin
	name    string
	unknown string // what is wrong, where there is no such filter
	node    expr
	args    argExprs
	line    int
}

func (e *filterExpr) eval(f *frame) Value {
	of := e.node.eval(f)
	a := e.args.eval(f)
	f.m.spend(1)
	f.m.line = e.line
	if e.def == nil {
		fail(Runtime, "%s", e.unknown)
	}
	return e.def.call(f.m, of, a)
}
