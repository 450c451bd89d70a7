package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/chat"
)

const twoTalks = `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello there"}]}
{"messages":[{"role":"user","content":"Bye"},{"role":"assistant","content":"See you"}]}
`

// exampleReport is what data inspect shows of a conversation.
type exampleReport struct {
	Template string
	Stats    struct{ Examples int }
	Tokens   []int32
	Texts    []string
	Counted  []bool
}

// TestInspectConversations shows a file of conversations without a configuration, with bytes for tokens and as a model
// reads it.
func TestInspectConversations(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "talks.jsonl"), twoTalks)
	var r exampleReport
	mustJSON(t, &r, "data", "inspect", file, "--template", "plain", "--sample", "1")
	if r.Stats.Examples != 2 || r.Template != "plain" || len(r.Texts) != len(r.Tokens) || len(r.Counted) != len(r.Tokens) {
		t.Fatalf("got %+v", r)
	}
	var all, counted strings.Builder
	for i, text := range r.Texts {
		all.WriteString(text)
		if r.Counted[i] {
			counted.WriteString(text)
		}
	}
	if !strings.Contains(all.String(), "Bye") || strings.Contains(counted.String(), "Bye") || !strings.Contains(counted.String(), "See you") {
		t.Errorf("of %q the loss counts %q", all.String(), counted.String())
	}
	lines := must(t, "data", "inspect", file, "--template", "plain")
	if !strings.Contains(lines, "trained") || !strings.Contains(lines, file+":1") {
		t.Errorf("got %s", lines)
	}

	must(t, "pretrain", "--config", writeConfig(t, dir), "--set", "train.steps=2", "--set", "train.save_every=2", "--set", "train.eval_every=2")
	run := filepath.Join(dir, "run")
	var asModel exampleReport
	mustJSON(t, &asModel, "data", "inspect", file, "--model", run, "--template", "plain", "--sample", "1")
	if strings.Join(asModel.Texts, "") != all.String() || asModel.Stats.Examples != 2 {
		t.Errorf("as a model reads it: %+v", asModel)
	}
	for _, wrong := range []struct{ args, want string }{
		{file, "--model, or a chat template"},
		{file + " --config x.yaml", "either --config or files"},
		{"--template plain", "go with a FILE"},
		{file + " --template plain --sample 2", "there are examples 0 to 1"},
		{file + " --model " + dir + "/none", "--model"},
	} {
		got := gotrain(t, "", append([]string{"data", "inspect"}, strings.Fields(wrong.args)...)...)
		if got.code != 2 || !strings.Contains(got.errOut, wrong.want) {
			t.Errorf("%s: exit code %d, %s", wrong.args, got.code, got.errOut)
		}
	}
	bad := write(t, filepath.Join(dir, "bad.jsonl"), twoTalks+"{}\n")
	if got := gotrain(t, "", "data", "inspect", bad, "--template", "plain"); got.code != 1 || !strings.Contains(got.errOut, "bad.jsonl:3") {
		t.Errorf("a bad line: exit code %d, %s", got.code, got.errOut)
	}
}

// TestGodoc makes conversations of a small GOROOT.
func TestGodoc(t *testing.T) {
	root, out := t.TempDir(), filepath.Join(t.TempDir(), "godoc.jsonl")
	for name, text := range map[string]string{
		"src/tea/tea.go":          "// Package tea brews tea, as its name says.\npackage tea\n\n// Brew makes a pot of tea for everyone <&>.\nfunc Brew() {}\n\n// No.\nfunc Short() {}\n",
		"src/tea/tea_test.go":     "package tea\n\n// Tested is not documentation for anyone.\nfunc Tested() {}\n",
		"src/tea/gen.go":          "// Package main generates tea in a hurry.\npackage main\n",
		"src/tea/internal/x/x.go": "// Package x is nobody's business but tea's.\npackage x\n",
		"src/cup/cup.go":          "// Package cup holds what package tea brews.\npackage cup\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	t.Setenv("GOROOT", root)
	if said := must(t, "data", "godoc", "--out", out, "--packages", "t*"); !strings.HasPrefix(said, "6 conversations") {
		t.Errorf("it says %q", said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var record struct{ Messages []chat.Message }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		m := record.Messages
		if len(m) != 2 || m[0].Role != chat.User || m[1].Role != chat.Assistant || !strings.Contains(m[0].Content, "tea") {
			t.Errorf("conversation %+v", m)
		}
		answers[m[1].Content]++
	}
	if len(answers) != 2 || answers["Package tea brews tea, as its name says."] != 3 || answers["Brew makes a pot of tea for everyone <&>."] != 3 {
		t.Errorf("answers %v", answers)
	}
	if got := gotrain(t, "", "data", "godoc", "--out", out, "--packages", "milk"); got.code != 1 || !strings.Contains(got.errOut, `matches "milk"`) {
		t.Errorf("no package: exit code %d, %s", got.code, got.errOut)
	}
	if again, err := os.ReadFile(out); err != nil || string(again) != string(text) {
		t.Errorf("a failed run changed the file: %v", err)
	}
}
