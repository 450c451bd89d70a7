package chat

import (
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data/chat/jinja"
)

// Spans renders a conversation and finds what the assistant says in it: one span for each message of the assistant, from
// the end of the prompt that it answers to the end of its end-of-turn token, white space behind that left out.
//
// Where the template marks answers with {% generation %} blocks, those are the spans. Else they are found by rendering
// parts of the conversation:
//
//	begin  the conversation before the answer, with the prompt for one, is a prefix of the whole; the answer begins there
//	end    with a sentinel in place of the answer's content, what comes behind the sentinel is a suffix of the whole;
//	       it begins with what the template writes behind the content of a last message: the end of the turn
//
// so that a model trained on the spans is asked to write exactly what generation will ask of it. It is an error when the
// parts do not agree with the whole.
func (t *Template) Spans(messages []Message, v Vars) (text string, assistant []Span, err error) {
	return t.spans(messages, v, 0)
}

// LastSpan is Spans for the last message of the assistant alone. Some templates write an earlier part of the conversation
// in another way once there is an answer: Mistral's leaves out the system prompt. The text is then the prompt for the
// answer followed by the answer, as generation has it.
func (t *Template) LastSpan(messages []Message, v Vars) (text string, assistant []Span, err error) {
	last := len(messages) - 1
	for last > 0 && messages[last].Role != Assistant {
		last--
	}
	text, assistant, err = t.spans(messages, v, last)
	if err == nil {
		return text, assistant[max(0, len(assistant)-1):], nil
	}
	v.Prompt = false
	prompt, promptErr := t.beginOf(messages[:last], v)
	whole, wholeErr := t.Render(messages[:last+1], v)
	substitute := slices.Clone(messages[:last+1])
	substitute[last].Content = sentinel
	before, behind, cutErr := t.around(substitute, v)
	if promptErr != nil || wholeErr != nil || cutErr != nil || !strings.HasPrefix(whole, before) || !strings.HasSuffix(whole, behind) {
		return "", nil, err
	}
	end := len(whole) - len(behind) + len(strings.TrimRight(behind, " \t\r\n"))
	if end < len(before) {
		return "", nil, err
	}
	answer := whole[len(before):end]
	return prompt + answer, []Span{{len(prompt), len(prompt) + len(answer)}}, nil
}

// spans finds the spans of the messages from number first on, or all that the template marks.
func (t *Template) spans(messages []Message, v Vars, first int) (text string, assistant []Span, err error) {
	v.Prompt = false
	whole, err := t.render(messages, v)
	if err != nil {
		return "", nil, err
	}
	text = whole.Text
	if t.Marked() {
		assistant, err = t.marked(whole)
		return text, assistant, err
	}
	var answers []int
	for i, m := range messages {
		if i >= first && m.Role == Assistant {
			answers = append(answers, i)
		}
	}
	if len(answers) >= manyAnswers {
		if assistant = t.regular(messages, answers, text, v); assistant != nil {
			return text, assistant, nil
		}
	}
	for _, i := range answers {
		span, err := t.span(messages, i, text, v)
		if err != nil {
			return "", nil, err
		}
		assistant = append(assistant, span)
	}
	return text, assistant, nil
}

// marked returns what the generation blocks of a template have written. It is an error when a block does not stand where it
// was reached: transformers then marks another part of the text.
func (t *Template) marked(r jinja.Result) ([]Span, error) {
	spans := make([]Span, len(r.Spans))
	for i, s := range r.Spans {
		spans[i] = Span{s.Begin, s.End}
	}
	if i := r.Misplaced(); i >= 0 {
		return nil, &Error{
			Template: t.name, Problem: fmt.Sprintf("what its generation block %d writes does not stand where the block is reached: it is in a macro, a set block or a filter that writes it later", i+1),
			Cure: "put the block around the output itself",
		}
	}
	return spans, nil
}

// sentinel stands for the content of an answer. It is neither white space nor in any alphabet, so templates that trim or
// search contents leave it alone.
const sentinel = "\ufdd0\ufdd1"

func (t *Template) span(messages []Message, i int, text string, v Vars) (Span, error) {
	fault := func(problem string) error {
		return &Error{
			Template: t.name, Problem: fmt.Sprintf("message %d, which the assistant says, is not found in the text: %s", i+1, problem),
			Cure: "train on last answers only, with loss: last, or put {% generation %} and {% endgeneration %} around what the assistant says",
		}
	}
	begin, err := t.beginOf(messages[:i], v)
	if err != nil {
		return Span{}, err
	}
	if !strings.HasPrefix(text, begin) {
		return Span{}, fault("the conversation up to it, with the prompt for an answer, is not how the whole begins")
	}
	substitute := slices.Clone(messages)
	substitute[i].Content = sentinel
	_, behind, err := t.around(substitute, v)
	if err != nil {
		return Span{}, err
	}
	if !strings.HasSuffix(text, behind) || len(begin)+len(behind) > len(text) {
		return Span{}, fault("what follows it depends on what it says")
	}
	turnEnd := behind
	if i+1 < len(messages) {
		if _, turnEnd, err = t.around(substitute[:i+1], v); err != nil {
			return Span{}, err
		}
	}
	turnEnd = strings.TrimRight(turnEnd, " \t\r\n")
	if !strings.HasPrefix(behind, turnEnd) {
		turnEnd = "" // the template ends only the last turn so
	}
	return Span{len(begin), len(text) - len(behind) + len(turnEnd)}, nil
}

// beginOf returns the prompt for an answer to messages, empty before the first message of a conversation that a template
// does not let the assistant begin.
func (t *Template) beginOf(messages []Message, v Vars) (string, error) {
	v.Prompt = true
	text, err := t.Render(messages, v)
	if err != nil && len(messages) == 0 {
		return "", &Error{Template: t.name, Problem: "the assistant speaks first", Cure: "begin the conversation with a message of the user"}
	}
	return text, err
}

// around returns what stands before and behind the sentinel in the rendered text.
func (t *Template) around(messages []Message, v Vars) (before, behind string, err error) {
	text, err := t.Render(messages, v)
	if err != nil {
		return "", "", err
	}
	before, behind, ok := strings.Cut(text, sentinel)
	if !ok {
		return "", "", &Error{Template: t.name, Problem: "it leaves out what the assistant says", Cure: "use another template"}
	}
	return before, behind, nil
}
