// Command tokenize encodes and decodes strings, for tokenizer.py to compare.
//
//	tokenize TOKENIZER < IN > OUT    IN: {"texts": [base64, …], "ids": [[1, 2], …]}
//	tokenize TOKENIZER json FILE     writes the tokenizer as FILE, a tokenizer.json
//
// OUT has "ids" of each text, "special", the same with special tokens recognised, "spans", the bytes that each of those stands
// for, and "texts" of each list of ids in base64, and "seconds", of encoding without them.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tokenize:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 && (len(args) != 3 || args[1] != "json") {
		return errors.New("usage: tokenize TOKENIZER [json FILE]")
	}
	t, err := tokenizers.Load(args[0])
	if err != nil {
		return err
	}
	if len(args) == 3 {
		return os.WriteFile(args[2], t.AppendJSON(nil), 0o666)
	}
	return compute(t)
}

// compute answers standard input.
func compute(t data.Tokenizer) error {
	var in struct {
		Texts [][]byte
		IDs   [][]int32
	}
	if err := json.NewDecoder(bufio.NewReader(os.Stdin)).Decode(&in); err != nil {
		return err
	}
	var out struct {
		Seconds float64    `json:"seconds"`
		IDs     [][]int32  `json:"ids"`
		Special [][]int32  `json:"special"`
		Spans   [][][2]int `json:"spans"`
		Texts   [][]byte   `json:"texts"`
		Before  []int32    `json:"before"` // of the frame
		After   []int32    `json:"after"`
	}
	out.Before, out.After = append([]int32{}, t.Frame().Before...), append([]int32{}, t.Frame().After...)
	out.IDs = make([][]int32, len(in.Texts))
	start := time.Now()
	for i, text := range in.Texts {
		out.IDs[i] = t.AppendEncode([]int32{}, text)
	}
	out.Seconds = time.Since(start).Seconds()
	for _, text := range in.Texts {
		special := t.AppendEncodeSpecial([]int32{}, text)
		out.Special = append(out.Special, special)
		ids, spans := t.EncodeSpans(text, nil)
		if !slices.Equal(ids, special) {
			return fmt.Errorf("%q: EncodeSpans gives %v, AppendEncodeSpecial %v", text, ids, special)
		}
		pairs := [][2]int{}
		for _, s := range spans {
			pairs = append(pairs, [2]int{s.Begin, s.End})
		}
		out.Spans = append(out.Spans, pairs)
	}
	for _, ids := range in.IDs {
		out.Texts = append(out.Texts, t.AppendDecode([]byte{}, ids))
	}
	w := bufio.NewWriter(os.Stdout)
	if err := json.NewEncoder(w).Encode(out); err != nil {
		return err
	}
	return w.Flush()
}
