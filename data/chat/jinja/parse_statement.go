package jinja

import "strings"

// reader returns what reads a statement, nil for an unknown one.
func (p *parser) reader(name string) func(line int) node {
	switch name {
	case "for":
		return p.forStatement
	case "if":
		return p.ifStatement
	case "set":
		return p.setStatement
	case "print":
		return p.printStatement
	case "macro":
		return p.macroStatement
	case "call":
		return p.callStatement
	case "filter":
		return p.filterStatement
	case "with":
		return p.withStatement
	case "block":
		return p.blockStatement
	case "autoescape":
		return p.autoescapeStatement
	case "include":
		return p.includeStatement
	case "import":
		return p.importStatement
	case "from":
		return p.fromStatement
	case "extends":
		return p.extendsStatement
	case "generation":
		return p.generationStatement
	case "break":
		return func(line int) node { return &breakNode{line: line} }
	case "continue":
		return func(line int) node { return &breakNode{next: true, line: line} }
	}
	return nil
}

func (p *parser) setStatement(line int) node {
	target := p.target(tupleOf{targets: true, namespace: true})
	if p.skip("=") {
		return &assignNode{target, p.tuple(tupleOf{}), line}
	}
	filter := p.filters(nil, false)
	return &assignBlockNode{target, filter, p.blockTo("endset"), line}
}

func (p *parser) forStatement(line int) node {
	n := &forNode{line: line}
	n.target = p.target(tupleOf{targets: true})
	p.expectName("in")
	n.iter = p.tuple(tupleOf{plain: true})
	if p.skipName("if") {
		n.test = p.expression()
	}
	n.recursive = p.skipName("recursive")
	n.body = p.block("endfor", "else")
	if p.next().text == "else" {
		n.otherwise = p.blockTo("endfor")
	}
	return n
}

func (p *parser) ifStatement(line int) node {
	result := &ifNode{line: line}
	n := result
	for {
		n.test = p.tuple(tupleOf{plain: true})
		n.body = p.block("elif", "else", "endif")
		t := p.next()
		if t.text == "elif" {
			n = &ifNode{line: p.current().line}
			result.elifs = append(result.elifs, n)
			continue
		}
		if t.text == "else" {
			result.otherwise = p.blockTo("endif")
		}
		return result
	}
}

func (p *parser) withStatement(line int) node {
	n := &withNode{line: line}
	for p.current().kind != "block_end" {
		if len(n.targets) > 0 {
			p.expect(",")
		}
		target := p.target(tupleOf{targets: true})
		walk(target, func(n node) {
			if name, ok := n.(*nameNode); ok {
				name.store, name.param = false, true
			}
		})
		n.targets = append(n.targets, target)
		p.expect("=")
		n.values = append(n.values, p.expression())
	}
	n.body = p.blockTo("endwith")
	return n
}

func (p *parser) autoescapeStatement(line int) node {
	if c, ok := p.expression().(*constNode); !ok || truth(c.value) {
		refuseAt(line, "autoescape is not supported: the text of a conversation is no HTML (leave the tag out)")
	}
	return &scopeNode{p.blockTo("endautoescape")}
}

func (p *parser) blockStatement(line int) node {
	n := &blockNode{line: line, name: p.expect("name").text}
	n.scoped = p.skipName("scoped")
	n.required = p.skipName("required")
	if p.current().kind == "-" {
		p.fail("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	}
	n.body = p.blockTo("endblock")
	if n.required {
		for _, child := range n.body {
			output, ok := child.(*outputNode)
			for i := 0; ok && i < len(output.nodes); i++ {
				var data *dataNode
				if data, ok = output.nodes[i].(*dataNode); ok {
					ok = strip(data.text) == ""
				}
			}
			if !ok {
				p.fail("Required blocks can only contain comments or whitespace")
			}
		}
	}
	p.skipName(n.name)
	return n
}

// context reads "with context" or "without context".
func (p *parser) context() bool {
	if (p.current().is("with") || p.current().is("without")) && p.look().is("context") {
		p.next()
		p.next()
		return true
	}
	return false
}

func (p *parser) extendsStatement(line int) node {
	return &loadNode{what: "extends", expr: p.expression(), line: line}
}

func (p *parser) includeStatement(line int) node {
	n := &loadNode{what: "include", expr: p.expression(), line: line}
	if p.current().is("ignore") && p.look().is("missing") {
		p.next()
		p.next()
	}
	p.context()
	return n
}

func (p *parser) importStatement(line int) node {
	n := &loadNode{what: "import", expr: p.expression(), line: line}
	p.expectName("as")
	n.names = []string{p.nameTarget().name}
	p.context()
	return n
}

func (p *parser) fromStatement(line int) node {
	n := &loadNode{what: "import", expr: p.expression(), line: line}
	p.expectName("import")
	for {
		if len(n.names) > 0 {
			p.expect(",")
		}
		if p.current().kind != "name" {
			p.expect("name")
		}
		if p.context() {
			break
		}
		target := p.nameTarget()
		if strings.HasPrefix(target.name, "_") {
			failAt(target.line, "names starting with an underline can not be imported")
		}
		if p.skipName("as") {
			target = p.nameTarget()
		}
		n.names = append(n.names, target.name)
		if p.context() || p.current().kind != "," {
			break
		}
	}
	return n
}

// signature reads the parameters of a macro or a call block.
func (p *parser) signature(m *macroNode) {
	p.expect("(")
	for p.current().kind != ")" {
		if len(m.args) > 0 {
			p.expect(",")
		}
		arg := p.nameTarget()
		arg.store, arg.param = false, true
		if p.skip("=") {
			m.defaults = append(m.defaults, p.expression())
		} else if len(m.defaults) > 0 {
			p.fail("non-default argument follows default argument")
		}
		m.args = append(m.args, arg)
	}
	p.expect(")")
}

func (p *parser) macroStatement(line int) node {
	m := &macroNode{line: line, name: p.nameTarget().name}
	p.signature(m)
	m.body = p.blockTo("endmacro")
	return m
}

func (p *parser) callStatement(line int) node {
	n := &callBlockNode{macro: &macroNode{line: line}, line: line}
	if p.current().kind == "(" {
		p.signature(n.macro)
	}
	call, ok := p.expression().(*callNode)
	if !ok {
		failAt(line, "expected call")
	}
	n.call = call
	n.macro.body = p.blockTo("endcall")
	return n
}

// generationStatement reads {% generation %} … {% endgeneration %}: transformers makes it a call block.
func (p *parser) generationStatement(line int) node {
	return &callBlockNode{macro: &macroNode{line: line, body: p.blockTo("endgeneration")}, line: line}
}

func (p *parser) filterStatement(line int) node {
	n := &filterBlockNode{line: line, filter: p.filters(nil, true)}
	n.body = p.blockTo("endfilter")
	return n
}

func (p *parser) printStatement(line int) node {
	n := &outputNode{}
	for p.current().kind != "block_end" {
		if len(n.nodes) > 0 {
			p.expect(",")
		}
		n.nodes, n.lines = append(n.nodes, p.expression()), append(n.lines, line)
	}
	return n
}
