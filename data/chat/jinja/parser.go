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
