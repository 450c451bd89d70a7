package jinja

// jinja2 computes what is constant when it compiles a template, by rules of its own (as_const of its nodes): an error there
// puts the computation off until the template is rendered, and a slice of what has none is undefined.

type constantResult struct {
	value   Value
	ok      bool
	refused *Error // where jinja2 has a value, and this engine does not
}

// constant returns the value of n if it is constant.
func (c *compiler) constant(n node) (Value, bool) {
	switch n.(type) {
	case *nameNode, *callNode:
		return nil, false
	}
	if known, ok := c.folded[n]; ok {
		return known.value, known.ok
	}
	var r constantResult
	err := attempt(func() { r.value, r.ok = c.compute(n) })
	r.ok = r.ok && err == nil
	if err != nil && err.Kind == Refused {
		r.refused = err
	}
	c.folded[n] = r
	return r.value, r.ok
}

// all returns the values of nodes.
func (c *compiler) all(nodes []node) ([]Value, bool) {
	values := make([]Value, len(nodes))
	for i, n := range nodes {
		v, ok := c.constant(n)
		if !ok {
			return nil, false
		}
		values[i] = v
	}
	return values, true
}

func (c *compiler) compute(n node) (v Value, ok bool) {
	m := c.fold
	m.spend(1)
	switch n := n.(type) {
	case *constNode:
		return n.value, true
	case *tupleNode:
		items, ok := c.all(n.items)
		return &Tuple{items: items}, ok
	case *listNode:
		items, ok := c.all(n.items)
		return NewList(items), ok
	case *dictNode:
		keys, ok := c.all(n.keys)
		values, okToo := c.all(n.values)
		if !ok || !okToo {
			return nil, false
		}
		d := newDict(len(keys))
		for i := range keys {
			d.set(m.key(keys[i]), values[i])
		}
		return d, true
	case *condNode:
		test, ok := c.constant(n.test)
		if !ok {
			return nil, false
		}
		if truth(test) {
			return c.constant(n.yes)
		}
		if n.no == nil {
			return nil, false
		}
		return c.constant(n.no)
	case *binaryNode:
		left, ok := c.constant(n.left)
		if !ok {
			return nil, false
		}
		if n.op == "and" && !truth(left) || n.op == "or" && truth(left) {
			return left, true
		}
		right, ok := c.constant(n.right)
		if !ok || n.op == "and" || n.op == "or" {
			return right, ok
		}
		return m.binary(n.op, left, right), true
	case *unaryNode:
		v, ok := c.constant(n.node)
		if !ok {
			return nil, false
		}
		if n.op == "not" {
			return !truth(v), true
		}
		return m.sign(n.op == "-", v), true
	case *concatNode:
		values, ok := c.all(n.nodes)
		if !ok {
			return nil, false
		}
		return m.concat(values), true
	case *compareNode:
		return c.computeCompare(n)
	case *attrNode:
		of, ok := c.constant(n.node)
		if !ok {
			return nil, false
		}
		return m.getattr(of, n.name), true
	case *itemNode:
		return c.computeItem(n)
	case *filterNode:
		return c.computeFilter(n)
	}
	return nil, false
}

func (c *compiler) computeCompare(n *compareNode) (Value, bool) {
	left, ok := c.constant(n.first)
	if !ok {
		return nil, false
	}
	for i, op := range n.ops {
		right, ok := c.constant(n.nodes[i])
		if !ok {
			return nil, false
		}
		if !c.fold.compare(op, left, right) {
			return false, true
		}
		left = right
	}
	return true, true
}

func (c *compiler) computeItem(n *itemNode) (v Value, ok bool) {
	of, ok := c.constant(n.node)
	if !ok {
		return nil, false
	}
	slice, isSlice := n.arg.(*sliceNode)
	if !isSlice {
		arg, ok := c.constant(n.arg)
		if !ok {
			return nil, false
		}
		return c.fold.getitem(of, arg), true
	}
	var bounds [3]Value
	for i, part := range []node{slice.start, slice.stop, slice.step} {
		bounds[i] = None
		if part != nil {
			if bounds[i], ok = c.constant(part); !ok {
				return nil, false
			}
		}
	}
	err := attempt(func() { v = c.fold.slice(of, bounds[0], bounds[1], bounds[2]) })
	switch {
	case err == nil:
		return v, true
	case err.Kind == Type:
		return &Missing{of: of, name: &sliceNode{}}, true
	}
	return nil, false
}

func (c *compiler) computeFilter(n *filterNode) (Value, bool) {
	def := builtinOf(n)
	if n.node == nil || def == nil || def.context {
		return nil, false
	}
	args, ok := c.all(n.args.args)
	values, okToo := c.all(n.args.values)
	if !ok || !okToo {
		return nil, false
	}
	a := callArgs{args: args}
	for i, name := range n.args.names {
		a.set(name, values[i])
	}
	if n.args.star != nil {
		star, ok := c.constant(n.args.star)
		if !ok {
			return nil, false
		}
		a.args = append(a.args, c.fold.list(star)...)
	}
	if n.args.stars != nil {
		stars, ok := c.constant(n.args.stars)
		if !ok {
			return nil, false
		}
		a.update(stars)
	}
	of, ok := c.constant(n.node)
	if !ok {
		return nil, false
	}
	return def.call(c.fold, of, a), true
}
