package chat

import (
	"fmt"
	"strings"
	"time"

	"example.com/gotrain/data/chat/jinja"
)

// The roles of messages. Templates know these four at most.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
	Tool      = "tool"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
	// Fields is the message as its record has it, all keys in order (tool_calls, name, reasoning_content, …), where that is
	// more than a role and a text; else nil. Templates see it, with Content in place of its content; see Template.reading for
	// a content that is a list of parts, of which Content is the text.
	Fields *jinja.Dict `json:"-"`
}

// Empty says whether a message says nothing: no content, no calls of tools and no reasoning.
func (m Message) Empty() bool {
	return strings.TrimSpace(m.Content) == "" && m.beside() == nil
}

// spoken are the keys of what is said beside the content.
var spoken = []string{"tool_calls", "reasoning_content", "reasoning", "thinking"}

// beside returns what a message says beside its content.
func (m Message) beside() (said []jinja.Value) {
	if m.Fields == nil {
		return nil
	}
	for _, key := range spoken {
		if v, ok := m.Fields.Get(key); ok && jinja.Truth(v) {
			said = append(said, v)
		}
	}
	return said
}

// Texts calls f for all texts of a message.
func (m Message) Texts(f func(s string)) {
	f(m.Content)
	if m.Fields != nil {
		jinja.EachText(m.Fields, f)
	}
}

// Said calls f for what a message says: its content, and the texts of its calls of tools and of its reasoning.
func (m Message) Said(f func(s string)) {
	f(m.Content)
	for _, v := range m.beside() {
		jinja.EachText(v, f)
	}
}

// Map returns a message with f applied to all its texts but the role.
func (m Message) Map(f func(s string) string) Message {
	m.Content = f(m.Content)
	if m.Fields != nil {
		role, _ := m.Fields.Get("role")
		m.Fields = jinja.MapText(m.Fields, f).(*jinja.Dict)
		m.Fields.Set("role", role)
	}
	return m
}

// value returns a message as templates see it: without keys that are null, and with the reasoning under the names that
// transformers gives it. A content is a list of parts where that of the record is and lists has the role.
func (m Message) value(lists map[string]bool) jinja.Value {
	content := strings.ToValidUTF8(m.Content, "\ufffd")
	d := jinja.NewDict()
	if m.Fields == nil {
		d.Set("role", strings.ToValidUTF8(m.Role, "\ufffd"))
		d.Set("content", content)
		return d
	}
	var reasoning jinja.Value
	for _, key := range []string{"reasoning_content", "thinking", "reasoning"} {
		if v, ok := m.Fields.Get(key); ok && v != jinja.None && reasoning == nil {
			reasoning = v
		}
	}
	if reasoning != nil {
		d.Set("thinking", reasoning)
	}
	for _, key := range m.Fields.Keys() {
		name := key.(string)
		v, _ := m.Fields.Get(name)
		switch {
		case name == "content" && lists[m.Role] && isParts(v):
			list, _ := m.parts()
			d.Set(name, list)
		case name == "content" && (content != "" || v != jinja.None):
			d.Set(name, content)
		case v != jinja.None:
			d.Set(name, v)
		}
	}
	if _, ok := d.Get("content"); !ok && content != "" {
		d.Set("content", content)
	}
	if reasoning != nil {
		d.Set("reasoning_content", reasoning)
	}
	return d
}

// Conversation is the messages of one example.
type Conversation struct {
	Messages []Message
	Masked   []bool                 // of each message: it is the assistant's, and the loss does not count it; nil for none
	Vars     map[string]jinja.Value // further variables of the template, as tools and documents
	Silent   int                    // answers that say nothing, those included that no message has
	Unread   []string               // keys of the record that say nothing to gotrain, as "messages[].mood"
	Source   string                 // where it stands, "file.jsonl:12"
}

// Vars are what a template sees beside the messages.
type Vars struct {
	BOS, EOS string // the texts of bos_token and eos_token
	// Tokens are all special tokens of the tokenizer by their names, as pad_token.
	Tokens map[string]string
	// Prompt ends the text with what comes before an answer of the assistant (add_generation_prompt).
	Prompt bool
	// More are further variables, as tools and documents: what apply_chat_template takes as keywords.
	More map[string]jinja.Value
	// Now is what strftime_now formats; the zero time is the time of the rendering.
	Now time.Time
}

// Span is the bytes [Begin, End) of a text.
type Span struct{ Begin, End int }

// Error is a fault of a template or of what it was asked to render.
type Error struct {
	Template string
	Line     int // from 1, 0 where it is not known
	Problem  string
	Cure     string
}

func (e *Error) Error() string {
	place := fmt.Sprintf("chat template %q", e.Template)
	if e.Line > 0 {
		place = fmt.Sprintf("%s, line %d", place, e.Line)
	}
	if e.Cure == "" {
		return place + ": " + e.Problem
	}
	return fmt.Sprintf("%s: %s (%s)", place, e.Problem, e.Cure)
}
