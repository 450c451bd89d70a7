package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"example.com/gotrain/data/chat/jinja"
)

// Template is a chat template. Make it with Parse or Named.
type Template struct {
	name, source string
	program      *jinja.Template
	lists        func() map[string]bool // see reading
}

// What a template may cost. The templates of known models stay far below: the longest have some 30 KiB and take some ten
// steps for each message and each of their lines.
const (
	maxSource = 128 << 10 // bytes of a template

	baseSteps       = 10_000_000
	stepsPerMessage = 20_000 // on top
	stepsPerByte    = 100    // on top, for each byte of the messages

	baseBytes       = 64 << 20 // of all values that are made, and of the text
	bytesPerByte    = 64       // on top, for each byte of the messages
	bytesPerMessage = 2        // on top, for each byte of the messages and each message: a text that grows by every message
	maxBytes        = 1 << 30  // of that share
)

// Parse compiles a template; name is how errors call it.
func Parse(name, source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, &Error{name, 0, fmt.Sprintf("it has %d bytes, %d are allowed", len(source), maxSource), "is this the chat template of a model?"}
	}
	if strings.TrimSpace(source) == "" {
		return nil, &Error{name, 0, "it is empty", "use one of " + strings.Join(Names(), ", ")}
	}
	program, err := jinja.Parse(source)
	if err != nil {
		return nil, explain(name, err)
	}
	t := &Template{name: name, source: source, program: program}
	t.lists = sync.OnceValue(t.reading)
	return t, nil
}

// Reads says whether the template has a word as a name or as a string: what it does not mention, a variable or a key of a
// message, it does not write.
func (t *Template) Reads(word string) bool { return t.program.Mentions(word) }

// Marked says whether the template has {% generation %} blocks around what the assistant says.
func (t *Template) Marked() bool { return t.program.Marked() }

// Source returns the template's text, as tokenizer_config.json stores it under chat_template.
func (t *Template) Source() string { return t.source }

// Name returns how errors call the template.
func (t *Template) Name() string { return t.name }

// Render returns the text of a conversation.
func (t *Template) Render(messages []Message, v Vars) (string, error) {
	r, err := t.render(messages, v)
	return r.Text, err
}

func (t *Template) render(messages []Message, v Vars) (jinja.Result, error) {
	list := make([]jinja.Value, len(messages))
	size := int64(0)
	var lists map[string]bool
	for i, m := range messages {
		if _, ok := m.parts(); ok && lists == nil {
			lists = t.lists()
		}
		list[i] = m.value(lists)
		m.Texts(func(s string) { size += int64(len(s)) })
	}
	return t.run(list, v, int64(len(messages)), size)
}

// run renders n messages of size bytes.
func (t *Template) run(list []jinja.Value, v Vars, n, size int64) (jinja.Result, error) {
	variables := map[string]jinja.Value{
		"messages": jinja.NewList(list), "add_generation_prompt": v.Prompt, "tools": jinja.None, "documents": jinja.None,
	}
	for name, content := range v.Tokens {
		variables[name] = content
	}
	for name, value := range v.More {
		variables[name] = value
		jinja.EachText(value, func(s string) { size += int64(len(s)) })
	}
	// A token that the tokenizer has not is no variable, as in transformers.
	if v.BOS != "" {
		variables["bos_token"] = v.BOS
	}
	if v.EOS != "" {
		variables["eos_token"] = v.EOS
	}
	options := jinja.Options{Limits: jinja.Limits{
		Work:   baseSteps + stepsPerMessage*n + stepsPerByte*size,
		Memory: baseBytes + min(size*(bytesPerByte+bytesPerMessage*n), maxBytes+size*bytesPerByte),
	}}
	if !v.Now.IsZero() {
		options.Now = func() time.Time { return v.Now }
	}
	r, err := t.program.Render(context.Background(), variables, options)
	if err != nil {
		return r, explain(t.name, err)
	}
	return r, nil
}

// cures says for each kind of error what helps.
var cures = map[jinja.Kind]string{
	jinja.Syntax:  "correct the template",
	jinja.Raised:  "change the conversation, or use another template",
	jinja.Refused: "write it in another way, or use another template",
	jinja.Limit:   "correct the template: the conversation is not that long",
}

// explain turns an error of the engine into one that names the template and a cure.
func explain(name string, err error) error {
	var fault *jinja.Error
	if !errors.As(err, &fault) {
		return &Error{Template: name, Problem: err.Error()}
	}
	e := &Error{Template: name, Line: fault.Line, Problem: fault.Message, Cure: cures[fault.Kind]}
	switch {
	case fault.Kind == jinja.Raised:
		e.Problem = "it refuses the conversation: " + fault.Message
	case fault.Kind == jinja.Undefined && (strings.Contains(fault.Message, "'eos_token'") || strings.Contains(fault.Message, "'bos_token'")):
		e.Cure = "the tokenizer has no such token: give it one in its tokenizer_config.json, or use a template that does without"
	case e.Cure == "":
		e.Cure = "jinja2 fails here too: change the conversation, or use another template"
	}
	return e
}
