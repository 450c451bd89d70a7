//go:build ignore

// Reads a JSON array of strings from standard input, encodes each with the
// tokenizer, and prints the seconds that it took and then the ids of each string, one line a string.
//
//	go run scripts/encode_strings.go TOKENIZER [special]     with special tokens recognised
//	go run scripts/encode_strings.go TOKENIZER json OUT      writes it as tokenizer.json
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"gotrain/train"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	t, err := train.LoadTokenizer(args[0])
	if err != nil {
		return err
	}
	if len(args) == 3 {
		return os.WriteFile(args[2], t.AppendJSON(nil), 0o644)
	}
	var texts []string
	if err := json.NewDecoder(bufio.NewReader(os.Stdin)).Decode(&texts); err != nil {
		return err
	}
	encode := t.AppendEncode
	if len(args) > 1 {
		encode = func(dst []int32, text []byte) []int32 { return t.AppendEncodeSpecial(dst, text) }
	}
	ids := make([][]int32, len(texts))
	start := time.Now()
	for i, text := range texts {
		ids[i] = encode(nil, []byte(text))
	}
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, time.Since(start).Seconds())
	for _, list := range ids {
		var line []byte
		for _, id := range list {
			line = append(strconv.AppendInt(line, int64(id), 10), ' ')
		}
		out.Write(append(line, '\n'))
	}
	return out.Flush()
}
