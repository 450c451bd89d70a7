package instruct

import (
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data/chat"
)

// Unread is a key of records that is not read.
type Unread struct {
	Key     string `json:"key"`     // as "messages[].mood"
	First   string `json:"first"`   // the first record that has it, "file.jsonl:12"
	Records int    `json:"records"` // how many have it
}

// String says which key it is, how many records have it and where the first is.
func (u Unread) String() string {
	if u.Records == 1 {
		return fmt.Sprintf("%s (%s)", u.Key, u.First)
	}
	return fmt.Sprintf("%s (%d records, first %s)", u.Key, u.Records, u.First)
}

// MergeUnread returns the keys of two sets, sorted, with the first record of a where both have a key.
func MergeUnread(a, b []Unread) []Unread {
	merged := slices.Clone(a)
	for _, u := range b {
		i, found := slices.BinarySearchFunc(merged, u.Key, func(u Unread, key string) int { return strings.Compare(u.Key, key) })
		if found {
			merged[i].Records += u.Records
			continue
		}
		merged = slices.Insert(merged, i, u)
	}
	return merged
}

// ListUnread names the first few keys.
func ListUnread(keys []Unread) string {
	const most = 20
	var names []string
	for i, u := range keys {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(keys)-most))
			break
		}
		names = append(names, u.String())
	}
	return "keys " + strings.Join(names, ", ")
}

// note counts keys that are not read and answers that say nothing.
func (b *builder) note(c chat.Conversation) {
	if c.Source != b.source || c.Source == "" {
		b.source, b.noted = c.Source, nil
	}
	for _, key := range c.Unread {
		if slices.Contains(b.noted, key) || b.enc.sees(c, key) {
			continue
		}
		b.noted = append(b.noted, key)
		u, known := b.unread[key]
		if !known {
			u = Unread{Key: key, First: c.Source}
		}
		u.Records++
		b.unread[key] = u
	}
	b.set.stats.EmptyAnswers += c.Silent
}

// sees says whether the chat template reads a key of messages that is not known here.
func (e *Encoder) sees(c chat.Conversation, key string) bool {
	_, name, inMessage := strings.Cut(key, "[].")
	if !inMessage || !e.template.Reads(name) {
		return false
	}
	return slices.ContainsFunc(c.Messages, func(m chat.Message) bool {
		if m.Fields == nil {
			return false
		}
		_, ok := m.Fields.Get(name)
		return ok
	})
}
