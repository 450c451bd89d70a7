package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/train/eval"
)

// TestChat talks to a model that knows nothing: what counts is the frame.
func TestChat(t *testing.T) {
	dir := t.TempDir()
	must(t, "pretrain", "--config", writeConfig(t, dir), "--set", "train.steps=2", "--set", "model.context=96", "--set", "train.save_every=2", "--set", "train.eval_every=2")
	runDir := filepath.Join(dir, "run")
	args := []string{"chat", "--model", runDir, "--template", "plain", "--max-tokens", "5", "--greedy"}
	r := gotrain(t, "hello\n/what\n/system Be brief.\nhello\n/reset\nagain\n/quit\nnever\n", append(args, "--json")...)
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.errOut)
	}
	var talk chatResult
	if err := json.Unmarshal([]byte(r.out), &talk); err != nil {
		t.Fatal(err)
	}
	turns := talk.Turns
	if len(turns) != 3 || turns[0].User != "hello" || turns[2].User != "again" || turns[0].Tokens == 0 || turns[0].Tokens > 5 {
		t.Errorf("got %+v", turns)
	}
	for _, want := range []string{"/what is no command", "a new conversation"} {
		if !strings.Contains(r.errOut, want) {
			t.Errorf("standard error %q lacks %q", r.errOut, want)
		}
	}
	// Commands of a conversation.
	file := filepath.Join(dir, "said.jsonl")
	r = gotrain(t, "hello\n/retry\n/set temperature 0.9\n/set greedy false\n/retry\n/set\n/set top-k many\n/set tempo 3\n/save "+file+"\n/save "+file+"\n/help\n/save\n", append(args, "--json")...)
	for _, want := range []string{"greedy: the same answer", "temperature        0.9", "many", "there is no setting tempo", "saved to " + file, "/retry ", "wants the name"} {
		if r.code != 0 || !strings.Contains(r.errOut, want) {
			t.Errorf("exit code %d, standard error %q lacks %q", r.code, r.errOut, want)
		}
	}
	talk = chatResult{}
	if err := json.Unmarshal([]byte(r.out), &talk); err != nil || len(talk.Turns) != 3 || talk.Turns[0].Text != talk.Turns[1].Text || talk.Turns[2].Text == talk.Turns[1].Text {
		t.Errorf("%v, turns %+v", err, talk.Turns)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	saved := strings.Split(strings.TrimSpace(string(text)), "\n")
	var record struct {
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal([]byte(saved[0]), &record); err != nil || len(saved) != 2 || len(record.Messages) != 2 || record.Messages[1].Content != talk.Turns[2].Text {
		t.Errorf("%v, saved %q", err, saved)
	}
	if r := gotrain(t, "/retry\n", args...); r.code != 0 || !strings.Contains(r.errOut, "no answer yet") {
		t.Errorf("exit code %d, standard error %q", r.code, r.errOut)
	}
	// A conversation that outgrows the context loses its oldest turns, a message that does not fit is refused.
	r = gotrain(t, strings.Repeat("How are you?\n", 6), args...)
	if r.code != 0 || !strings.Contains(r.errOut, "forgotten") {
		t.Errorf("exit code %d, standard error %q", r.code, r.errOut)
	}
	r = gotrain(t, strings.Repeat("long ", 40)+"\n", args...)
	if r.code != 1 || !strings.Contains(r.errOut, "say less") {
		t.Errorf("exit code %d, standard error %q", r.code, r.errOut)
	}
	if r := gotrain(t, "", "chat", "--model", runDir); r.code != 2 || !strings.Contains(r.errOut, "name one with --template") {
		t.Errorf("without a template: exit code %d, standard error %q", r.code, r.errOut)
	}
}

// TestTask asks questions of both kinds.
func TestTask(t *testing.T) {
	dir := t.TempDir()
	must(t, "pretrain", "--config", writeConfig(t, dir), "--set", "train.steps=2", "--set", "model.context=128", "--set", "train.save_every=2", "--set", "train.eval_every=2")
	write(t, filepath.Join(dir, "q.jsonl"), `{"question":"2+2?","choices":["3","4"],"answer":1,"subject":"sums"}`+"\n")
	choice := write(t, filepath.Join(dir, "choice.yaml"), "format: mmlu\ndata: q.jsonl\n")
	var r eval.Report
	mustJSON(t, &r, "eval", "--model", filepath.Join(dir, "run"), "--task", choice)
	if len(r.Results) != 1 || len(r.Results[0].LogLikely) != 2 || r.Scores[0].Questions != 1 || r.Results[0].Expected != "4" {
		t.Errorf("got %+v", r)
	}
	// The likelihoods are those of gotrain score.
	prompt := must(t, "eval", "--task", choice, "--prompts")
	_, prompt, _ = strings.Cut(strings.TrimSuffix(prompt, "\n"), "\n")
	line, err := json.Marshal(map[string]string{"prompt": prompt, "completion": " A"})
	if err != nil {
		t.Fatal(err)
	}
	var s scoreResult
	mustJSON(t, &s, "score", "--model", filepath.Join(dir, "run"), "--data", write(t, filepath.Join(dir, "s.jsonl"), string(line)))
	if d := s.Results[0].LogLikelihood - r.Results[0].LogLikely[0]; d > 1e-3 || d < -1e-3 {
		t.Errorf("the task has log-likelihood %g, score %g", r.Results[0].LogLikely[0], s.Results[0].LogLikelihood)
	}
	write(t, filepath.Join(dir, "g.jsonl"), `{"question":"How many?","answer":"#### 4"}`+"\n")
	generated := write(t, filepath.Join(dir, "generate.yaml"), "format: gsm8k\ndata: g.jsonl\nmax_tokens: 6\n")
	mustJSON(t, &r, "eval", "--model", filepath.Join(dir, "run"), "--task", generated)
	if len(r.Results) != 1 || r.Results[0].Expected != "4" || r.Results[0].Text == "" {
		t.Errorf("got %+v", r)
	}

	// Through a template the prompt is a user's turn, and the likelihood that of its tokens.
	asked := must(t, "eval", "--task", choice, "--prompts", "--chat", "--template", "plain")
	if !strings.Contains(asked, "2+2?") || asked == must(t, "eval", "--task", choice, "--prompts") {
		t.Errorf("with --chat the prompt is %q", asked)
	}
	var plain, chats eval.Report
	mustJSON(t, &plain, "eval", "--model", filepath.Join(dir, "run"), "--task", choice)
	mustJSON(t, &chats, "eval", "--model", filepath.Join(dir, "run"), "--task", choice, "--chat", "--template", "plain")
	if len(chats.Results) != 1 || chats.Results[0].LogLikely[0] == plain.Results[0].LogLikely[0] {
		t.Errorf("with --chat %+v, without %+v", chats.Results, plain.Results)
	}
	mustJSON(t, &chats, "eval", "--model", filepath.Join(dir, "run"), "--task", generated, "--chat", "--template", "plain")
	if len(chats.Results) != 1 || chats.Results[0].Expected != "4" {
		t.Errorf("got %+v", chats)
	}
	for _, wrong := range [][]string{{"--prompts", "--chat"}, {"--prompts", "--template", "plain"}, {"--model", filepath.Join(dir, "run"), "--chat"}} {
		if r := gotrain(t, "", append([]string{"eval", "--task", choice}, wrong...)...); r.code != 2 || !strings.Contains(r.errOut, "template") {
			t.Errorf("%v: exit code %d, %s", wrong, r.code, r.errOut)
		}
	}
}
