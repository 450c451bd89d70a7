package instruct

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gotrain/data/chat"
	"gotrain/data/chat/jinja"
)

// roles maps the names of speakers, in lower case, to roles.
var roles = map[string]string{
	"system": chat.System, "developer": chat.System,
	"user": chat.User, "human": chat.User,
	"assistant": chat.Assistant, "gpt": chat.Assistant, "chatgpt": chat.Assistant, "model": chat.Assistant, "bot": chat.Assistant,
	"bing": chat.Assistant, "bard": chat.Assistant,
	"tool": chat.Tool, "function": chat.Tool, "observation": chat.Tool, "tool_response": chat.Tool, "function_response": chat.Tool,
}

// A dialogue is a conversation while it is read. Masked has an element for each message.
type dialogue struct{ chat.Conversation }

func (d *dialogue) add(role, content string, masked bool) {
	d.Messages = append(d.Messages, chat.Message{Role: role, Content: content})
	d.Masked = append(d.Masked, masked)
}

// addSystem reads the system prompt that a record has beside its messages.
func (d *dialogue) addSystem(record *object) error {
	said := ""
	for _, key := range []string{"system", "system_prompt"} {
		text, err := parseText(record, key)
		if err != nil {
			return err
		}
		if text != "" && said != "" && text != said {
			return errors.New(`the keys "system" and "system_prompt" differ (keep one)`)
		}
		if text != "" {
			said = text
		}
	}
	if said != "" {
		d.add(chat.System, said, false)
	}
	return nil
}

// addVars reads what the chat template sees beside the messages: tools, documents and what chat_template_kwargs holds.
func (d *dialogue) addVars(record *object) error {
	set := func(name string, v jinja.Value) {
		if d.Vars == nil {
			d.Vars = map[string]jinja.Value{}
		}
		d.Vars[name] = v
	}
	for _, key := range []string{"tools", "documents"} {
		raw := record.get(key)
		var quoted string
		if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &quoted) == nil {
			raw = json.RawMessage(strings.TrimSpace(quoted))
		}
		if len(raw) == 0 {
			continue
		}
		v, err := jinja.FromJSON(raw)
		list, ok := v.(*jinja.List)
		if err != nil || !ok || slices.ContainsFunc(list.Items(), func(v jinja.Value) bool { _, ok := v.(*jinja.Dict); return !ok }) {
			return fmt.Errorf("%s is not a list of objects", record.name(key))
		}
		if len(list.Items()) > 0 {
			set(key, list)
		}
	}
	raw := record.get("chat_template_kwargs")
	if raw == nil {
		return nil
	}
	v, err := jinja.FromJSON(raw)
	kwargs, ok := v.(*jinja.Dict)
	if err != nil || !ok {
		return fmt.Errorf("%s is not an object", record.name("chat_template_kwargs"))
	}
	for _, key := range kwargs.Keys() {
		name := key.(string)
		if slices.Contains([]string{"messages", "tools", "documents", "add_generation_prompt", "chat_template", "bos_token", "eos_token"}, name) {
			return fmt.Errorf("%s sets %s", record.name("chat_template_kwargs"), name)
		}
		value, _ := kwargs.Get(name)
		set(name, value)
	}
	return nil
}

// addPair reads a question and its answer, with the turns before them: history is a list of [question, answer]. Question and
// answer may be lists of messages, of which only those of the answer are learnt.
func (d *dialogue) addPair(record *object, question, input, answer string) error {
	if err := d.addSystem(record); err != nil {
		return err
	}
	if err := d.addHistory(record); err != nil {
		return err
	}
	asks, says := record.get(question), record.get(answer)
	if isList(asks) || isList(says) {
		if !isList(asks) || !isList(says) {
			return fmt.Errorf("one of %s and %s is a list of messages, the other is not", record.name(question), record.name(answer))
		}
		if err := d.addList(question, asks, false); err != nil {
			return err
		}
		return d.addList(answer, says, true)
	}
	asked, err := parseText(record, question)
	if err != nil {
		return err
	}
	if input != "" {
		text, err := parseText(record, input)
		if err != nil {
			return err
		}
		if text != "" {
			asked += "\n\n" + text
		}
	}
	said, err := parseText(record, answer)
	if err != nil {
		return err
	}
	d.add(chat.User, asked, false)
	d.add(chat.Assistant, said, false)
	return nil
}

func (d *dialogue) addHistory(record *object) error {
	raw := record.get("history")
	if raw == nil {
		return nil
	}
	var turns [][]string
	if json.Unmarshal(raw, &turns) != nil || slices.ContainsFunc(turns, func(t []string) bool { return len(t) != 2 }) {
		return fmt.Errorf("%s is not a list of pairs of question and answer", record.name("history"))
	}
	for _, turn := range turns {
		d.add(chat.User, turn[0], false)
		d.add(chat.Assistant, turn[1], false)
	}
	return nil
}

func isList(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '[' }

// addList reads a list of messages, {"role", "content"} or {"from", "value"}, possibly as JSON in a string; the answers in it
// are learnt if learnt says so.
func (d *dialogue) addList(key string, raw json.RawMessage, learnt bool) error {
	var quoted string
	if raw[0] == '"' && json.Unmarshal(raw, &quoted) == nil {
		raw = json.RawMessage(quoted)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("key %q is not a list of objects: %w", key, err)
	}
	for i, raw := range list {
		var values map[string]json.RawMessage
		if err := json.Unmarshal(raw, &values); err != nil {
			return fmt.Errorf("key %q is not a list of objects: %w", key, err)
		}
		m := newObject(fmt.Sprintf("%s[%d]", key, i), values)
		if err := d.addMessage(m, raw, learnt); err != nil {
			return err
		}
		unread, err := m.unread(key+"[]", messageKeys)
		if err != nil {
			return err
		}
		d.Unread = append(d.Unread, unread...)
	}
	return nil
}

// addMessage reads a message whose JSON is raw.
func (d *dialogue) addMessage(m *object, raw json.RawMessage, learnt bool) error {
	who, what := "role", "content"
	if m.has("from") {
		who, what = "from", "value"
	}
	switch {
	case m.has(who):
	case m.has("input") && m.has("output"): // XTuner's turns
		return d.addPair(m, "input", "", "output")
	default:
		return fmt.Errorf("%s has no key \"role\" with \"content\", nor \"from\" with \"value\"", m.place)
	}
	speaker, err := parseText(m, who)
	if err != nil {
		return err
	}
	role, ok := roles[strings.ToLower(speaker)]
	switch {
	case strings.EqualFold(speaker, "function_call") || strings.EqualFold(speaker, "tool_call"):
		return fmt.Errorf("%s is %q: calls of tools are not given to the chat template", m.name(who), speaker)
	case !ok:
		return fmt.Errorf("%s is %q; use system, user, assistant or tool", m.name(who), speaker)
	}
	content, err := parseContent(m, what, role)
	if err != nil {
		return err
	}
	counts, err := parseTrained(m, role)
	if err != nil {
		return err
	}
	d.add(role, content, !counts || !learnt)
	if who == "role" {
		d.Messages[len(d.Messages)-1].Fields, err = fieldsOf(m, raw, speaker, role)
	}
	return err
}

// fieldsOf returns a message as its record has it, nil where that is a role and a content. A content of parts is their text;
// a role that templates may know stays as it is written.
func fieldsOf(m *object, raw json.RawMessage, speaker, role string) (*jinja.Dict, error) {
	v, err := jinja.FromJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.place, err)
	}
	fields := v.(*jinja.Dict)
	if slices.Contains([]string{"developer", "function", "observation"}, speaker) {
		role = speaker
	}
	keys := fields.Keys()
	if len(keys) == 2 && keys[0] == "role" && keys[1] == "content" && role == roles[role] {
		return nil, nil
	}
	fields.Set("role", role)
	for _, key := range keys {
		if name := key.(string); messageKeys[name].use == given {
			m.read[name] = true
		}
	}
	return fields, nil
}

// parseTrained says whether the loss counts a message: weight 0 or 1; train, training or loss true or false. They may stand
// beside messages of others if they say what holds anyway.
func parseTrained(m *object, role string) (bool, error) {
	counts := true
	for _, key := range []string{"weight", "train", "training", "loss"} {
		raw := m.get(key)
		if raw == nil {
			continue
		}
		says := false
		switch string(raw) {
		case "0", "0.0", "false":
		case "1", "1.0", "true":
			says = true
		default:
			return false, fmt.Errorf("%s is %s; the loss counts a message or it does not: use 0 or 1, or true or false", m.name(key), shorten(raw))
		}
		if role != chat.Assistant && says && key != "weight" {
			return false, fmt.Errorf("%s is %s, but the message is not the assistant's (data.instruct.loss: all learns all messages)", m.name(key), raw)
		}
		counts = counts && says
	}
	return counts, nil
}

// parseContent reads a string or a list of parts {"type": "text", "text"}. The assistant may say nothing.
func parseContent(m *object, key, role string) (string, error) {
	raw := m.get(key)
	var text string
	switch {
	case raw == nil && role == chat.Assistant:
		return "", nil
	case raw == nil:
		return "", fmt.Errorf("%s is missing", m.name(key))
	case json.Unmarshal(raw, &text) == nil:
		return text, nil
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(raw, &parts) != nil {
		return "", fmt.Errorf("%s is neither a string nor a list of parts with type and text", m.name(key))
	}
	for i, p := range parts {
		if p.Type != "text" {
			return "", fmt.Errorf("%s[%d] is a part of type %q; only text is supported", m.name(key), i, p.Type)
		}
		text += p.Text
	}
	return text, nil
}

// finish masks empty answers, cuts off what follows the last answer that is learnt, and returns the conversation. One
// without an answer to learn stays whole.
func (d *dialogue) finish() ([]chat.Conversation, error) {
	if len(d.Messages) > 1 && d.Messages[0].Role == chat.System && d.Messages[1].Role == chat.System {
		if d.Messages[0].Content != d.Messages[1].Content {
			return nil, errors.New(`the key "system" and the first message both are a system prompt, and they differ (keep one)`)
		}
		d.Messages, d.Masked = d.Messages[1:], d.Masked[1:]
	}
	last, answers := -1, 0
	for i, m := range d.Messages {
		if m.Role != chat.Assistant {
			d.Masked[i] = false
			continue
		}
		answers++
		if m.Empty() {
			d.Masked[i] = true
		}
		if !d.Masked[i] {
			last = i
		}
	}
	if answers == 0 {
		return nil, fmt.Errorf("the assistant says nothing in %d messages: there is nothing to learn (leave the record out)", len(d.Messages))
	}
	if last >= 0 {
		d.Messages, d.Masked = d.Messages[:last+1], d.Masked[:last+1]
	}
	return []chat.Conversation{d.Conversation}, nil
}

// learns says whether a conversation has an answer to learn.
func learns(c chat.Conversation) bool {
	for i, m := range c.Messages {
		if m.Role == chat.Assistant && !m.Empty() && (c.Masked == nil || !c.Masked[i]) {
			return true
		}
	}
	return false
}
