// Command regex cuts texts at the matches of expressions, for onig.py to compare.
//
// Each line of standard input is {"pattern": "…", "texts": ["…", …]}, and gets a line: {"ends": [[3, -5], …]}, for each text
// the ends of its pieces in bytes, negative for what lies between matches, or {"error": "…"}.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/gotrain/data/onig"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "regex:", err)
		os.Exit(1)
	}
}

type answer struct {
	Ends  [][]int `json:"ends"`
	Error string  `json:"error,omitempty"`
}

func run(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	w := bufio.NewWriter(out)
	encoder := json.NewEncoder(w)
	for {
		var question struct {
			Pattern string
			Texts   []string
		}
		if err := decoder.Decode(&question); errors.Is(err, io.EOF) {
			return w.Flush()
		} else if err != nil {
			return err
		}
		var a answer
		re, err := onig.Compile(question.Pattern)
		if err != nil {
			a.Error = err.Error()
		} else {
			for _, text := range question.Texts {
				a.Ends = append(a.Ends, ends(re, text))
			}
		}
		if err := encoder.Encode(a); err != nil {
			return err
		}
	}
}

func ends(re *onig.Regex, text string) []int {
	out := []int{}
	done := 0
	for _, m := range re.FindAll([]byte(text)) {
		if m[0] > done {
			out = append(out, -m[0])
		}
		if m[1] > m[0] {
			out = append(out, m[1])
		}
		done = m[1]
	}
	if done < len(text) {
		out = append(out, -len(text))
	}
	return out
}
