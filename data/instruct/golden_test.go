package instruct

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/tokenizers"
)

// conversed is a tokenizer and what transformers makes of conversations with it; see scripts/parity/conversations.py.
type conversed struct {
	Kind      string
	Tokenizer json.RawMessage
	Results   []struct {
		Template string
		Messages []chat.Message
		IDs      []int32
		Mask     []int // nil where the template marks no answers, or tokenizers does not know where tokens stand
	}
}

// The tokens of conversations are those of apply_chat_template, those that count are its assistant masks, also for tokenizers
// that read a text cut at the borders of answers in another way.
func TestConversationsAsTransformersDoes(t *testing.T) {
	file, err := os.Open("testdata/conversations.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []conversed
	if err := json.NewDecoder(text).Decode(&all); err != nil {
		t.Fatal(err)
	}
	masks, refused := 0, 0
	for number, g := range all {
		tokens, err := tokenizers.Read(bytes.NewReader(g.Tokenizer), "tokenizer.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range g.Results {
			template, err := chat.Parse("t", r.Template)
			if err != nil {
				t.Fatal(err)
			}
			e := NewEncoder(tokens, template, chat.Vars{BOS: "<s>", EOS: "</s>"})
			c := chat.Conversation{Messages: r.Messages}
			whole, err := e.Example(c, LossAll)
			if err != nil {
				if !strings.Contains(err.Error(), "the tokenizer drops") || !template.Marked() {
					t.Errorf("%d %s: %q: %v", number, g.Kind, r.Template, err)
				}
				refused++
				continue
			}
			if !slices.Equal(whole.Tokens, r.IDs) {
				t.Errorf("%d %s: %q: %v\n got %v\nwant %v", number, g.Kind, r.Template, r.Messages, whole.Tokens, r.IDs)
			}
			if r.Mask == nil {
				continue
			}
			masks++
			learnt, err := e.Example(c, LossAssistant)
			if err != nil {
				t.Errorf("%d %s: %q: %v", number, g.Kind, r.Template, err)
			}
			mask := make([]int, len(r.Mask))
			for i, counts := range learnt.Counted {
				if counts {
					mask[i] = 1
				}
			}
			if !slices.Equal(mask, r.Mask) {
				t.Errorf("%d %s: %q: %v\n got %v\nwant %v", number, g.Kind, r.Template, r.Messages, mask, r.Mask)
			}
		}
	}
	if masks < 20 || refused > 12 {
		t.Errorf("%d masks were compared, %d conversations refused", masks, refused)
	}
}

// A generation block whose first or last character has no token is refused: transformers learns other parts then.
func TestDroppedBorders(t *testing.T) {
	document := `{"added_tokens": [{"id": 0, "content": "</s>", "special": true}], "normalizer": {"type": "Replace", "pattern": {"String": "~"}, "content": ""},
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}, "post_processor": null, "decoder": {"type": "ByteLevel"},
		"model": {"type": "BPE", "vocab": {"</s>": 0, "a": 1, "b": 2, ":": 3, "X": 4}, "merges": []}}`
	tokens, err := tokenizers.Read(strings.NewReader(document), "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Parse("t", "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}:{% else %}{% generation %}{{ m.content }}{% endgeneration %}{{ eos_token }}{% endif %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	e := NewEncoder(tokens, template, chat.Vars{EOS: "</s>"})
	for _, tt := range []struct{ answer, want string }{
		{"b~b", ""}, {"~b", `drops "~", with which a generation block of the chat template begins`}, {"b~", `drops "~", with which a generation block of the chat template ends`},
	} {
		x, err := e.Example(chat.Conversation{Source: "f:1", Messages: []chat.Message{{Role: chat.User, Content: "a"}, {Role: chat.Assistant, Content: tt.answer}}}, LossAssistant)
		switch {
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "f:1: ")):
			t.Errorf("%q: %v", tt.answer, err)
		case tt.want == "" && (err != nil || !slices.Equal(x.Tokens, []int32{1, 3, 2, 2}) || !slices.Equal(x.Counted, []bool{false, false, true, true})):
			t.Errorf("%q: %v %v %v", tt.answer, x.Tokens, x.Counted, err)
		}
	}
}
