package chat

import (
	"slices"
	"strings"
)

// manyAnswers is from how many answers on their spans are looked for by what some of them have in common: to render parts of
// the conversation for each of them takes time that grows with its square.
const manyAnswers = 12

// regular returns the spans of many answers in text, nil where their turns are not alike.
//
// One rendering with the sentinel in place of all answers shows what is written between them. Text has to be that with the
// contents put in, as they are or without white space around. For the first answers, one in the middle and the last ones, the
// span is found by rendering parts of the conversation. Where each begins as far before its content as the others, behind the
// same prompt, and ends as far behind it, at the same end of turn, so do those of which the surroundings are the same.
func (t *Template) regular(messages []Message, answers []int, text string, v Vars) []Span {
	contents, ok := t.contents(messages, answers, text, v)
	if !ok {
		return nil
	}
	n := len(answers)
	var before, behind string // of a content, in its span or the prompt for it
	spans := make([]Span, n)
	for count, k := range []int{0, 1, n / 2, n - 2, n - 1} {
		span, err := t.span(messages, answers[k], text, v)
		if err != nil || span.Begin > contents[k].Begin || span.End < contents[k].End {
			return nil
		}
		asked, err := t.Render(messages[:answers[k]], v)
		if err != nil || !strings.HasPrefix(text[:span.Begin], asked) {
			return nil
		}
		b, e := text[len(asked):contents[k].Begin], text[contents[k].End:span.End]
		if count > 0 && (b != before || e != behind || span.Begin != contents[k].Begin-(contents[0].Begin-spans[0].Begin)) {
			return nil
		}
		before, behind, spans[k] = b, e, span
	}
	gap := contents[0].Begin - spans[0].Begin
	for k, c := range contents {
		if !strings.HasSuffix(text[:c.Begin], before) || !strings.HasPrefix(text[c.End:], behind) {
			return nil
		}
		spans[k] = Span{c.Begin - gap, c.End + len(behind)}
	}
	return spans
}

// contents returns where in text the contents of answers stand, without white space around them where the template cuts it off.
func (t *Template) contents(messages []Message, answers []int, text string, v Vars) ([]Span, bool) {
	substitute := slices.Clone(messages)
	for _, i := range answers {
		if messages[i].Fields != nil {
			return nil, false
		}
		substitute[i].Content = sentinel
	}
	empty, err := t.Render(substitute, v)
	if err != nil {
		return nil, false
	}
	between := strings.Split(empty, sentinel)
	if len(between) != len(answers)+1 || !strings.HasPrefix(text, between[0]) {
		return nil, false
	}
	spans := make([]Span, len(answers))
	at := len(between[0])
	for k, i := range answers {
		content := strings.ToValidUTF8(messages[i].Content, "\ufffd")
		begins := func(content string) bool {
			rest, ok := strings.CutPrefix(text[at:], content)
			return ok && strings.HasPrefix(rest, between[k+1])
		}
		if !begins(content) {
			if content = strings.TrimSpace(content); !begins(content) {
				return nil, false
			}
		}
		spans[k] = Span{at, at + len(content)}
		at = spans[k].End + len(between[k+1])
	}
	return spans, at == len(text)
}
