package prompts_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/prompts"
)

// TestFaultsOfFiles: what is said of files that are no prompts, to the letter; a line may be as
// long as the bound, in the encoding that is told.
func TestFaultsOfFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.jsonl")
	read := func(content []byte, encoding string) ([]prompts.Prompt, string) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		all, err := prompts.Read([]string{path}, encoding, "ask")
		if open, _ := os.ReadDir("/proc/self/fd"); err != nil || len(all) > 0 {
			for _, f := range open {
				if name, _ := os.Readlink("/proc/self/fd/" + f.Name()); name == path {
					t.Error("the file stays open")
				}
			}
		}
		return all, fmt.Sprint(err)
	}
	const more = ": a line of more than 16 MiB, the most that is read at once (is the file JSON Lines?)"
	line := func(n int) []byte { return []byte(`{"ask":"` + strings.Repeat("a", n-10) + `"}`) }
	for _, c := range []struct {
		content []byte
		want    string
	}{
		{[]byte("null\n"), path + `:1: a line that is no JSON object: "null" (write one object a line)`},
		{[]byte("\n[" + strings.Repeat("1", 70) + "]"), path + `:2: a line that is no JSON object: "[` + strings.Repeat("1", 59) + `" (write one object a line)`},
		{[]byte(`{"prompt": 1}`), path + `:1: the record has no key "ask" (set data.text_key)`},
		{[]byte(`{"ask": ["` + strings.Repeat("x", 70) + `"]}`), path + `:1: key "ask" is no text: [` + strings.Repeat("x", 60) + "]"},
		{line(16<<20 + 1), path + more},
		{bytes.Repeat([]byte("\x00\xff"), 300), ""},
	} {
		if all, err := read(c.content, ""); c.want != "" && err != c.want || err == "<nil>" || len(all) > 0 {
			t.Errorf("%.80q: %d prompts, %s; want %s", c.content, len(all), err, c.want)
		}
	}
	if all, err := read(line(16<<20-1), ""); err != "<nil>" || len(all) != 1 || len(all[0].Text) != 16<<20-11 || all[0].Origin.Offset != 1 || all[0].Origin.File != path {
		t.Errorf("the longest line: %d prompts, %s", len(all), err)
	}
	if all, err := read([]byte("{\"ask\":\"gr\xfcn\"}"), "latin1"); err != "<nil>" || len(all) != 1 || all[0].Text != "grün" {
		t.Errorf("Latin-1: %+v, %s", all, err)
	}
	if _, err := prompts.Read([]string{path + ".gone"}, "", "ask"); err == nil || !strings.Contains(err.Error(), path+".gone") {
		t.Errorf("a file that is not there: %v", err)
	}
	if p := (prompts.Prompt{}); p.HeldOut(0) || !p.HeldOut(1) {
		t.Error("none and all are held out at 0 and 1")
	}
}
