package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// expr compiles an expression. What is constant is computed now, as jinja2's optimizer does it.
func (c *compiler) expr(n node, s *scope) expr {
	if refused := c.folded[n].refused; refused != nil {
		return &failExpr{Refused, refused.Message}
	}
	switch n := n.(type) {
	case *constNode:
		return keep(n.value)
	case *nameNode:
		id := s.symbols.ref(n.name, n.line)
		v := c.variable(id, s.fn())
		if v.up == 0 {
			return &localExpr{v.slot, n.name}
		}
		return &nameExpr{v, n.name}
	case *tupleNode:
		return &tupleExpr{c.exprs(n.items, s)}
	case *listNode:
		return &listExpr{c.exprs(n.items, s)}
	case *dictNode:
		return &dictExpr{c.exprs(n.keys, s), c.exprs(n.values, s)}
	}
	if v, ok := c.constant(n); ok && storable(v) {
		return keep(v)
	}
	switch n := n.(type) {
	case *binaryNode:
		left, right := c.expr(n.left, s), c.expr(n.right, s)
		switch n.op {
		case "and":
			return &andExpr{left, right}
		case "or":
			return &orExpr{left, right}
		case "+":
			return &addExpr{left, right, n.line}
		case "**":
			// jinja2 writes Python, and in Python the sign of a negative constant comes after the power.
			if base, ok := left.(*constExpr); ok && isNegative(base.value) {
				left = &constExpr{c.fold.sign(true, base.value)}
				return &signExpr{true, &binaryExpr{"**", left, right, n.line}, n.line}
			}
		}
		return &binaryExpr{n.op, left, right, n.line}
	case *unaryNode:
		if n.op == "not" {
			return &notExpr{c.expr(n.node, s)}
		}
		return &signExpr{n.op == "-", c.expr(n.node, s), n.line}
	case *compareNode:
		e := &compareExpr{first: c.expr(n.first, s), ops: n.ops, exprs: c.exprs(n.nodes, s), line: n.line}
		return e
	case *concatNode:
		return &concatExpr{c.exprs(n.nodes, s)}
	case *condNode:
		soft := s.softened()
		e := &condExpr{test: c.expr(n.test, soft), yes: c.expr(n.yes, soft), line: n.line}
		if n.no != nil {
			e.no = c.expr(n.no, soft)
		}
		return e
	case *attrNode:
		return &attrExpr{c.expr(n.node, s), n.name, n.line}
	case *itemNode:
		if slice, ok := n.arg.(*sliceNode); ok {
			e := &sliceExpr{of: c.expr(n.node, s), line: n.line}
			e.start, e.stop, e.step = c.optional(slice.start, s), c.optional(slice.stop, s), c.optional(slice.step, s)
			return e
		}
		return &itemExpr{c.expr(n.node, s), c.expr(n.arg, s), n.line}
	case *callNode:
		return c.call(n, s)
	case *filterNode:
		return c.filterOf(n, s, nil)
	}
	failAt(0, "an expression of an unknown kind")
	return nil
}

func (c *compiler) optional(n node, s *scope) expr {
	if n == nil {
		return nil
	}
	return c.expr(n, s)
}

func (c *compiler) exprs(nodes []node, s *scope) []expr {
	all := make([]expr, len(nodes))
	for i, n := range nodes {
		all[i] = c.expr(n, s)
	}
	return all
}

// keywords are Python's: an argument of such a name makes jinja2 pass all names in a dict, where they may be repeated.
var keywords = []string{"False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
	"else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
	"return", "try", "while", "with", "yield"}

// arguments compiles those of a call; extra are further names that the call gets.
func (c *compiler) arguments(a arguments, s *scope, line int, extra ...string) argExprs {
	names := append(slices.Clone(a.names), extra...)
	if !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(keywords, name) }) {
		for i, name := range names {
			if slices.Contains(names[:i], name) {
				failAt(line, "keyword argument repeated: %s", name)
			}
		}
	}
	e := argExprs{args: c.exprs(a.args, s), names: a.names, values: c.exprs(a.values, s)}
	e.star, e.stars = c.optional(a.star, s), c.optional(a.stars, s)
	return e
}

func (c *compiler) call(n *callNode, s *scope, extra ...string) *callExpr {
	e := &callExpr{args: c.arguments(n.args, s, n.line, extra...), line: n.line}
	e.node = c.expr(n.node, s)
	e.method, _ = e.node.(*attrExpr)
	return e
}

// filterOf compiles a filter or a test; text is where the content of a filter block stands, which the first filter of a
// chain is applied to.
func (c *compiler) filterOf(n node, s *scope, text **textExpr) expr {
	f := n.(*filterNode)
	e := &filterExpr{name: f.name, line: f.line}
	what := "filter"
	if f.test {
		what = "test"
	}
	if e.def = builtinOf(f); e.def == nil {
		if !s.soft {
			failAt(f.line, "No %s named %s.", what, quote(f.name))
		}
		e.unknown = "No " + what + " named " + quote(f.name) + " found."
	}
	switch {
	case f.node == nil:
		*text = &textExpr{}
		e.node = *text
	case text != nil:
		e.node = c.filterOf(f.node, s, text)
	default:
		e.node = c.expr(f.node, s)
	}
	e.args = c.arguments(f.args, s, f.line)
	return e
}

// keep returns a constant as an expression. jinja2 writes it as Python, which has no name for a number that is not finite.
func keep(v Value) expr {
	name := ""
	eachScalar(v, func(v Value) {
		switch v := v.(type) {
		case float64:
			if v != v || math.IsInf(v, 0) {
				name = strings.TrimPrefix(floatText(v), "-")
			}
		case *big.Int:
			integerText(v)
		}
	})
	if name != "" {
		return &failExpr{Runtime, "name " + quote(name) + " is not defined"}
	}
	return &constExpr{v}
}

func eachScalar(v Value, f func(v Value)) {
	switch v := v.(type) {
	case *List:
		for _, item := range v.items {
			eachScalar(item, f)
		}
	case *Tuple:
		for _, item := range v.items {
			eachScalar(item, f)
		}
	case *Dict:
		for i := range v.keys {
			eachScalar(v.keys[i], f)
			eachScalar(v.values[i], f)
		}
	default:
		f(v)
	}
}

func isNegative(v Value) bool {
	switch v := v.(type) {
	case int64:
		return v < 0
	case float64:
		return math.Signbit(v)
	case *big.Int:
		return v.Sign() < 0
	}
	return false
}

// storable says whether jinja2 keeps a constant: plain values only.
func storable(v Value) bool {
	switch v := v.(type) {
	case *List:
		return !slices.ContainsFunc(v.items, func(v Value) bool { return !storable(v) })
	case *Tuple:
		return !v.group && !slices.ContainsFunc(v.items, func(v Value) bool { return !storable(v) })
	case *Dict:
		return !slices.ContainsFunc(v.keys, func(v Value) bool { return !storable(v) }) &&
			!slices.ContainsFunc(v.values, func(v Value) bool { return !storable(v) })
	case *Missing, *iterator, *view, *bound, *function, *namespace, *macro:
		return false
	}
	return true
}
