package instruct

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/chat/jinja"
	"example.com/gotrain/data/hf"
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

// Variables are what a template may name of a tokenizer with such roles, and the time of now.
func Variables(roles hf.Roles, now time.Time) chat.Vars {
	return chat.Vars{BOS: roles.BOS, EOS: roles.EOS, Tokens: roles.Tokens(), Now: now}
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
	text, guard, err := e.prompt(messages)
	if err != nil {
		return nil, err
	}
	ids, _, _, _ := e.encode(text, guard, nil)
	return ids, nil
}

// prompt renders messages with the beginning of an answer.
func (e *Encoder) prompt(messages []chat.Message) (text, guard string, err error) {
	guarded, _, guard, err := e.guard(messages, nil)
	if err != nil {
		return "", "", err
	}
	vars := e.vars
	vars.Prompt = true
	text, err = e.template.Render(guarded, vars)
	return text, guard, err
}

// PromptAnd returns the tokens of Prompt and those of an answer behind them, as they are in the text of both. Where a token
// would lie on both sides of the border, each is encoded by itself. Special tokens that the answer spells are text.
func (e *Encoder) PromptAnd(messages []chat.Message, answer string) (prompt, said []int32, err error) {
	text, guard, err := e.prompt(messages)
	if err != nil {
		return nil, nil, err
	}
	prompt, _, clean, _ := e.encode(text, guard, nil)
	spelled := map[int]bool{} // where messages spell special tokens
	if guard != "" {
		unguard(text, guard, nil, spelled)
	}
	whole, _ := e.tokens.EncodeSpans([]byte(clean+answer), func(a *hf.AddedToken, at hf.Span) bool {
		return a.Special && (spelled[at.Begin] || at.End > len(clean))
	})
	if n := len(prompt); n < len(whole) && slices.Equal(whole[:n], prompt) {
		return prompt, whole[n:], nil
	}
	return prompt, e.tokens.AppendEncode(nil, []byte(answer)), nil
}

// Example returns the tokens of a conversation and which of them count under loss, one of LossAssistant, LossLast and
// LossAll. The tokens are those of the whole text, as apply_chat_template of transformers has them. Those count that stand for
// a byte of an answer, be it one of several; where the template has generation blocks, those of transformers' assistant masks.
func (e *Encoder) Example(c chat.Conversation, loss string) (Example, error) {
	fault := func(err error) (Example, error) { return Example{}, fmt.Errorf("%s: %w", c.Source, err) }
	if err := e.read(c); err != nil {
		return fault(err)
	}
	messages, more, guard, err := e.guard(c.Messages, c.Vars)
	if err != nil {
		return fault(err)
	}
	vars := e.vars
	vars.More = more
	find := e.template.Spans
	if loss == LossLast {
		find = e.template.LastSpan
	}
	text, spans, err := find(messages, vars)
	if err != nil {
		return fault(err)
	}
	masked, err := e.masked(c, spans, loss)
	if err != nil {
		return fault(err)
	}
	x := Example{Source: c.Source}
	ids, at, text, spans := e.encode(text, guard, spans)
	x.Tokens, x.Counted = ids, make([]bool, len(ids))
	if loss == LossAll {
		for i := range x.Counted {
			x.Counted[i] = true
		}
	}
	p := newPlaces(at)
	for _, learnt := range []bool{false, true} { // a token of both counts
		for i, s := range spans {
			if masked[i] == learnt {
				continue
			}
			last := -1
			mark := func(t int) { x.Counted[t], last = learnt, t }
			if e.template.Marked() {
				if err := p.marked(text, s, mark); err != nil {
					return fault(err)
				}
			} else {
				p.over(s, mark)
			}
			if learnt && last >= 0 {
				x.Ends = append(x.Ends, x.Tokens[last])
			}
		}
	}
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

// read refuses what a conversation has beside roles and contents where the template does not read it.
func (e *Encoder) read(c chat.Conversation) error {
	for _, name := range []string{"tools", "documents"} {
		if c.Vars[name] != nil && !e.template.Reads(name) {
			return fmt.Errorf("the record has %s, which the chat template %q does not read (leave the key out, or use another template)", name, e.template.Name())
		}
	}
	for i, m := range c.Messages {
		if m.Fields == nil {
			continue
		}
		for _, name := range []string{"tool_calls", "reasoning_content", "thinking", "reasoning", "name"} {
			v, ok := m.Fields.Get(name)
			// Reasoning is given under two names, whichever it has in the record.
			read := e.template.Reads(name) || (name == "thinking" || strings.HasPrefix(name, "reasoning")) && (e.template.Reads("reasoning_content") || e.template.Reads("thinking"))
			if ok && jinja.Truth(v) && !read {
				return fmt.Errorf("message %d has %s, which the chat template %q does not read (leave the key out, or use another template)", i+1, name, e.template.Name())
			}
		}
	}
	return nil
}

// guard puts a character that occurs nowhere else behind the first one of each special token that a message or a variable
// spells, so that it cannot be taken for one. It returns "" as the guard when there is nothing to guard.
func (e *Encoder) guard(messages []chat.Message, vars map[string]jinja.Value) (guarded []chat.Message, more map[string]jinja.Value, guard string, err error) {
	each := func(f func(s string)) {
		for _, m := range messages {
			m.Texts(f)
		}
		for _, v := range vars {
			jinja.EachText(v, f)
		}
	}
	spelled := false
	each(func(text string) {
		spelled = spelled || slices.ContainsFunc(e.special, func(s string) bool { return strings.Contains(text, s) })
	})
	if !spelled {
		return messages, vars, "", nil
	}
	for c := firstGuard; guard == ""; c++ {
		if c > lastGuard {
			return nil, nil, "", fmt.Errorf("the messages hold the noncharacters U+%04X to U+%04X (remove them)", firstGuard, lastGuard)
		}
		guard = string(c)
		each(func(text string) {
			if strings.ContainsRune(text, c) {
				guard = ""
			}
		})
	}
	put := func(text string) string {
		for _, s := range e.special {
			_, first := cutRune(s)
			text = strings.ReplaceAll(text, s, s[:first]+guard+s[first:])
		}
		return text
	}
	guarded = make([]chat.Message, len(messages))
	for i, m := range messages {
		guarded[i] = m.Map(put)
	}
	more = make(map[string]jinja.Value, len(vars))
	for name, v := range vars {
		more[name] = jinja.MapText(v, put)
	}
	return guarded, more, guard, nil
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

// encode returns the tokens of rendered text, in which special tokens are recognised where no guard breaks them. With spans, it
// returns what each token stands for in the text without guards, that text, and the spans of it.
func (e *Encoder) encode(text, guard string, spans []chat.Span) (ids []int32, at []hf.Span, clean string, moved []chat.Span) {
	spelled := map[int]bool{} // where messages spell special tokens
	if guard != "" {
		text, spans = unguard(text, guard, spans, spelled)
	}
	var ordinary func(*hf.AddedToken, hf.Span) bool
	switch {
	case len(spelled) > 0:
		ordinary = func(a *hf.AddedToken, at hf.Span) bool { return a.Special && spelled[at.Begin] }
	case spans == nil:
		return e.tokens.AppendEncodeSpecial(nil, []byte(text)), nil, text, nil
	}
	ids, at = e.tokens.EncodeSpans([]byte(text), ordinary)
	return ids, at, text, spans
}

// unguard takes the guards out of a text, moves spans accordingly, and notes the places of the special tokens that they broke.
func unguard(text, guard string, spans []chat.Span, spelled map[int]bool) (string, []chat.Span) {
	var clean strings.Builder
	var ends []int // of the guards, in text
	for at := 0; ; {
		next := strings.Index(text[at:], guard)
		if next < 0 {
			clean.WriteString(text[at:])
			break
		}
		clean.WriteString(text[at : at+next])
		_, size := utf8.DecodeLastRuneInString(text[:at+next])
		spelled[clean.Len()-size] = true
		at += next + len(guard)
		ends = append(ends, at)
	}
	moved := slices.Clone(spans)
	shift := func(at int) int { // guards before a place are gone
		n, ended := slices.BinarySearch(ends, at)
		if ended {
			n++
		}
		return at - n*len(guard)
	}
	for i, s := range spans {
		moved[i] = chat.Span{Begin: shift(s.Begin), End: shift(s.End)}
	}
	return clean.String(), moved
}
