package instruct

import (
	"fmt"
	"slices"
	"strings"

	"gotrain/data"
	"gotrain/data/chat"
)

// Encoder turns conversations into tokens. It is immutable and safe for concurrent use.
type Encoder struct {
	tokens   data.Tokenizer
	template *chat.Template
	vars     chat.Vars
	special  []string // contents of special tokens, the longest first
}

// NewEncoder returns the encoder of a tokenizer and a template; vars are the tokens that the template may name.
func NewEncoder(tokens data.Tokenizer, template *chat.Template, vars chat.Vars) *Encoder {
	e := &Encoder{tokens: tokens, template: template, vars: vars}
	for _, token := range tokens.Specials() {
		if token.Content != "" {
			e.special = append(e.special, token.Content)
		}
	}
	slices.SortStableFunc(e.special, func(a, b string) int { return len(b) - len(a) })
	return e
}

// Template returns the chat template.
func (e *Encoder) Template() *chat.Template { return e.template }

// Example is the tokens of a conversation.
type Example struct {
	Tokens  []int32
	Counted []bool  // the loss counts Tokens[i]; never set for token 0
	Ends    []int32 // the last token of each answer
	Source  string
}

// Prompt returns the tokens after which the assistant answers messages.
func (e *Encoder) Prompt(messages []chat.Message) ([]int32, error) {
	guarded, guard, err := e.guard(messages)
	if err != nil {
		return nil, err
	}
	vars := e.vars
	vars.Prompt = true
	text, err := e.template.Render(guarded, vars)
	if err != nil {
		return nil, err
	}
	return e.appendText(nil, text, guard), nil
}

// Example returns the tokens of a conversation and which of them count under loss, one of LossAssistant, LossLast and
// LossAll. The text is cut into tokens at the borders of answers, as in Prompt.
func (e *Encoder) Example(c chat.Conversation, loss string) (Example, error) {
	fault := func(err error) (Example, error) { return Example{}, fmt.Errorf("%s: %w", c.Source, err) }
	messages, guard, err := e.guard(c.Messages)
	if err != nil {
		return fault(err)
	}
	find := e.template.Spans
	if loss == LossLast {
		find = e.template.LastSpan
	}
	text, spans, err := find(messages, e.vars)
	if err != nil {
		return fault(err)
	}
	masked, err := e.masked(c, spans, loss)
	if err != nil {
		return fault(err)
	}
	x := Example{Source: c.Source}
	at := 0
	add := func(end int, counted bool) {
		x.Tokens = e.appendText(x.Tokens, text[at:end], guard)
		for len(x.Counted) < len(x.Tokens) {
			x.Counted = append(x.Counted, counted)
		}
		at = end
	}
	for i, s := range spans {
		add(s.Begin, loss == LossAll)
		add(s.End, !masked[i])
		if s.Begin < s.End && !masked[i] {
			x.Ends = append(x.Ends, x.Tokens[len(x.Tokens)-1])
		}
	}
	add(len(text), loss == LossAll)
	if loss != LossAll {
		// Behind the last answer there is nothing to learn, nor anything that an answer reads.
		for n := len(x.Tokens); n > 0 && !x.Counted[n-1]; n-- {
			x.Tokens, x.Counted = x.Tokens[:n-1], x.Counted[:n-1]
		}
	}
	if len(x.Counted) > 0 {
		x.Counted[0] = false
	}
	return x, nil
}

// masked says of each span whether the loss leaves it out.
func (e *Encoder) masked(c chat.Conversation, spans []chat.Span, loss string) ([]bool, error) {
	masked := make([]bool, len(spans))
	if !slices.Contains(c.Masked, true) || loss == LossLast {
		return masked, nil
	}
	at := 0
	for i, m := range c.Messages {
		if m.Role != chat.Assistant {
			continue
		}
		if at < len(spans) {
			masked[at] = c.Masked[i]
		}
		at++
	}
	if at != len(spans) {
		return nil, fmt.Errorf("some answers are empty or have weight 0, and which those are cannot be told: the chat template %q marks %d parts of %d answers (use loss: last, or leave these answers out)",
			e.template.Name(), len(spans), at)
	}
	return masked, nil
}

// Guards are Unicode's noncharacters, which no text should hold.
const (
	firstGuard = '\ufdd2'
	lastGuard  = '\ufdef'
)

// guard puts a character that occurs nowhere else behind the first one of each special token that a message spells, so that
// it cannot be taken for one. It returns "" as the guard when there is nothing to guard.
func (e *Encoder) guard(messages []chat.Message) (guarded []chat.Message, guard string, err error) {
	spelled := func(content string) bool {
		return slices.ContainsFunc(e.special, func(s string) bool { return strings.Contains(content, s) })
	}
	if !slices.ContainsFunc(messages, func(m chat.Message) bool { return spelled(m.Content) }) {
		return messages, "", nil
	}
	for c := firstGuard; ; c++ {
		if c > lastGuard {
			return nil, "", fmt.Errorf("the messages hold the noncharacters U+%04X to U+%04X (remove them)", firstGuard, lastGuard)
		}
		if guard = string(c); !slices.ContainsFunc(messages, func(m chat.Message) bool { return strings.Contains(m.Content, guard) }) {
			break
		}
	}
	guarded = slices.Clone(messages)
	for i := range guarded {
		for _, s := range e.special {
			_, first := cutRune(s)
			guarded[i].Content = strings.ReplaceAll(guarded[i].Content, s, s[:first]+guard+s[first:])
		}
	}
	return guarded, guard, nil
}

// cutRune returns the first character of s and its length.
func cutRune(s string) (c rune, length int) {
	for i, r := range s {
		if i > 0 {
			return c, i
		}
		c = r
	}
	return c, len(s)
}

// appendText appends the tokens of rendered text, in which special tokens are recognised where no guard breaks them.
func (e *Encoder) appendText(dst []int32, text, guard string) []int32 {
	if text == "" {
		return dst
	}
	if guard == "" || !strings.Contains(text, guard) {
		return e.tokens.AppendEncodeSpecial(dst, []byte(text))
	}
	begin := 0
	ordinary := func(end int) {
		if part := strings.ReplaceAll(text[begin:end], guard, ""); part != "" {
			dst = e.tokens.AppendEncode(dst, []byte(part))
		}
	}
	for i := 0; i < len(text); i++ {
		for _, s := range e.special {
			if strings.HasPrefix(text[i:], s) {
				ordinary(i)
				id, _ := e.tokens.Special(s)
				dst = append(dst, id)
				begin = i + len(s)
				i = begin - 1
				break
			}
		}
	}
	ordinary(len(text))
	return dst
}
