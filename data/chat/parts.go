package chat

import (
	"strings"

	"example.com/gotrain/data/chat/jinja"
)

// partOf is a part of a content, as multi-modal conversations have it.
func partOf(text string) jinja.Value {
	d := jinja.NewDict()
	d.Set("type", "text")
	d.Set("text", text)
	return d
}

// parts returns the content of a message as a list of parts, if its record has one; the parts are one text where their texts
// were altered in a way that shows only in all of them.
func (m Message) parts() (*jinja.List, bool) {
	if m.Fields == nil {
		return nil, false
	}
	v, _ := m.Fields.Get("content")
	list, ok := v.(*jinja.List)
	if !ok {
		return nil, false
	}
	var texts strings.Builder
	for _, item := range list.Items() {
		if part, ok := item.(*jinja.Dict); ok {
			text, _ := part.Get("text")
			if s, ok := text.(string); ok {
				texts.WriteString(s)
			}
		}
	}
	if texts.String() != m.Content {
		return jinja.NewList([]jinja.Value{partOf(strings.ToValidUTF8(m.Content, "\ufffd"))}), true
	}
	return list, true
}

func isParts(content jinja.Value) bool { _, ok := content.(*jinja.List); return ok }

// reading says of which roles a template reads a content that is a list of parts: it then sees the list, as in transformers,
// else the text of all parts, where transformers fails or writes the list as Python prints it. It reads one if it writes a list
// with a single part as it writes the text of that part, or if it cannot read a text at all.
func (t *Template) reading() map[string]bool {
	user, answer := Message{Role: User, Content: "u"}, Message{Role: Assistant, Content: "a"}
	reads := map[string]bool{}
	for role, conversation := range map[string][]Message{
		System: {{Role: System}, user}, User: {{Role: User}}, Assistant: {user, {Role: Assistant}}, Tool: {user, answer, {Role: Tool}},
	} {
		write := func(content jinja.Value) (string, error) {
			list := make([]jinja.Value, len(conversation))
			for i, m := range conversation {
				list[i] = m.value(nil)
				if m.Role == role && m.Content == "" {
					list[i].(*jinja.Dict).Set("content", content)
				}
			}
			r, err := t.run(list, Vars{BOS: "<s>", EOS: "</s>"}, int64(len(conversation)), 0)
			return r.Text, err
		}
		asList, err := write(jinja.NewList([]jinja.Value{partOf(sentinel)}))
		if err != nil || !strings.Contains(asList, sentinel) {
			continue
		}
		asText, err := write(sentinel)
		reads[role] = err != nil || asText == asList || !strings.Contains(asText, sentinel)
	}
	return reads
}
