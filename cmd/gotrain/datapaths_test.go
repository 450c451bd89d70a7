package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPathsOfSeveralFormats: files of one format are one set of data, of several they are sources, which the configuration's
// own give way to.
func TestPathsOfSeveralFormats(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("tables", 0o777); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("rays of light, of which the most refrangible are blue. ", 60)
	write(t, filepath.Join("tables", "a.csv"), "id,text\n1,\""+text+"\"\n2,\""+text+"\"\n")
	write(t, filepath.Join("tables", "b.csv"), "id,text\n3,\""+strings.ToUpper(text)+"\"\n")
	write(t, "book.txt", text+text)
	config := write(t, "c.yaml", strings.ReplaceAll(`
run: {dir: run}
model: {family: gpt2, layers: 1, heads: 2, width: 16, context: 16}
tokenizer: {kind: bytes}
data: {cache_dir: cache, sources: [{train: [none.txt]}]}
train: {steps: 2, batch: 4, sample: ""}
`, "DIR", "."))
	for _, test := range []struct {
		paths []string
		want  string
	}{
		{[]string{"tables"}, "shards     9903 training tokens"},
		{[]string{"tables/a.csv", "book.txt"}, "source     a: "},
		{[]string{"book.txt", "tables"}, "source     tables: "},
	} {
		o := gotrain(t, "", append([]string{"pretrain", "--config", config, "--resume", "none"}, test.paths...)...)
		if o.code != 0 || !strings.Contains(o.errOut, test.want) {
			t.Errorf("%q: exit code %d, want %q\n%s", test.paths, o.code, test.want, o.errOut)
		}
	}
	if o := gotrain(t, "", "pretrain", "--config", config, "tables", "--set", "data.text_key=body"); o.code != 2 || !strings.Contains(o.errOut, `no column "body" (set data.text_key to one of "id", "text")`) {
		t.Errorf("another key: exit code %d\n%s", o.code, o.errOut)
	}
}
