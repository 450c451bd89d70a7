package jinja

// tupleOf says how parser.tuple reads.
type tupleOf struct {
	targets   bool // only names and literals, which can be assigned to
	namespace bool // name.attr too
	plain     bool // no conditional expressions
	parens    bool // inside of parentheses, where a tuple may be empty
}

// tuple reads an expression, or several with commas between, which make a tuple.
func (p *parser) tuple(of tupleOf) node {
	defer p.deeper()()
	var items []node
	isTuple := false
	for {
		if len(items) > 0 {
			p.expect(",")
		}
		if t := p.current(); t.kind == "variable_end" || t.kind == "block_end" || t.kind == ")" {
			break
		}
		switch {
		case of.targets:
			items = append(items, p.primary(of.namespace))
		case of.plain:
			items = append(items, p.or())
		default:
			items = append(items, p.expression())
		}
		if p.current().kind != "," {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0]
		}
		if !of.parens {
			p.fail("Expected an expression, got %s", quote(p.current().describe()))
		}
	}
	return &tupleNode{items}
}

// target reads what is assigned to.
func (p *parser) target(of tupleOf) node {
	line := p.current().line
	n := p.tuple(of)
	p.store(n, line)
	return n
}

// store marks the names of a target.
func (p *parser) store(n node, line int) {
	kind := ""
	switch n := n.(type) {
	case *nameNode:
		if n.store = true; n.name == "true" || n.name == "false" || n.name == "none" || n.name == "True" || n.name == "False" || n.name == "None" {
			kind = "name"
		}
	case *nsRefNode:
	case *tupleNode:
		for _, item := range n.items {
			p.store(item, line)
		}
	case *listNode:
		kind = "list"
	case *dictNode:
		kind = "dict"
	default:
		kind = "const"
	}
	if kind != "" {
		failAt(line, "can't assign to %s", quote(kind))
	}
}

func (p *parser) nameTarget() *nameNode {
	t := p.expect("name")
	n := &nameNode{name: t.text, line: t.line}
	p.store(n, t.line)
	return n
}

// expression reads an expression, conditional ones included.
func (p *parser) expression() node {
	defer p.deeper()()
	line := p.current().line
	n := p.or()
	for p.skipName("if") {
		test := p.or()
		var no node
		if p.skipName("else") {
			no = p.expression()
		}
		n = &condNode{test: test, yes: n, no: no, line: line}
		line = p.current().line
	}
	return n
}

func (p *parser) or() node {
	line := p.current().line
	n := p.and()
	for p.skipName("or") {
		n = &binaryNode{"or", n, p.and(), line}
	}
	return n
}

func (p *parser) and() node {
	line := p.current().line
	n := p.not()
	for p.skipName("and") {
		n = &binaryNode{"and", n, p.not(), line}
	}
	return n
}

func (p *parser) not() node {
	if p.current().is("not") {
		defer p.deeper()()
		line := p.next().line
		return &unaryNode{"not", p.not(), line}
	}
	return p.compare()
}

func (p *parser) compare() node {
	n := &compareNode{line: p.current().line}
	n.first = p.sum()
	for {
		t := p.current()
		switch {
		case t.kind == "==" || t.kind == "!=" || t.kind == "<" || t.kind == "<=" || t.kind == ">" || t.kind == ">=":
			p.next()
			n.ops = append(n.ops, t.kind)
		case t.is("in"):
			p.next()
			n.ops = append(n.ops, "in")
		case t.is("not") && p.look().is("in"):
			p.next()
			p.next()
			n.ops = append(n.ops, "notin")
		default:
			if len(n.ops) == 0 {
				return n.first
			}
			return n
		}
		n.nodes = append(n.nodes, p.sum())
	}
}

func (p *parser) sum() node {
	line := p.current().line
	n := p.concat()
	for p.current().kind == "+" || p.current().kind == "-" {
		op := p.next().kind
		n = &binaryNode{op, n, p.concat(), line}
	}
	return n
}

func (p *parser) concat() node {
	n := p.product()
	if p.current().kind != "~" {
		return n
	}
	all := []node{n}
	for p.skip("~") {
		all = append(all, p.product())
	}
	return &concatNode{all}
}

func (p *parser) product() node {
	line := p.current().line
	n := p.power()
	for {
		switch op := p.current().kind; op {
		case "*", "/", "//", "%":
			p.next()
			n = &binaryNode{op, n, p.power(), line}
		default:
			return n
		}
	}
}

func (p *parser) power() node {
	line := p.current().line
	n := p.unary(true)
	for p.skip("**") {
		n = &binaryNode{"**", n, p.unary(true), line}
	}
	return n
}

// unary reads a sign, a value and what follows it: attributes, items, calls, and, with filters, filters and tests.
func (p *parser) unary(filters bool) node {
	defer p.deeper()()
	var n node
	switch t := p.current(); t.kind {
	case "-", "+":
		p.next()
		n = &unaryNode{t.kind, p.unary(false), t.line}
	default:
		n = p.primary(false)
	}
	n = p.postfix(n)
	for filters {
		switch t := p.current(); {
		case t.kind == "|":
			n = p.filters(n, false)
		case t.is("is"):
			n = p.test(n)
		case t.kind == "(":
			n = &callNode{n, p.arguments(), t.line}
		default:
			return n
		}
	}
	return n
}

func (p *parser) primary(namespace bool) node {
	defer p.deeper()()
	t := p.current()
	switch t.kind {
	case "name":
		p.next()
		switch t.text {
		case "true", "True":
			return &constNode{true}
		case "false", "False":
			return &constNode{false}
		case "none", "None":
			return &constNode{None}
		}
		if namespace && p.skip(".") {
			return &nsRefNode{t.text, p.expect("name").text, t.line}
		}
		return &nameNode{name: t.text, line: t.line}
	case "string":
		text := p.next().text
		for p.current().kind == "string" {
			text += p.next().text
		}
		return &constNode{text}
	case "integer", "float":
		return &constNode{p.next().value}
	case "(":
		p.next()
		n := p.tuple(tupleOf{parens: true})
		p.expect(")")
		return n
	case "[":
		return p.list()
	case "{":
		return p.dict()
	}
	p.fail("unexpected %s", quote(t.describe()))
	return nil
}

func (p *parser) list() node {
	p.expect("[")
	n := &listNode{}
	for p.current().kind != "]" {
		if len(n.items) > 0 {
			p.expect(",")
		}
		if p.current().kind == "]" {
			break
		}
		n.items = append(n.items, p.expression())
	}
	p.expect("]")
	return n
}

func (p *parser) dict() node {
	p.expect("{")
	n := &dictNode{}
	for p.current().kind != "}" {
		if len(n.keys) > 0 {
			p.expect(",")
		}
		if p.current().kind == "}" {
			break
		}
		n.keys = append(n.keys, p.expression())
		p.expect(":")
		n.values = append(n.values, p.expression())
	}
	p.expect("}")
	return n
}

func (p *parser) postfix(n node) node {
	for {
		switch t := p.current(); t.kind {
		case ".", "[":
			n = p.subscript(n)
		case "(":
			n = &callNode{n, p.arguments(), t.line}
		default:
			return n
		}
	}
}

func (p *parser) subscript(n node) node {
	t := p.next()
	if t.kind == "." {
		name := p.next()
		switch name.kind {
		case "name":
			return &attrNode{n, name.text, t.line}
		case "integer":
			return &itemNode{n, &constNode{name.value}, t.line}
		}
		failAt(name.line, "expected name or number")
	}
	var args []node
	for p.current().kind != "]" {
		if len(args) > 0 {
			p.expect(",")
		}
		args = append(args, p.subscribed())
	}
	p.expect("]")
	if len(args) == 1 {
		return &itemNode{n, args[0], t.line}
	}
	for _, arg := range args {
		if _, ok := arg.(*sliceNode); ok {
			failAt(t.line, "invalid syntax: a slice among several subscripts")
		}
	}
	return &itemNode{n, &tupleNode{args}, t.line}
}

// subscribed reads a subscript: an expression or a slice.
func (p *parser) subscribed() node {
	s := &sliceNode{}
	if !p.skip(":") {
		n := p.expression()
		if !p.skip(":") {
			return n
		}
		s.start = n
	}
	some := func() node {
		if k := p.current().kind; k == "]" || k == "," {
			return nil
		}
		return p.expression()
	}
	if p.current().kind != ":" {
		s.stop = some()
	}
	if p.skip(":") {
		s.step = some()
	}
	return s
}

func (p *parser) arguments() (a arguments) {
	line := p.expect("(").line
	ensure := func(ok bool) {
		if !ok {
			failAt(line, "invalid syntax for function call expression")
		}
	}
	for first := true; p.current().kind != ")"; first = false {
		if !first {
			p.expect(",")
			if p.current().kind == ")" {
				break
			}
		}
		switch t := p.current(); {
		case t.kind == "*":
			ensure(a.star == nil && a.stars == nil)
			p.next()
			a.star = p.expression()
		case t.kind == "**":
			ensure(a.stars == nil)
			p.next()
			a.stars = p.expression()
		case t.kind == "name" && p.look().kind == "=":
			ensure(a.stars == nil)
			p.next()
			p.next()
			a.names = append(a.names, t.text)
			a.values = append(a.values, p.expression())
		default:
			ensure(a.star == nil && a.stars == nil && len(a.names) == 0)
			a.args = append(a.args, p.expression())
		}
	}
	p.expect(")")
	return a
}

// dotted reads the name of a filter or test.
func (p *parser) dotted() string {
	name := p.expect("name").text
	for p.skip(".") {
		name += "." + p.expect("name").text
	}
	return name
}

// filters reads the filters that are applied to n, the first without a bar if inline.
func (p *parser) filters(n node, inline bool) node {
	for p.current().kind == "|" || inline {
		if !inline {
			p.next()
		}
		inline = false
		f := &filterNode{node: n, line: p.current().line}
		f.name = p.dotted()
		if p.current().kind == "(" {
			f.args = p.arguments()
		}
		n = f
	}
	return n
}

func (p *parser) test(n node) node {
	line := p.next().line
	negated := p.skipName("not")
	t := &filterNode{node: n, test: true, line: line}
	t.name = p.dotted()
	switch c := p.current(); c.kind {
	case "(":
		t.args = p.arguments()
	case "name", "string", "integer", "float", "[", "{":
		if c.is("else") || c.is("or") || c.is("and") {
			break
		}
		if c.is("is") {
			p.fail("You cannot chain multiple tests with is")
		}
		t.args.args = []node{p.postfix(p.primary(false))}
	}
	if negated {
		return &unaryNode{"not", t, line}
	}
	return t
}
