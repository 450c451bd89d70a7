package chat

import (
	"fmt"
	"time"
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
}

// Conversation is the messages of one example.
type Conversation struct {
	Messages []Message
	Masked   []bool   // of each message: it is the assistant's, and the loss does not count it; nil for none
	Unread   []string // keys of the record that say nothing to gotrain, as "messages[].mood"
	Source   string   // where it stands, "file.jsonl:12"
}

// Vars are what a template sees beside the messages.
type Vars struct {
	BOS, EOS string // the texts of bos_token and eos_token
	// Prompt ends the text with what comes before an answer of the assistant (add_generation_prompt).
	Prompt bool
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
