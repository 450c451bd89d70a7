// Templates renders chat templates for scripts/parity/templates.sh: it reads JSON Lines {"template", "vars"} from standard
// input and writes a line {"text", "spans"} or {"kind", "line", "error"} for each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
	"unicode/utf8"

	"example.com/gotrain/data/chat/jinja"
)

type task struct {
	Template string
	Vars     json.RawMessage
}

type answer struct {
	Text  *string  `json:"text,omitempty"`
	Spans [][2]int `json:"spans,omitempty"` // in characters
	Kind  string   `json:"kind,omitempty"`
	Line  int      `json:"line,omitempty"`
	Error string   `json:"error,omitempty"`
}

func main() {
	in := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.More() {
		var t task
		if err := in.Decode(&t); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		a, err := render(t)
		if err != nil {
			a = answer{Kind: "unknown", Error: err.Error()}
			var fault *jinja.Error
			if errors.As(err, &fault) {
				a.Kind, a.Line = fault.Kind.String(), fault.Line
			}
		}
		if err := encoder.Encode(a); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func render(t task) (answer, error) {
	v, err := jinja.FromJSON(t.Vars)
	if err != nil {
		return answer{}, err
	}
	template, err := jinja.Parse(t.Template)
	if err != nil {
		return answer{}, err
	}
	variables := map[string]jinja.Value{}
	vars := v.(*jinja.Dict)
	for _, key := range vars.Keys() {
		name := key.(string)
		variables[name], _ = vars.Get(name)
	}
	// The clock of the reference stands still at the same time.
	now := func() time.Time { return time.Date(2024, 7, 6, 9, 5, 7, 89_000, time.UTC) }
	r, err := template.Render(context.Background(), variables, jinja.Options{Limits: jinja.Limits{Work: 50_000_000, Memory: 256 << 20}, Now: now})
	if err != nil {
		return answer{}, err
	}
	a := answer{Text: &r.Text}
	for _, s := range r.Spans {
		begin := utf8.RuneCountInString(r.Text[:s.Begin])
		a.Spans = append(a.Spans, [2]int{begin, begin + utf8.RuneCountInString(s.Text)})
	}
	return a, nil
}
