package jinja

import (
	"slices"
	"strings"
)

// parser is jinja2's: recursive descent over the tokens.
type parser struct {
	tokens []token
	at     int
	tags   []string   // statements that are being read
	ends   [][]string // what ends them
	depth  int
}

func (p *parser) current() token { return p.tokens[p.at] }

func (p *parser) look() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

// next returns the current token and moves on.
func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != "eof" {
		p.at++
	}
	return t
}

func (p *parser) fail(format string, args ...any) { failAt(p.current().line, format, args...) }

// deeper bounds how deep the parser calls itself; call what it returns.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxNesting {
		p.fail("nested more than %d levels deep", maxNesting)
	}
	return func() { p.depth-- }
}

func (t token) describe() string {
	switch t.kind {
	case "name":
		return t.text
	case "block_begin":
		return "begin of statement block"
	case "block_end":
		return "end of statement block"
	case "variable_begin":
		return "begin of print statement"
	case "variable_end":
		return "end of print statement"
	case "data":
		return "template data / text"
	case "eof":
		return "end of template"
	}
	return t.kind
}

// expect returns a token of a kind and moves on.
func (p *parser) expect(kind string) token {
	if p.current().kind != kind {
		p.expected(token{kind: kind, text: "name"}.describe())
	}
	return p.next()
}

func (p *parser) expected(what string) {
	if p.current().kind == "eof" {
		p.fail("unexpected end of template, expected %s.", quote(what))
	}
	p.fail("expected token %s, got %s", quote(what), quote(p.current().describe()))
}

func (p *parser) expectName(name string) token {
	if !p.current().is(name) {
		p.expected(name)
	}
	return p.next()
}

func (p *parser) skip(kind string) bool {
	if p.current().kind == kind {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.current().is(name) {
		p.next()
		return true
	}
	return false
}

// parse reads the tokens of a template.
func parse(tokens []token) []node {
	p := &parser{tokens: tokens}
	return p.body(nil)
}

// body reads text, outputs and statements up to one of the tags ends, whose name is then current.
func (p *parser) body(ends []string) []node {
	defer p.deeper()()
	if ends != nil {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	var body []node
	output := &outputNode{}
	flush := func() {
		if len(output.nodes) > 0 {
			body = append(body, output)
			output = &outputNode{}
		}
	}
	add := func(n node, line int) {
		output.nodes, output.lines = append(output.nodes, n), append(output.lines, line)
	}
	for p.current().kind != "eof" {
		switch p.current().kind {
		case "data":
			t := p.next()
			add(&dataNode{t.text}, t.line)
		case "variable_begin":
			line := p.next().line
			add(p.tuple(tupleOf{}), line)
			p.expect("variable_end")
		default: // block_begin: code ends with the template otherwise
			if p.current().kind != "block_begin" {
				p.fail("unexpected %s", quote(p.current().describe()))
			}
			flush()
			p.next()
			if t := p.current(); ends != nil && t.kind == "name" && slices.Contains(ends, t.text) {
				return body
			}
			if n := p.statement(); n != nil {
				body = append(body, n)
			}
			p.expect("block_end")
		}
	}
	flush()
	return body
}

// block reads the body of a statement up to one of the tags ends.
func (p *parser) block(ends ...string) []node {
	p.skip(":")
	p.expect("block_end")
	body := p.body(ends)
	if p.current().kind == "eof" {
		p.ends = append(p.ends, ends)
		p.unknownTag("")
	}
	return body
}

// blockTo is block that drops the tag at the end.
func (p *parser) blockTo(end string) []node {
	body := p.block(end)
	p.next()
	return body
}

// unknownTag fails as jinja2 does at a tag that it does not expect, or at the end of the template, with name "".
func (p *parser) unknownTag(name string) {
	var message []string
	looking := ""
	if len(p.ends) > 0 {
		var quoted []string
		for _, end := range p.ends[len(p.ends)-1] {
			quoted = append(quoted, quote(end))
		}
		looking = strings.Join(quoted, " or ")
	}
	if name == "" {
		message = append(message, "Unexpected end of template.")
	} else {
		message = append(message, "Encountered unknown tag "+quote(name)+".")
	}
	if looking != "" {
		if name != "" && slices.ContainsFunc(p.ends, func(ends []string) bool { return slices.Contains(ends, name) }) {
			message = append(message, "You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for "+looking+".")
		} else {
			message = append(message, "Jinja was looking for the following tags: "+looking+".")
		}
	}
	if len(p.tags) > 0 {
		message = append(message, "The innermost block that needs to be closed is "+quote(p.tags[len(p.tags)-1])+".")
	}
	p.fail("%s", strings.Join(message, " "))
}

// statement reads what stands between {% and %}, and the bodies that belong to it.
func (p *parser) statement() node {
	t := p.current()
	if t.kind != "name" {
		p.fail("tag name expected")
	}
	read := p.reader(t.text)
	if read == nil {
		p.unknownTag(t.text)
	}
	p.tags = append(p.tags, t.text)
	defer func() { p.tags = p.tags[:len(p.tags)-1] }()
	p.next()
	return read(t.line)
}

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
