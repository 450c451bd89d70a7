package prefer

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
)

// Sample is two conversations that the loss compares. Of what the assistant says it counts
// the answers alone, not those of the prompt.
type Sample struct {
	First, Second chat.Conversation
	// Label is 1 where First is the chosen and Second the rejected answer. Of a judged
	// answer it is 1 or -1, and Second is the prompt with the answer to another one.
	Label  float32
	Margin float32 // by which the chosen answer is better, where the record says so
	Source string  // "file.jsonl:12"
}

// Kinds of samples.
const (
	Paired = "pairs"      // chosen and rejected
	Judged = "judgements" // an answer with a label
)

// Skipped counts records that teach nothing.
type Skipped struct {
	Same  int `json:"same"`  // chosen and rejected are equal
	Empty int `json:"empty"` // an answer says nothing
}

// judgement is an answer that people like or not.
type judgement struct {
	chat.Conversation
	good bool
}

// errEmpty and errSame are of records that are skipped.
var errEmpty, errSame = errors.New("the answer says nothing"), errors.New("the answers are equal")

// Pairs reads samples of chosen and rejected answers, and counts what it skips.
func Pairs(records iter.Seq2[instruct.Record, error], skipped *Skipped) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		for r, err := range records {
			var s Sample
			if err == nil {
				s, err = readPair(r)
			}
			if skipped.count(err) {
				continue
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// Judgements reads samples of judged answers; the two of a pair are judged good and bad.
// Each is compared with its prompt and the answer of the record before it, of the first
// one with that of the last.
func Judgements(records iter.Seq2[instruct.Record, error], skipped *Skipped) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		var all []judgement
		for r, err := range records {
			var found []judgement
			if err == nil {
				found, err = readJudgements(r)
			}
			if skipped.count(err) {
				continue
			}
			if err != nil {
				yield(Sample{}, err)
				return
			}
			all = append(all, found...)
		}
		for i, j := range all {
			s := Sample{First: j.Conversation, Second: exchange(j, all[(i+len(all)-1)%len(all)]), Label: -1, Source: j.Source}
			if j.good {
				s.Label = 1
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// count tells whether an error is of a record that is skipped.
func (s *Skipped) count(err error) bool {
	switch {
	case errors.Is(err, errSame):
		s.Same++
	case errors.Is(err, errEmpty):
		s.Empty++
	default:
		return false
	}
	return true
}

// exchange is the prompt of j with the answer of other.
func exchange(j, other judgement) chat.Conversation {
	c := j.Conversation
	begin, from := answersAt(c), answersAt(other.Conversation)
	c.Messages = slices.Concat(c.Messages[:begin], other.Messages[from:])
	c.Masked = slices.Concat(c.Masked[:begin], other.Masked[from:])
	c.Unread = nil
	return c
}

// answersAt is the number of messages of the prompt: those before the first answer that
// counts.
func answersAt(c chat.Conversation) int {
	for i, m := range c.Messages {
		if m.Role == chat.Assistant && !c.Masked[i] {
			return i
		}
	}
	return len(c.Messages)
}

// Names of what a record holds; the first is the usual one.
var (
	chosenKeys   = []string{"chosen", "chosen_response", "preferred_output"}
	rejectedKeys = []string{"rejected", "rejected_response", "non_preferred_output"}
	promptKeys   = []string{"prompt", "instruction", "question", "query", "input"}
	answerKeys   = []string{"completion", "response", "answer", "output"}
	labelKeys    = []string{"label", "kto_tag"}
	// besideKeys say nothing that is learnt; messages are the chosen ones once more.
	besideKeys = []string{"messages", "margin", "score_chosen", "score_rejected", "chosen_score", "rejected_score", "chosen_rating", "rejected_rating",
		"chosen_model", "rejected_model", "chosen-rating", "rejected-rating", "chosen-model", "rejected-model"}
)

// record is the keys of a record.
type record struct {
	instruct.Record
	names []string                   // of all keys, sorted
	keys  map[string]json.RawMessage // that have not been taken, without those that are null
}

func open(r instruct.Record) (*record, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(r.JSON, &keys) != nil {
		return nil, fmt.Errorf("%s: the record is no object of chosen and rejected, or of prompt, completion and label", r.Source)
	}
	maps.DeleteFunc(keys, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	return &record{r, slices.Sorted(maps.Keys(keys)), keys}, nil
}

// take returns the value of the first of keys that the record has, and its name.
func (r *record) take(keys []string) (json.RawMessage, string) {
	for _, key := range keys {
		if value := r.keys[key]; value != nil {
			delete(r.keys, key)
			return value, key
		}
	}
	return nil, ""
}

func (r *record) fault(format string, args ...any) error {
	return fmt.Errorf("%s: %w", r.Source, fmt.Errorf(format, args...))
}

// readPair reads a record of chosen and rejected answers.
func readPair(raw instruct.Record) (Sample, error) {
	r, err := open(raw)
	if err != nil {
		return Sample{}, err
	}
	chosen, chosenKey := r.take(chosenKeys)
	rejected, rejectedKey := r.take(rejectedKeys)
	if chosen == nil || rejected == nil {
		return Sample{}, r.fault("the keys %q are no pair: chosen and rejected are needed, beside a prompt or with it (judged answers, with a label, are for recipe.kind kto; conversations for instruct)", r.names)
	}
	s := Sample{Label: 1, Source: r.Source}
	if margin := r.keys["margin"]; margin != nil {
		if json.Unmarshal(margin, &s.Margin) != nil {
			return Sample{}, r.fault("key \"margin\" is %.40s, not a number", margin)
		}
	}
	prompt, err := r.prompt()
	if err != nil {
		return Sample{}, err
	}
	good, err := r.answer(chosenKey, chosen)
	if err != nil {
		return Sample{}, err
	}
	bad, err := r.answer(rejectedKey, rejected)
	if err != nil {
		return Sample{}, err
	}
	if prompt == nil && good.text != "" && bad.text != "" {
		if prompt, err = r.implicit(&good, &bad); err != nil {
			return Sample{}, err
		}
	}
	shared := 0 // messages of both, where they are whole conversations
	if good.whole && bad.whole {
		for shared < len(good.messages) && shared < len(bad.messages) && sameJSON(good.messages[shared], bad.messages[shared]) {
			shared++
		}
		if shared == len(good.messages) && shared == len(bad.messages) {
			return Sample{}, errSame
		}
	}
	if s.First, err = r.conversation(prompt, good, shared, chosenKey); err != nil {
		return Sample{}, err
	}
	if s.Second, err = r.conversation(prompt, bad, shared, rejectedKey); err != nil {
		return Sample{}, err
	}
	if reflect.DeepEqual(s.First.Messages, s.Second.Messages) {
		return Sample{}, errSame
	}
	s.Second.Unread = nil // of the same record
	return s, nil
}

// readJudgements reads a record of a judged answer, or the two of a pair.
func readJudgements(raw instruct.Record) ([]judgement, error) {
	r, err := open(raw)
	if err != nil {
		return nil, err
	}
	label, labelKey := r.take(labelKeys)
	if label == nil && slices.ContainsFunc(chosenKeys, func(key string) bool { return r.keys[key] != nil }) {
		s, err := readPair(raw)
		return []judgement{{s.First, true}, {s.Second, false}}, err
	}
	answer, key := r.take(answerKeys)
	if answer == nil || label == nil {
		return nil, r.fault("the keys %q are no judged answer: prompt, completion and label are needed, or chosen and rejected", r.names)
	}
	good, err := truth(label)
	if err != nil {
		return nil, r.fault("key %q is %w", labelKey, err)
	}
	prompt, err := r.prompt()
	if err != nil {
		return nil, err
	}
	said, err := r.answer(key, answer)
	if err != nil {
		return nil, err
	}
	shared := len(said.messages) - 1 // of a whole conversation the last answer is judged
	c, err := r.conversation(prompt, said, shared, key)
	return []judgement{{c, good}}, err
}

// truth reads a label.
func truth(raw json.RawMessage) (bool, error) {
	switch strings.ToLower(strings.Trim(string(raw), `"`)) {
	case "true", "1", "1.0", "desirable", "good":
		return true, nil
	case "false", "0", "0.0", "-1", "undesirable", "bad":
		return false, nil
	}
	return false, fmt.Errorf("%.40s, neither true nor false", raw)
}

// answer is what a key of an answer holds.
type answer struct {
	messages []json.RawMessage
	whole    bool   // they begin with the prompt
	text     string // where it is a text that is no dialogue
}

// answer reads a text, a message, a list of messages, or a dialogue.
func (r *record) answer(key string, raw json.RawMessage) (answer, error) {
	switch raw[0] {
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return answer{}, r.fault("key %q: %w", key, err)
		}
		if said := dialogue(text); said != nil {
			return answer{messages: said, whole: true}, nil
		}
		return answer{messages: []json.RawMessage{message(chat.Assistant, text)}, text: text}, nil
	case '{':
		return answer{messages: []json.RawMessage{raw}}, nil
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
			return answer{}, r.fault("key %q is an empty list, not an answer", key)
		}
		return answer{messages: list, whole: !says(list[0])}, nil
	}
	return answer{}, r.fault("key %q is %.40s, not an answer: a text or a list of messages", key, raw)
}

// says tells whether a message is the assistant's.
func says(raw json.RawMessage) bool {
	var m struct{ Role, From string }
	if json.Unmarshal(raw, &m) != nil {
		return false
	}
	return slices.Contains([]string{"assistant", "gpt", "model", "bot", "chatgpt"}, strings.ToLower(m.Role+m.From))
}

// prompt reads the messages before an answer, nil for none: a text, a list of messages, a
// dialogue, or an object that has messages.
func (r *record) prompt() ([]json.RawMessage, error) {
	raw, key := r.take(promptKeys)
	if raw == nil {
		return nil, nil
	}
	if raw[0] == '{' {
		var holder struct{ Messages json.RawMessage }
		if json.Unmarshal(raw, &holder) != nil || holder.Messages == nil {
			return nil, r.fault("key %q is an object without messages", key)
		}
		raw = holder.Messages
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if said := dialogue(text); said != nil {
			return said, nil
		}
		return []json.RawMessage{message(chat.User, text)}, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, r.fault("key %q is %.40s, not a prompt: a text or a list of messages", key, raw)
	}
	return list, nil
}

// implicit takes the words that two texts begin with for the prompt, as TRL does.
func (r *record) implicit(good, bad *answer) ([]json.RawMessage, error) {
	n := 0
	for n < len(good.text) && n < len(bad.text) && good.text[n] == bad.text[n] {
		n++
	}
	if n == len(good.text) && n == len(bad.text) {
		return nil, errSame
	}
	n = strings.LastIndexAny(good.text[:n], " \n\t") + 1
	if strings.TrimSpace(good.text[:n]) == "" {
		return nil, r.fault("there is no key \"prompt\", and chosen and rejected do not begin with one that they share")
	}
	prompt := message(chat.User, strings.TrimSpace(good.text[:n]))
	good.messages[0], bad.messages[0] = message(chat.Assistant, good.text[n:]), message(chat.Assistant, bad.text[n:])
	return []json.RawMessage{prompt}, nil
}

// Speakers of Anthropic's dialogues.
const human, assistant = "\n\nHuman:", "\n\nAssistant:"

// dialogue returns the messages of a text that begins with a speaker of Anthropic's, nil of
// another one. An answer that is still to be given is none.
func dialogue(text string) []json.RawMessage {
	text = "\n\n" + strings.TrimLeft(text, "\n ")
	if !strings.HasPrefix(text, human) && !strings.HasPrefix(text, assistant) {
		return nil
	}
	all := []json.RawMessage{}
	for text != "" {
		role, rest := chat.User, strings.TrimPrefix(text, human)
		if strings.HasPrefix(text, assistant) {
			role, rest = chat.Assistant, strings.TrimPrefix(text, assistant)
		}
		end := len(rest)
		for _, mark := range []string{human, assistant} {
			if at := strings.Index(rest, mark); at >= 0 {
				end = min(end, at)
			}
		}
		said := strings.TrimSpace(rest[:end])
		if text = rest[end:]; said != "" || role == chat.User || text != "" {
			all = append(all, message(role, said))
		}
	}
	return all
}

func message(role, content string) json.RawMessage {
	raw, _ := json.Marshal(map[string]string{"role": role, "content": content}) // of texts: no error
	return raw
}

// conversation puts prompt and answer together, of which shared messages of a whole
// conversation are the prompt, and reads that as instruction tuning does: the keys beside
// them mean the same.
func (r *record) conversation(prompt []json.RawMessage, a answer, shared int, key string) (chat.Conversation, error) {
	fault := func(err error) (chat.Conversation, error) { return chat.Conversation{}, err }
	messages, said := a.messages, len(a.messages)-shared
	if !a.whole {
		if prompt == nil {
			return fault(r.fault("there is no key \"prompt\" beside %q, which holds no prompt either", key))
		}
		messages, said = slices.Concat(prompt, a.messages), len(a.messages)
	}
	if said <= 0 { // the other goes on where this one ends
		return fault(errEmpty)
	}
	if !says(messages[len(messages)-1]) {
		return fault(r.fault("key %q does not end with an answer of the assistant", key))
	}
	keys := map[string]json.RawMessage{}
	for name, value := range r.keys {
		if !slices.Contains(besideKeys, name) {
			keys[name] = value
		}
	}
	var err error
	if keys["messages"], err = json.Marshal(messages); err != nil {
		return fault(r.fault("key %q: %w", key, err))
	}
	whole, err := json.Marshal(keys)
	if err != nil {
		return fault(r.fault("%w", err))
	}
	all, err := instruct.Record{Source: r.Source, JSON: whole}.Conversations()
	if err != nil {
		return fault(err)
	}
	if len(all) != 1 {
		return fault(r.fault("key %q holds %d conversations", key, len(all)))
	}
	c := all[0]
	answers := 0
	for _, m := range messages {
		if says(m) {
			answers++
		}
	}
	for _, m := range c.Messages {
		if m.Role == chat.Assistant {
			answers--
		}
	}
	begin := len(c.Messages) - said
	if answers > 0 || begin < 0 || c.Messages[len(c.Messages)-1].Empty() {
		return fault(errEmpty)
	}
	if begin == 0 {
		return fault(r.fault("key %q is an answer to nothing: a prompt is needed before it", key))
	}
	for i, m := range c.Messages[:begin] {
		c.Masked[i] = m.Role == chat.Assistant
	}
	return c, nil
}

// sameJSON tells whether two messages are equal.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
