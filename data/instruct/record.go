package instruct

import (
	"encoding/json"
	"fmt"
	"slices"

	"example.com/gotrain/data/chat"
)

// pairs are the keys of records that hold one question and one answer. Behind an instruction there may be an input or a
// context.
var pairs = []struct {
	question, answer string
	input            bool
}{
	{"instruction", "output", true}, // Alpaca
	{"instruction", "response", true},
	{"prompt", "completion", false},
	{"prompt", "response", false},
	{"question", "answer", false},
	{"question", "response", false},
	{"query", "response", false},
	{"problem", "solution", false},
	{"inputs", "targets", false},
	{"user", "assistant", false},
	{"input", "output", false},
}

// shapes is what an error says about the keys that are known.
const shapes = "messages (OpenAI), conversations (ShareGPT), instruction and output (Alpaca), prompt and completion, or question and answer"

// parseRecord returns the conversations of a record: one, or one for each of the instances that self-instruct's seed tasks
// have, or of the lists in a list of conversations. A record is an object, or a list of messages or of [user, assistant] by
// itself.
func parseRecord(raw []byte) ([]chat.Conversation, error) {
	if err := checkJSON(raw); err != nil {
		return nil, err
	}
	raw = raw[next(raw, 0):]
	switch raw[0] {
	case '[':
		return parseLists(newObject("", []byte("{}")), "messages", raw)
	case '{':
	default:
		return nil, fmt.Errorf("the record is %s, not an object or a list of messages", kindOf(raw))
	}
	record := newObject("", raw)
	if err := refusePreference(record); err != nil {
		return nil, err
	}
	all, err := conversations(record)
	if err != nil {
		return nil, err
	}
	counts, _, err := parseCounts(record, weightKeys...)
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
		for j, m := range all[i].Messages {
			all[i].Masked[j] = all[i].Masked[j] || !counts && m.Role == chat.Assistant
		}
	}
	return all, err
}

// weightKeys are the keys that say whether the loss counts a record.
var weightKeys = []string{"weight", "loss_weight", "sample_weight", "train", "training", "loss"}

// conversations reads a record by the first of the known shapes that it has.
func conversations(record *object) ([]chat.Conversation, error) {
	for _, key := range []string{"messages", "conversations", "conversation"} {
		raw := record.get(key)
		if raw == nil {
			continue
		}
		if record.says("history") {
			return nil, fmt.Errorf("key \"history\" stands beside %s, which are the whole conversation (write the turns there)", key)
		}
		return parseLists(record, key, raw)
	}
	if instances := record.get("instances"); instances != nil && record.has("instruction") {
		return parseInstances(record, instances)
	}
	if i := pairOf(record); i >= 0 {
		d := &dialogue{}
		if err := d.addPair(record, pairs[i].question, pairs[i].answer, pairs[i].input); err != nil {
			return nil, err
		}
		return d.finish()
	}
	return nil, noShape(record)
}

// pairOf returns the first of pairs that a record has, -1 for none: where tables are put together, the keys of another are null.
func pairOf(record *object) int {
	null := func(key string) bool { return isNull(record.values[key]) }
	found := -1
	for i, p := range pairs {
		switch {
		case !record.has(p.question) || !record.has(p.answer):
		case !null(p.question) && !null(p.answer):
			return i
		case found < 0 || null(pairs[found].question) && !null(p.question):
			found = i
		}
	}
	return found
}

// refusePreference reports a record of good and bad answers, whatever its shape.
func refusePreference(record *object) error {
	for _, key := range record.keys {
		if rule := recordKeys[key]; rule.use == refused && rule.why == preference && rule.says(record.values[key]) {
			return fmt.Errorf("key %q is %s: %s", key, shorten(record.values[key]), preference)
		}
	}
	return nil
}

// noShape says what a record is that holds no conversation.
func noShape(record *object) error {
	keys := slices.Sorted(slices.Values(record.keys))
	for _, key := range keys {
		if raw := record.values[key]; isList(raw) && holdsObjects(raw) {
			return fmt.Errorf("the keys %q tell no kind of record; key %q is a list of objects: write each as a record, for example with jq -c '.%[2]s[]'", keys, key)
		}
	}
	switch {
	case record.has("role") || record.has("from"):
		return fmt.Errorf("the record is a message, by its keys %q (write the messages of a conversation as one record: {\"messages\": […]})", keys)
	case record.has("text") && len(keys) < 4:
		return fmt.Errorf("the keys %q are those of plain text (set data.format to jsonl to learn from it; instruct needs %s)", keys, shapes)
	}
	return fmt.Errorf("the keys %q tell no kind of record; use %s", keys, shapes)
}

// parseLists reads a list of messages or of [user, assistant], or a list of conversations, each a list of messages; possibly
// as JSON in a text.
func parseLists(record *object, key string, raw json.RawMessage) ([]chat.Conversation, error) {
	if raw[0] == '"' {
		raw = json.RawMessage(unquote(raw))
		if err := checkJSON(raw); err != nil {
			return nil, fmt.Errorf("key %q is a text in place of a list of messages: %w", key, err)
		}
		raw = raw[next(raw, 0):]
	}
	if raw[0] != '[' {
		return nil, fmt.Errorf("key %q is %s, not a list of messages", key, kindOf(raw))
	}
	lists := []json.RawMessage{raw}
	if all := elements(raw); len(all) > 0 && all[0][0] == '[' && holdsObjects(all[0]) {
		lists = all
	}
	var all []chat.Conversation
	for i, list := range lists {
		place := key
		if len(lists) > 1 {
			place = fmt.Sprintf("%s[%d]", key, i)
		}
		d := &dialogue{}
		if err := d.addSystem(record); err != nil {
			return nil, err
		}
		if err := d.addList(place, list, true); err != nil {
			return nil, err
		}
		finished, err := d.finish()
		if err != nil {
			return nil, err
		}
		all = append(all, finished...)
	}
	return all, nil
}

// holdsObjects says whether a list begins with an object.
func holdsObjects(raw json.RawMessage) bool {
	first := next(raw, 1)
	return raw[0] == '[' && raw[first] == '{'
}

// parseInstances makes a conversation of each instance of a seed task.
func parseInstances(record *object, raw json.RawMessage) ([]chat.Conversation, error) {
	instruction := record.get("instruction")
	if raw[0] != '[' || instruction == nil {
		return nil, fmt.Errorf("an instruction and a list of instances are needed, not %s and %s", shorten(record.values["instruction"]), shorten(raw))
	}
	var all []chat.Conversation
	for i, raw := range elements(raw) {
		place := fmt.Sprintf("instances[%d]", i)
		if raw[0] != '{' {
			return nil, fmt.Errorf("%s is %s, not an object with input and output", place, kindOf(raw))
		}
		instance := newObject(place, raw)
		if !instance.has("output") {
			return nil, fmt.Errorf("%s has no key \"output\"", place)
		}
		instance.values["instruction"] = instruction
		d := &dialogue{}
		if err := d.addInstance(record, instance); err != nil {
			return nil, err
		}
		finished, err := d.finish()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		all = append(all, finished...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s is an empty list", record.name("instances"))
	}
	return all, nil
}

// addInstance reads the input and the output of an instance of a record.
func (d *dialogue) addInstance(record, instance *object) error {
	if err := d.addSystem(record); err != nil {
		return err
	}
	counts, _, err := parseCounts(instance, weightKeys...)
	if err == nil {
		err = d.addPair(instance, "instruction", "output", true)
	}
	if err == nil {
		d.Unread, err = instance.unread("instances[]", recordKeys)
	}
	if err == nil {
		last := len(d.Masked) - 1
		d.Masked[last] = d.Masked[last] || !counts
	}
	return err
}
