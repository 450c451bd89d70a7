package chat

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// Template is a chat template. Make it with Parse or Named.
type Template struct {
	name, source string
	program      *exec.Template
	marked       bool // it has {% generation %} blocks
}

// parseTime bounds what the library may take to parse a template, which takes
// real ones milliseconds.
const parseTime = 10 * time.Second

// Parse compiles a template; name is how errors call it.
func Parse(name, jinja string) (*Template, error) {
	type result struct {
		t   *Template
		err error
	}
	done := make(chan result, 1)
	go func() {
		t, err := parse(name, jinja)
		done <- result{t, err}
	}()
	select {
	case r := <-done:
		return r.t, r.err
	case <-time.After(parseTime):
		return nil, &Error{Template: name, Problem: fmt.Sprint("it is not parsed within ", parseTime), Cure: "is this the chat template of a model?"}
	}
}

func parse(name, jinja string) (t *Template, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &Error{Template: name, Problem: fmt.Sprint("not a Jinja template: ", cause)}
		}
	}()
	if err := checkSource(name, jinja); err != nil {
		return nil, err
	}
	loader, err := loaders.NewMemoryLoader(map[string]string{templatePath: jinja})
	if err != nil {
		return nil, fmt.Errorf("chat template %q: %w", name, err)
	}
	environment := &exec.Environment{
		Filters: filters(), Tests: builtins.Tests, ControlStructures: statements(), Methods: methods(),
		Context: exec.NewContext(map[string]any{"namespace": namespace, "range": numbers}),
	}
	program, err := exec.NewTemplate(templatePath, syntax(), loader, environment)
	if err != nil {
		return nil, parseError(name, err)
	}
	return &Template{name: name, source: jinja, program: program, marked: generationTag.MatchString(jinja)}, nil
}

// templatePath is the only name that a template's loader knows.
const templatePath = "/template"

var generationTag = regexp.MustCompile(`\{%[-+]?\s*generation\b`)

// syntax is Jinja as transformers sets it up.
func syntax() *config.Config {
	c := config.New()
	c.TrimBlocks, c.LeftStripBlocks = true, true
	return c
}

// checkSource bounds what parsing and a single expression can cost.
func checkSource(name, jinja string) error {
	fault := func(line int, problem, cure string) error { return &Error{name, line, problem, cure} }
	if len(jinja) > maxSource {
		return fault(0, fmt.Sprintf("it has %d bytes, %d are allowed", len(jinja), maxSource), "is this the chat template of a model?")
	}
	if strings.TrimSpace(jinja) == "" {
		return fault(0, "it is empty", "use one of "+strings.Join(Names(), ", "))
	}
	var joins, outputs, nesting int
	stream := tokens.LexAll(jinja, syntax())
	for token := stream.Current(); !stream.End(); token = stream.Next() {
		switch token.Type {
		case tokens.Error:
			return fault(token.Line, token.Val, "correct the template")
		case tokens.Multiply, tokens.Power:
			return fault(token.Line, "multiplication is not supported", "chat templates need none: write the text out")
		case tokens.Addition, tokens.Tilde:
			joins++
		case tokens.VariableBegin:
			outputs++
		case tokens.LeftParenthesis, tokens.LeftBracket, tokens.LeftBrace:
			nesting++
		case tokens.RightParenthesis, tokens.RightBracket, tokens.RightBrace:
			nesting--
		case tokens.BlockEnd, tokens.VariableEnd:
			nesting = 0
		}
		if joins > maxJoins || outputs > maxOutputs || nesting > maxNesting {
			return fault(token.Line, "too many operators, outputs or open brackets", "is this the chat template of a model?")
		}
	}
	return nil
}

// Source returns the template's text, as tokenizer_config.json stores it under chat_template.
func (t *Template) Source() string { return t.source }

// Name returns how errors call the template.
func (t *Template) Name() string { return t.name }

// Render returns the text of a conversation.
func (t *Template) Render(messages []Message, v Vars) (string, error) {
	b, err := t.render(messages, v)
	if err != nil {
		return "", err
	}
	return string(b.text), nil
}

func (t *Template) render(messages []Message, v Vars) (b *budget, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			problem := fmt.Sprint("it fails on this conversation: ", cause)
			if out, ok := cause.(exhausted); ok {
				problem = out.String()
			}
			b, err = nil, &Error{Template: t.name, Problem: problem, Cure: "correct the template"}
		}
	}()
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	b = newBudget(messages)
	variables := map[string]any{
		budgetKey: b, "messages": list, "add_generation_prompt": v.Prompt, "bos_token": v.BOS, "eos_token": v.EOS,
		"tools": nil, "documents": nil,
		"raise_exception": func(message string) (any, error) {
			b.refusal = message
			return nil, errors.New(message)
		},
	}
	if !v.Now.IsZero() {
		variables["strftime_now"] = func(format string) (string, error) { return strftime(v.Now, format) }
	}
	if err := t.program.Execute(b, exec.NewContext(variables)); err != nil {
		return nil, t.renderError(err, b.refusal)
	}
	return b, nil
}

// lineOf finds the places in gonja's chain of messages; the last one is the innermost.
var lineOf = regexp.MustCompile(`at line (\d+)`)

func (t *Template) renderError(err error, refusal string) error {
	e := &Error{Template: t.name}
	for _, place := range lineOf.FindAllStringSubmatch(err.Error(), -1) {
		e.Line, _ = strconv.Atoi(place[1])
	}
	e.Problem = innermost(err).Error()
	if refusal != "" {
		e.Problem, e.Cure = "it refuses the conversation: "+refusal, "change the conversation, or use another template"
	}
	return e
}

// innermost returns the error that all others wrap.
func innermost(err error) error {
	for {
		if v, ok := err.(*exec.Value); ok {
			inner, isError := v.Interface().(error)
			if !isError {
				return err
			}
			err = inner
			continue
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func parseError(name string, err error) error {
	var syntax *parser.SyntaxError
	if errors.As(err, &syntax) {
		return &Error{name, syntax.Line, fmt.Sprintf("%s near %q", syntax.Message, syntax.Raw), "correct the template"}
	}
	return &Error{name, 0, innermost(err).Error(), "correct the template"}
}
