package prompts_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/prompts"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good.jsonl", "{\"ask\": \"1+1=\", \"answer\": 2}\n\n{\"ask\": \"2+2=\", \"answer\": \"4\"}\n")
	all, err := prompts.Read([]string{good, good}, "", "ask")
	if err != nil || len(all) != 4 {
		t.Fatalf("%d prompts, %v", len(all), err)
	}
	if p := all[1]; p.Text != "2+2=" || p.Origin.Offset != 3 || fmt.Sprint(all[0].Record["answer"]) != "2" {
		t.Errorf("%+v", p)
	}
	for text, want := range map[string]string{
		"{\"ask\": \"a\"}\n{\"prompt\": \"b\"}\n": "bad.jsonl:2: the record has no key \"ask\" (set data.text_key)",
		"[1]\n":          "bad.jsonl:1: a line that is no JSON object",
		"{\"ask\": 3}\n": "bad.jsonl:1: key \"ask\" is no text: 3",
	} {
		if _, err := prompts.Read([]string{file("bad.jsonl", text)}, "", "ask"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	held := 0
	for i := range 1000 {
		if (prompts.Prompt{Text: fmt.Sprint(i)}).HeldOut(0.25) {
			held++
		}
	}
	if held < 200 || held > 300 {
		t.Errorf("%d of 1000 are held out, want a quarter", held)
	}
}
