package instruct

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gotrain/data/chat"
)

// pairs are the keys of records that hold one question and one answer; input is optional context behind the question.
var pairs = []struct{ question, input, answer string }{
	{"instruction", "input", "output"}, // Alpaca
	{"prompt", "", "completion"},
	{"prompt", "", "response"},
	{"question", "", "answer"},
}

// shapes is what an error says about the keys that are known.
const shapes = "messages (OpenAI), conversations (ShareGPT), instruction and output (Alpaca), prompt and completion, or question and answer"

// roles maps the names of speakers to roles.
var roles = map[string]string{
	"system": chat.System, "developer": chat.System,
	"user": chat.User, "human": chat.User,
	"assistant": chat.Assistant, "gpt": chat.Assistant, "chatgpt": chat.Assistant, "model": chat.Assistant,
	"tool": chat.Tool, "function": chat.Tool, "observation": chat.Tool,
}

// parseRecord returns the conversations of a JSON object: one, or one for each of the instances that self-instruct's seed
// tasks have.
func parseRecord(object []byte) ([]chat.Conversation, error) {
	var record map[string]json.RawMessage
	if err := json.Unmarshal(object, &record); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	for _, key := range []string{"messages", "conversations"} {
		if raw, ok := record[key]; ok {
			messages, err := parseMessages(key, raw)
			if err == nil {
				messages, err = finished(messages)
			}
			return []chat.Conversation{{Messages: messages}}, err
		}
	}
	if raw, ok := record["instances"]; ok && record["instruction"] != nil {
		return parseInstances(record, raw)
	}
	for _, p := range pairs {
		if record[p.question] != nil && record[p.answer] != nil {
			messages, err := parsePair(record, p.question, p.input, p.answer)
			return []chat.Conversation{{Messages: messages}}, err
		}
	}
	var keys []string
	for key := range record {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return nil, fmt.Errorf("the keys %q tell no kind of record; use %s", keys, shapes)
}

func parseInstances(record map[string]json.RawMessage, raw json.RawMessage) ([]chat.Conversation, error) {
	var instances []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &instances); err != nil || len(instances) == 0 {
		return nil, fmt.Errorf("key \"instances\" is not a list of objects with input and output")
	}
	var all []chat.Conversation
	for i, instance := range instances {
		instance["instruction"] = record["instruction"]
		messages, err := parsePair(instance, "instruction", "input", "output")
		if err != nil {
			return nil, fmt.Errorf("instances[%d]: %w", i, err)
		}
		all = append(all, chat.Conversation{Messages: messages})
	}
	return all, nil
}

func parsePair(record map[string]json.RawMessage, question, input, answer string) ([]chat.Message, error) {
	var messages []chat.Message
	add := func(role, content string) { messages = append(messages, chat.Message{Role: role, Content: content}) }
	if raw, ok := record["system"]; ok && question == "instruction" {
		text, err := parseText("system", raw)
		if err != nil {
			return nil, err
		}
		if text != "" {
			add(chat.System, text)
		}
	}
	asked, err := parseText(question, record[question])
	if err != nil {
		return nil, err
	}
	if raw, ok := record[input]; ok && input != "" {
		text, err := parseText(input, raw)
		if err != nil {
			return nil, err
		}
		if text != "" {
			asked += "\n\n" + text
		}
	}
	said, err := parseText(answer, record[answer])
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(said) == "" {
		return nil, fmt.Errorf("key %q is empty: there is nothing to learn (leave the record out)", answer)
	}
	add(chat.User, asked)
	add(chat.Assistant, said)
	return messages, nil
}

// parseText reads a string, or null for "".
func parseText(key string, raw json.RawMessage) (string, error) {
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("key %q is not a string", key)
	}
	if text == nil {
		return "", nil
	}
	return *text, nil
}

// parseMessages reads a list of {"role", "content"} or {"from", "value"}.
func parseMessages(key string, raw json.RawMessage) ([]chat.Message, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("key %q is not a list of objects: %w", key, err)
	}
	var messages []chat.Message
	for i, m := range list {
		place := fmt.Sprintf("%s[%d]", key, i)
		who, what := "role", "content"
		if m["from"] != nil {
			who, what = "from", "value"
		}
		var speaker string
		if json.Unmarshal(m[who], &speaker) != nil || speaker == "" {
			return nil, fmt.Errorf("%s has no key \"role\" with \"content\", nor \"from\" with \"value\"", place)
		}
		role, ok := roles[speaker]
		if !ok {
			return nil, fmt.Errorf("%s.%s is %q; use system, user, assistant or tool", place, who, speaker)
		}
		content, err := parseContent(place+"."+what, m[what])
		if err != nil {
			return nil, err
		}
		messages = append(messages, chat.Message{Role: role, Content: content})
	}
	return messages, nil
}

// parseContent reads a string or a list of parts {"type": "text", "text"}.
func parseContent(place string, raw json.RawMessage) (string, error) {
	var text string
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return "", fmt.Errorf("%s is missing (calls of tools without text are not supported: leave the record out)", place)
	}
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(raw, &parts) != nil {
		return "", fmt.Errorf("%s is neither a string nor a list of parts with type and text", place)
	}
	for i, p := range parts {
		if p.Type != "text" {
			return "", fmt.Errorf("%s[%d] is a part of type %q; only text is supported", place, i, p.Type)
		}
		text += p.Text
	}
	return text, nil
}

// finished cuts off what follows the last answer, which no answer learns from.
func finished(messages []chat.Message) ([]chat.Message, error) {
	for n := len(messages); n > 0; n-- {
		if m := messages[n-1]; m.Role == chat.Assistant && strings.TrimSpace(m.Content) != "" {
			return messages[:n], nil
		}
	}
	return nil, fmt.Errorf("the assistant says nothing in %d messages: there is nothing to learn (leave the record out)", len(messages))
}
