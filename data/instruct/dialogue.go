package instruct

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/chat/jinja"
)

// roles maps the names of speakers, in lower case, to roles.
var roles = map[string]string{
	"system": chat.System, "developer": chat.System,
	"user": chat.User, "human": chat.User, "prompter": chat.User,
	"assistant": chat.Assistant, "gpt": chat.Assistant, "chatgpt": chat.Assistant, "model": chat.Assistant, "bot": chat.Assistant,
	"bing": chat.Assistant, "bard": chat.Assistant,
	"function_call": chat.Assistant, "tool_call": chat.Assistant,
	"tool": chat.Tool, "function": chat.Tool, "observation": chat.Tool, "tool_response": chat.Tool, "function_response": chat.Tool,
}

// A dialogue is a conversation while it is read. Masked has an element for each message.
type dialogue struct {
	chat.Conversation
	calls int // the number of messages when calls of tools came last
}

func (d *dialogue) add(role, content string, masked bool) {
	d.Messages = append(d.Messages, chat.Message{Role: role, Content: content})
	d.Masked = append(d.Masked, masked)
}

// addSystem reads the system prompt that a record has beside its messages.
func (d *dialogue) addSystem(record *object) error {
	said := ""
	for _, key := range []string{"system", "system_prompt", "system_message"} {
		text, err := parseText(record, key)
		if err != nil {
			return err
		}
		if text != "" && said != "" && text != said {
			return fmt.Errorf("%s is another system prompt than the one beside it (keep one)", record.name(key))
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

// addPair reads a question and its answer, with the turns before them. Question and answer may be lists of messages, of which
// only those of the answer are learnt.
func (d *dialogue) addPair(record *object, question, answer string, input bool) error {
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
	asked, err := needText(record, question)
	if err != nil {
		return err
	}
	for _, key := range []string{"input", "context"} {
		switch {
		case key == question || !record.says(key):
			continue
		case !input:
			return fmt.Errorf("%s stands beside %s, and where it goes is not told: write it into %[2]s (behind an instruction it is read)", record.name(key), question)
		}
		text, err := parseText(record, key)
		if err != nil {
			return err
		}
		asked += "\n\n" + text
	}
	if input {
		record.read["input"], record.read["context"] = true, true
	}
	said, err := parseText(record, answer)
	if err != nil {
		return err
	}
	d.add(chat.User, asked, false)
	d.add(chat.Assistant, said, false)
	return nil
}

// addHistory reads the turns before a question: a list of [question, answer].
func (d *dialogue) addHistory(record *object) error {
	raw := record.get("history")
	if raw == nil {
		return nil
	}
	if raw[0] != '[' {
		return record.wrong("history", "list of pairs of question and answer")
	}
	for i, turn := range elements(raw) {
		if err := d.addTurn(fmt.Sprintf("history[%d]", i), turn); err != nil {
			return err
		}
	}
	return nil
}

// addTurn reads [user, assistant], two texts.
func (d *dialogue) addTurn(place string, raw json.RawMessage) error {
	var texts []json.RawMessage
	if raw[0] == '[' {
		texts = elements(raw)
	}
	if len(texts) != 2 || texts[0][0] != '"' || texts[1][0] != '"' {
		return fmt.Errorf("%s is %s, not a pair of texts, question and answer", place, shorten(raw))
	}
	d.add(chat.User, unquote(texts[0]), false)
	d.add(chat.Assistant, unquote(texts[1]), false)
	return nil
}

func isList(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '[' }

// addList reads a list of messages, {"role", "content"} or {"from", "value"}, of pairs [user, assistant], or of the texts of
// user and assistant in turn; the answers in it are learnt if learnt says so.
func (d *dialogue) addList(key string, raw json.RawMessage, learnt bool) error {
	list := elements(raw)
	texts := len(list) > 0
	for _, raw := range list {
		texts = texts && raw[0] == '"'
	}
	if texts && len(list)%2 == 0 && learnt {
		for i, raw := range list {
			d.add([]string{chat.User, chat.Assistant}[i%2], unquote(raw), false)
		}
		return nil
	}
	for i, raw := range list {
		place := fmt.Sprintf("%s[%d]", key, i)
		switch {
		case raw[0] == '[' && learnt:
			if err := d.addTurn(place, raw); err != nil {
				return err
			}
			continue
		case texts:
			return fmt.Errorf("%s is a list of %d texts, which user and assistant do not say in turn (write messages of role and content)", key, len(list))
		case raw[0] != '{':
			return fmt.Errorf("%s is %s, not a message: an object of role and content, or of from and value", place, kindOf(raw))
		}
		m := newObject(place, raw)
		if err := d.addMessage(m, raw, learnt); err != nil {
			return err
		}
		unread, err := m.unread(list0(key)+"[]", messageKeys)
		if err != nil {
			return err
		}
		d.Unread = append(d.Unread, unread...)
	}
	return nil
}

// list0 is the name of a list without the numbers of those that it lies in.
func list0(key string) string {
	name, _, _ := strings.Cut(key, "[")
	return name
}

// spokenKeys returns the keys of who speaks and what, of a message that has them in one of the known ways.
func spokenKeys(m *object) (who, what string, err error) {
	for _, key := range []string{"role", "from"} {
		if m.has(key) {
			if who != "" {
				return "", "", fmt.Errorf("%s has both keys \"role\" and \"from\" (keep one)", m.place)
			}
			who = key
		}
	}
	if who == "" {
		return "", "", fmt.Errorf("%s has no key \"role\" with \"content\", nor \"from\" with \"value\"", m.place)
	}
	for _, key := range []string{"content", "value", "text"} {
		if m.has(key) {
			if what != "" {
				return "", "", fmt.Errorf("%s has both keys %q and %q (keep the one that is said)", m.place, what, key)
			}
			what = key
		}
	}
	if what == "" {
		what = "content"
	}
	return who, what, nil
}

// addMessage reads a message whose JSON is raw.
func (d *dialogue) addMessage(m *object, raw json.RawMessage, learnt bool) error {
	if !m.has("role") && !m.has("from") && m.has("input") && m.has("output") {
		return d.addExchange(m, learnt)
	}
	who, what, err := spokenKeys(m)
	if err != nil {
		return err
	}
	speaker, err := needText(m, who)
	if err != nil {
		return err
	}
	name := strings.ToLower(speaker)
	role, ok := roles[name]
	if !ok {
		return fmt.Errorf("%s is %q; use system, user, assistant or tool", m.name(who), speaker)
	}
	counts, err := parseTrained(m, role)
	if err != nil {
		return err
	}
	if name == "function_call" || name == "tool_call" {
		return d.addCalls(m, what, !counts || !learnt)
	}
	content, err := d.parseContent(m, what, role)
	if err != nil {
		return err
	}
	d.add(role, content, !counts || !learnt)
	if who == "role" && what == "content" {
		d.Messages[len(d.Messages)-1].Fields, err = fieldsOf(m, raw, speaker, role)
	}
	return err
}

// addExchange reads a turn of XTuner's: what the user and the assistant say.
func (d *dialogue) addExchange(m *object, learnt bool) error {
	counts, _, err := parseCounts(m, "output_with_loss", "weight", "loss_weight", "train", "training", "loss")
	if err == nil {
		err = d.addPair(m, "input", "output", false)
	}
	if err == nil {
		last := len(d.Masked) - 1
		d.Masked[last] = d.Masked[last] || !counts || !learnt
	}
	return err
}

// addCalls reads the calls of tools that ShareGPT's messages of function_call have as JSON in a text, as the message of the
// assistant that templates know. What follows another such message calls further tools.
func (d *dialogue) addCalls(m *object, what string, masked bool) error {
	raw := m.get(what)
	fault := func() error {
		return fmt.Errorf("%s is %s, not the JSON of a call {\"name\", \"arguments\"} or a list of calls", m.name(what), shorten(m.values[what]))
	}
	if raw == nil {
		return fault()
	}
	if raw[0] == '"' {
		raw = json.RawMessage(strings.TrimSpace(unquote(raw)))
	}
	if len(raw) == 0 || checkJSON(raw) != nil {
		return fault()
	}
	calls := []json.RawMessage{raw}
	if raw[0] == '[' {
		calls = elements(raw)
	}
	var list []jinja.Value
	for _, raw := range calls {
		v, err := jinja.FromJSON(raw)
		call, ok := v.(*jinja.Dict)
		if err != nil || !ok {
			return fault()
		}
		if name, _ := call.Get("name"); name == nil || call.Len() > 2 {
			return fault()
		}
		if _, ok := call.Get("arguments"); !ok {
			return fault()
		}
		entry := jinja.NewDict()
		entry.Set("type", "function")
		entry.Set("function", call)
		list = append(list, entry)
	}
	if len(list) == 0 {
		return fault()
	}
	if n := len(d.Messages); n > 0 && d.calls == n && d.Masked[n-1] == masked {
		before, _ := d.Messages[n-1].Fields.Get("tool_calls")
		d.Messages[n-1].Fields.Set("tool_calls", jinja.NewList(append(slices.Clone(before.(*jinja.List).Items()), list...)))
		return nil
	}
	fields := jinja.NewDict()
	fields.Set("role", chat.Assistant)
	fields.Set("content", "")
	fields.Set("tool_calls", jinja.NewList(list))
	d.add(chat.Assistant, "", masked)
	d.Messages[len(d.Messages)-1].Fields = fields
	d.calls = len(d.Messages)
	return nil
}

// fieldsOf returns a message as its record has it, nil where that is a role and a text. A role that templates may know stays as
// it is written.
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
		if content, _ := fields.Get("content"); !isParts(content) {
			return nil, nil
		}
	}
	fields.Set("role", role)
	for _, key := range keys {
		if name := key.(string); messageKeys[name].use == given {
			m.read[name] = true
		}
	}
	return fields, nil
}

// isParts says whether a content is a list of parts.
func isParts(content jinja.Value) bool { _, ok := content.(*jinja.List); return ok }

// parseTrained says whether the loss counts a message. Messages of others than the assistant may only say what holds anyway.
func parseTrained(m *object, role string) (bool, error) {
	counts, _, err := parseCounts(m, "weight", "loss_weight")
	if err != nil {
		return false, err
	}
	trains, said, err := parseCounts(m, "train", "training", "loss")
	if err == nil && said && trains && role != chat.Assistant {
		err = fmt.Errorf("%s is to be learnt, but the message is not the assistant's (leave out train, training and loss; data.instruct.loss: all learns all messages)", m.place)
	}
	return counts && trains, err
}

// parseContent reads a text or a list of parts {"type": "text", "text"}. The assistant may say nothing, in words.
func (d *dialogue) parseContent(m *object, key, role string) (string, error) {
	raw := m.get(key)
	switch {
	case raw == nil && role == chat.Assistant && (m.has(key) || m.says("tool_calls") || m.says("reasoning_content") || m.says("reasoning") || m.says("thinking")):
		return "", nil
	case raw == nil && m.has(key):
		return "", m.wrong(key, "text")
	case raw == nil:
		return "", fmt.Errorf("%s is missing", m.name(key))
	case raw[0] == '"':
		return unquote(raw), nil
	case raw[0] != '[':
		if k := kindOf(raw); k == "an object" {
			return "", fmt.Errorf("%s is an object, not a text or a list of parts with type and text", m.name(key))
		}
		return "", m.wrong(key, "text")
	}
	text := ""
	for i, raw := range elements(raw) {
		place := fmt.Sprintf("%s[%d]", m.name(key), i)
		if raw[0] != '{' {
			return "", fmt.Errorf("%s is %s, not a part with type and text", place, kindOf(raw))
		}
		part := newObject(place, raw)
		kind, err := parseText(part, "type")
		if err != nil {
			return "", err
		}
		if kind != "text" {
			return "", fmt.Errorf("%s is a part of type %q; only text is supported", place, kind)
		}
		said := "text"
		if !part.has(said) && part.has("value") {
			said = "value"
		}
		if !part.has(said) {
			return "", fmt.Errorf("%s is a part without text", place)
		}
		words, err := needText(part, said)
		if err != nil {
			return "", err
		}
		text += words
		unread, err := part.unread(list0(m.place)+"[]."+key+"[]", partKeys)
		if err != nil {
			return "", err
		}
		d.Unread = append(d.Unread, unread...)
	}
	return text, nil
}

// finish masks empty answers, cuts off what follows the last answer that is learnt, and returns the conversation. One
// without an answer to learn stays whole.
func (d *dialogue) finish() ([]chat.Conversation, error) {
	if len(d.Messages) > 1 && d.Messages[0].Role == chat.System && d.Messages[1].Role == chat.System {
		if d.Messages[0].Content != d.Messages[1].Content {
			return nil, errors.New("the record has a system prompt beside the messages and another as its first message, and they differ (keep one)")
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
			d.Silent++
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
