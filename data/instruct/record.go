package instruct

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gotrain/data/chat"
)

// pairs are the keys of records that hold one question and one answer; input is optional context behind the question.
var pairs = []struct{ question, input, answer string }{
	{"instruction", "input", "output"}, // Alpaca
	{"instruction", "context", "response"},
	{"prompt", "", "completion"},
	{"prompt", "", "response"},
	{"question", "", "answer"},
	{"question", "", "response"},
	{"query", "", "response"},
	{"problem", "", "solution"},
	{"input", "", "output"},
}

// shapes is what an error says about the keys that are known.
const shapes = "messages (OpenAI), conversations (ShareGPT), instruction and output (Alpaca), prompt and completion, or question and answer"

// parseRecord returns the conversations of a record: one, or one for each of the instances that self-instruct's seed tasks
// have. A record is an object, or a list of messages by itself.
func parseRecord(raw []byte) ([]chat.Conversation, error) {
	if at := loneSurrogate(raw); at >= 0 {
		return nil, fmt.Errorf("byte %d of the record is half of a surrogate pair, %s, which is no character", at, raw[at:at+len(`\ud800`)])
	}
	if len(raw) > 0 && raw[0] == '[' {
		d := &dialogue{}
		if err := d.addList("messages", raw, true); err != nil {
			return nil, err
		}
		return d.finish()
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	record := newObject("", values)
	all, err := conversations(record)
	if err != nil {
		return nil, err
	}
	beside := &dialogue{}
	if err := beside.addVars(record); err != nil {
		return nil, err
	}
	unread, err := record.rest(recordKeys)
	for i := range all {
		all[i].Unread, all[i].Vars = append(all[i].Unread, unread...), beside.Vars
	}
	return all, err
}

// conversations reads a record by the first of the known shapes that it has.
func conversations(record *object) ([]chat.Conversation, error) {
	for _, key := range []string{"messages", "conversations", "conversation"} {
		raw := record.get(key)
		if raw == nil {
			continue
		}
		d := &dialogue{}
		if err := d.addSystem(record); err != nil {
			return nil, err
		}
		if err := d.addList(key, raw, true); err != nil {
			return nil, err
		}
		return d.finish()
	}
	if instances := record.get("instances"); instances != nil && record.has("instruction") {
		return parseInstances(record, instances)
	}
	for _, p := range pairs {
		if !record.has(p.question) || !record.has(p.answer) {
			continue
		}
		d := &dialogue{}
		if err := d.addPair(record, p.question, p.input, p.answer); err != nil {
			return nil, err
		}
		return d.finish()
	}
	var keys []string
	for key := range record.values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if record.has("chosen") && record.has("rejected") {
		return nil, fmt.Errorf("the keys %q are of pairs of answers, which DPO and the like learn from, not instructions", keys)
	}
	return nil, fmt.Errorf("the keys %q tell no kind of record; use %s", keys, shapes)
}

// parseInstances makes a conversation of each instance of a seed task.
func parseInstances(record *object, raw json.RawMessage) ([]chat.Conversation, error) {
	var instances []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &instances); err != nil || len(instances) == 0 {
		return nil, errors.New(`key "instances" is not a list of objects with input and output`)
	}
	instruction := record.get("instruction")
	var all []chat.Conversation
	for i, values := range instances {
		place := fmt.Sprintf("instances[%d]", i)
		instance := newObject(place, maps.Clone(values))
		if instance.values == nil {
			return nil, fmt.Errorf("%s is not an object with input and output", place)
		}
		instance.values["instruction"] = instruction
		d := &dialogue{}
		err := d.addPair(instance, "instruction", "input", "output")
		if err == nil {
			d.Unread, err = instance.unread(place, recordKeys)
		}
		if err != nil {
			return nil, err
		}
		finished, err := d.finish()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		all = append(all, finished...)
	}
	return all, nil
}

// parseText reads a string, or null for "".
func parseText(o *object, key string) (string, error) {
	raw := o.get(key)
	if raw == nil {
		return "", nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("%s is not a string", o.name(key))
	}
	return text, nil
}

// loneSurrogate returns where raw, a JSON value, has an escaped half of a surrogate pair without the other, -1 for nowhere.
func loneSurrogate(raw []byte) int {
	unit := func(at int) rune { // \uXXXX at this place, -1 for anything else
		if at+6 > len(raw) || raw[at] != '\\' || raw[at+1] != 'u' {
			return -1
		}
		var c rune
		for _, digit := range raw[at+2 : at+6] {
			value := strings.IndexByte("0123456789abcdef", digit|0x20)
			if value < 0 {
				return -1
			}
			c = c<<4 | rune(value)
		}
		return c
	}
	for at := 0; at < len(raw); at++ {
		if raw[at] != '\\' {
			continue
		}
		switch c := unit(at); {
		case c >= 0xDC00 && c < 0xE000:
			return at
		case c >= 0xD800 && c < 0xDC00:
			if low := unit(at + 6); low < 0xDC00 || low >= 0xE000 {
				return at
			}
			at += 11
		case c >= 0:
			at += 5
		default:
			at++
		}
	}
	return -1
}
