package instruct

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A use is what becomes of a key of a record.
type use uint8

const (
	used     use = iota // it is read
	given               // the chat template sees it, in messages of role and content
	harmless            // it says nothing of what is learnt
	refused             // it changes what is learnt in a way that is not done here
)

// A keyRule says what becomes of a key. One that is refused, or given where there is no message to give it with, may still have a value that changes nothing: null, an empty text,
// list or object, or one of neutral.
type keyRule struct {
	use     use
	neutral []string // JSON values
	why     string   // of a refused one
}

// recordKeys are the keys of records that are known. Which of the used ones count depends on the shape; a key that a shape
// does not read and one that is not here are named in Stats.Unread.
var recordKeys = map[string]keyRule{
	"messages": {}, "conversations": {}, "conversation": {},
	"instruction": {}, "input": {}, "output": {}, "instances": {}, "context": {},
	"prompt": {}, "completion": {}, "response": {}, "question": {}, "answer": {}, "query": {}, "problem": {}, "solution": {},
	"system": {}, "system_prompt": {}, "history": {}, "tools": {}, "documents": {}, "chat_template_kwargs": {},

	"id": {use: harmless}, "_id": {use: harmless}, "idx": {use: harmless}, "index": {use: harmless}, "uuid": {use: harmless},
	"conversation_id": {use: harmless}, "conversation_hash": {use: harmless}, "prompt_id": {use: harmless}, "task_id": {use: harmless},
	"source": {use: harmless}, "dataset": {use: harmless}, "origin": {use: harmless}, "url": {use: harmless}, "license": {use: harmless},
	"category": {use: harmless}, "topic": {use: harmless}, "tags": {use: harmless}, "difficulty": {use: harmless}, "subset": {use: harmless},
	"language": {use: harmless}, "lang": {use: harmless}, "model": {use: harmless}, "name": {use: harmless}, "title": {use: harmless},
	"metadata": {use: harmless}, "meta": {use: harmless}, "timestamp": {use: harmless}, "created_at": {use: harmless}, "date": {use: harmless},
	"turn": {use: harmless}, "num_turns": {use: harmless}, "is_classification": {use: harmless}, "parallel_tool_calls": {use: harmless},

	"weight":        {use: refused, neutral: one, why: "records cannot be weighted; leave out those of weight 0, repeat those of a greater weight"},
	"loss_weight":   {use: refused, neutral: one, why: "records cannot be weighted"},
	"sample_weight": {use: refused, neutral: one, why: "records cannot be weighted"},
	"train":         {use: refused, neutral: yes, why: "leave the record out, or write train into messages"},
	"loss_mask":     {use: refused, why: "what the loss counts is said by weight or train in messages, and by data.instruct.loss"},
	"labels":        {use: refused, why: "tokens and labels are made here, from messages"},
	"label":         {use: refused, neutral: yes, why: "records with good and bad answers are for KTO"},
	"chosen":        {use: refused, why: "pairs of answers are for DPO and the like"},
	"rejected":      {use: refused, why: "pairs of answers are for DPO and the like"},
	"functions":     {use: refused, why: "descriptions of functions are not given to the chat template; leave the key out, or write them as tools"},
	"images":        {use: refused, why: "only text is read"},
	"image":         {use: refused, why: "only text is read"},
	"videos":        {use: refused, why: "only text is read"},
	"audios":        {use: refused, why: "only text is read"},
	"chat_template": {use: refused, why: "one template serves all records: set data.instruct.template"},
}

// shareGPT is why a message of from and value is refused that has what chat templates read.
const shareGPT = "only messages of role and content have it; write the conversation so"

// messageKeys are the keys of messages that are known.
var messageKeys = map[string]keyRule{
	"role": {}, "content": {}, "from": {}, "value": {}, "weight": {}, "train": {}, "training": {}, "loss": {},

	"id": {use: harmless}, "message_id": {use: harmless}, "timestamp": {use: harmless}, "created_at": {use: harmless},
	"model": {use: harmless}, "language": {use: harmless}, "lang": {use: harmless}, "metadata": {use: harmless},

	"tool_calls":        {use: given, why: shareGPT},
	"function_call":     {use: refused, why: "no chat template reads it; write it as tool_calls"},
	"tool_call_id":      {use: given, why: shareGPT},
	"name":              {use: given, why: shareGPT},
	"reasoning_content": {use: given, why: shareGPT},
	"reasoning":         {use: given, why: shareGPT},
	"thinking":          {use: given, why: shareGPT},
	"train_detail":      {use: refused, why: "the loss counts a message or it does not"},
	"training_detail":   {use: refused, why: "the loss counts a message or it does not"},
	"loss_scale":        {use: refused, neutral: one, why: "the loss counts a message or it does not"},
	"prefix":            {use: refused, neutral: no, why: "answers are whole"},
	"refusal":           {use: refused, why: "a refusal is learnt as content only"},
	"audio":             {use: refused, why: "only text is read"},
	"images":            {use: refused, why: "only text is read"},
}

var (
	one = []string{"1", "1.0"}
	yes = []string{"true", "1"}
	no  = []string{"false", "0"}
)

// An object is a JSON object of which it is known what has been read.
type object struct {
	place  string // in errors, as messages[2]; "" for a record
	values map[string]json.RawMessage
	read   map[string]bool
}

func newObject(place string, values map[string]json.RawMessage) *object {
	return &object{place, values, make(map[string]bool, len(values))}
}

// get returns the value of a key, nil for none and for null.
func (o *object) get(key string) json.RawMessage {
	o.read[key] = true
	if v := o.values[key]; !bytes.Equal(v, []byte("null")) {
		return v
	}
	return nil
}

// has says whether a key is there, with null too.
func (o *object) has(key string) bool { return o.values[key] != nil }

// name is a key as errors say it.
func (o *object) name(key string) string {
	if o.place == "" {
		return fmt.Sprintf("key %q", key)
	}
	return o.place + "." + key
}

// rest applies the rules to the keys that have not been read, and returns those that no rule knows, sorted.
func (o *object) rest(rules map[string]keyRule) (unread []string, err error) {
	for key := range o.values {
		rule, known := rules[key]
		switch {
		case o.read[key] || known && rule.use == harmless:
		case known && (rule.use == refused || rule.use == given):
			if !rule.says(o.values[key]) {
				continue
			}
			if fault := fmt.Errorf("%s is %s: %s", o.name(key), shorten(o.values[key]), rule.why); err == nil || fault.Error() < err.Error() {
				err = fault
			}
		default:
			unread = append(unread, key)
		}
	}
	slices.Sort(unread)
	return unread, err
}

// unread is rest for an object of a list, with the list's name before the keys.
func (o *object) unread(list string, rules map[string]keyRule) ([]string, error) {
	keys, err := o.rest(rules)
	for i, key := range keys {
		keys[i] = list + "." + key
	}
	return keys, err
}

// says reports whether a value of a refused key changes anything.
func (r keyRule) says(value json.RawMessage) bool {
	text := strings.TrimSpace(string(value))
	return !slices.Contains([]string{"null", `""`, "[]", "{}"}, text) && !slices.Contains(r.neutral, text)
}

func shorten(value json.RawMessage) string {
	const most = 40
	if text := []rune(string(value)); len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(value)
}
