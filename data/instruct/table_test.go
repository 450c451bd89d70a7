package instruct

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadTable: the rows of a table are records with the columns as keys.
func TestReadTable(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"pairs.csv":    {"prompt,completion\n\"Hi,\nthere\",Hello\nBye,\"See \"\"you\"\"\"\n", `[user "Hi,\nthere" assistant "Hello"] [user "Bye" assistant "See \"you\""]`},
		"alpaca.tsv":   {"instruction\tinput\toutput\nAdd\t1 2\t3\nSay hi\t\thi\n", `[user "Add\n\n1 2" assistant "3"] [user "Say hi" assistant "hi"]`},
		"pandas.csv":   {",question,answer,weight\n0,a,b,1\n1,c,d,\n2,e,f,0\n", `[user "a" assistant "b"] [user "c" assistant "d"] [user "e" assistant "f"]`},
		"messages.csv": {"id,messages\n7,\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"a\"\"},{\"\"role\"\":\"\"assistant\"\",\"\"content\"\":\"\"b\"\"}]\"\n", `[user "a" assistant "b"]`},
		"semi.csv":     {"system;user;assistant\nBe kind;a, b;c\n", `[system "Be kind" user "a, b" assistant "c"]`},
	} {
		got, err := talksOf(t, name, test.content)
		if err != nil || got != test.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, test.want)
		}
	}
	for name, test := range map[string]struct{ content, want string }{
		"ragged.csv":  {"prompt,completion\na,b,c\n", "ragged.csv:2: 3 values, the first row has 2"},
		"shape.csv":   {"text,label\na,b\n", `shape.csv:2:`},
		"columns.csv": {"prompt,prompt\na,b\n", `two columns are called "prompt"`},
		"weight.csv":  {"prompt,completion,weight\n\"a\nb\",b,1\nc,d,0.5\n", "weight.csv:4:"},
		"refused.csv": {"prompt,chosen,rejected\na,b,c\n", `refused.csv:2: key "chosen"`},
	} {
		if _, err := talksOf(t, name, test.content); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// talksOf writes a file and reads it.
func talksOf(t *testing.T, name, content string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	var all []string
	for c, err := range Read([]string{path}, "") {
		if err != nil {
			return "", err
		}
		var talk []string
		for _, m := range c.Messages {
			m.Said(func(s string) { talk = append(talk, fmt.Sprintf("%s %q", m.Role, s)) })
		}
		all = append(all, "["+strings.Join(talk, " ")+"]")
	}
	return strings.Join(all, " "), nil
}
