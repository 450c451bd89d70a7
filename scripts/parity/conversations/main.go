// Command conversations encodes conversations, for conversations.py to compare.
//
// Each line of standard input is {"tokenizer": FILE, "template": "…", "bos": "…", "eos": "…", "conversations": [[{"role", "content"}, …], …]}
// and gets a line with, for each conversation, {"ids": […], "counted": […]} or {"error": "…"}: the tokens of all of it, and
// which of them the loss counts, as far as the last of those.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/tokenizers"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conversations:", err)
		os.Exit(1)
	}
}

type question struct {
	Tokenizer, Template, BOS, EOS string
	Conversations                 [][]chat.Message
}

type answer struct {
	IDs     []int32 `json:"ids"`
	Counted []bool  `json:"counted"`
	Error   string  `json:"error,omitempty"`
}

func run(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	w := bufio.NewWriter(out)
	encoder := json.NewEncoder(w)
	for {
		var q question
		if err := decoder.Decode(&q); errors.Is(err, io.EOF) {
			return w.Flush()
		} else if err != nil {
			return err
		}
		answers, err := q.answer()
		if err != nil {
			return err
		}
		if err := encoder.Encode(answers); err != nil {
			return err
		}
	}
}

func (q question) answer() ([]answer, error) {
	tokens, err := tokenizers.Load(q.Tokenizer)
	if err != nil {
		return nil, err
	}
	template, err := chat.Parse("template", q.Template)
	if err != nil {
		return nil, err
	}
	e := instruct.NewEncoder(tokens, template, chat.Vars{BOS: q.BOS, EOS: q.EOS})
	answers := make([]answer, len(q.Conversations))
	for i, messages := range q.Conversations {
		a := &answers[i]
		whole, err := e.Example(chat.Conversation{Messages: messages}, instruct.LossAll)
		if err == nil {
			var learnt instruct.Example
			learnt, err = e.Example(chat.Conversation{Messages: messages}, instruct.LossAssistant)
			a.IDs, a.Counted = whole.Tokens, learnt.Counted
		}
		if err != nil {
			a.Error = err.Error()
		}
	}
	return answers, nil
}
