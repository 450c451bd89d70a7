package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/synth/bootstrap"
)

// writerServer is a server whose model writes some words that the seed of a request tells.
func writerServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Seed     uint64
			Messages []struct{ Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		text := fmt.Sprintf("Explain %x %x %x %x %x", asked.Seed, asked.Seed*3, asked.Seed*5, asked.Seed*7, asked.Seed*9)
		if last := len(asked.Messages) - 1; last >= 0 && strings.HasSuffix(asked.Messages[last].Content, "\nInput:") {
			text = fmt.Sprintf("none\nOutput: %x", asked.Seed)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]string{"content": text}, "finish_reason": "stop"}}})
	}))
	t.Cleanup(s.Close)
	return s
}

// synthReport is what data synth prints.
type synthReport struct {
	Records  string
	Kept     int
	Rejected map[bootstrap.Reason]int
}

func TestDataSynth(t *testing.T) {
	dir := t.TempDir()
	seeds := write(t, filepath.Join(dir, "seeds.jsonl"), `{"id":"one","instruction":"Name a colour.","output":"Red."}`+"\n")
	s := writerServer(t)
	args := []string{"data", "synth", "--method", "evol-instruct", "--seeds", seeds, "--endpoint", s.URL, "--endpoint-model", "m", "--out", filepath.Join(dir, "made"), "--count"}
	for _, count := range []int{3, 10} {
		var r synthReport
		mustJSON(t, &r, append(args, fmt.Sprint(count))...)
		if r.Kept != count {
			t.Errorf("%+v", r)
		}
		var inspected exampleReport
		mustJSON(t, &inspected, "data", "inspect", r.Records, "--template", "plain", "--sample", "0")
		if inspected.Stats.Examples != count {
			t.Errorf("%d conversations of %d records", inspected.Stats.Examples, count)
		}
	}
	var made synthReport
	mustJSON(t, &made, "data", "synth", "--seeds", seeds, "--endpoint", s.URL, "--endpoint-model", "m", "--out", filepath.Join(dir, "tasks"), "--count", "5")
	if made.Kept != 5 || made.Rejected[bootstrap.Beyond] != 3 {
		t.Errorf("self-instruct: %+v", made)
	}
	if o := gotrain(t, "", append(args, "10", "--seed", "4")...); o.code != 1 || !strings.Contains(o.errOut, "seed 1337, not 4") {
		t.Errorf("another seed: %d, %s", o.code, o.errOut)
	}
	if out := must(t, append(args, "10")...); !strings.Contains(out, "10 records in "+filepath.Join(dir, "made", "records.jsonl")) {
		t.Errorf("%s", out)
	}
}

// TestDataSynthModel: a model of ours writes, and a reward model judges.
func TestDataSynthModel(t *testing.T) {
	dir := t.TempDir()
	seeds := write(t, filepath.Join(dir, "topics.txt"), "light\n")
	must(t, "pretrain", "--config", writeConfig(t, dir), "--set", "train.steps=2", "--set", "train.save_every=2", "--set", "train.eval_every=2", "--set", "model.context=512")
	preferences := filepath.Join(dir, "preferences.jsonl")
	must(t, "data", "preferences", "--out", preferences, "--count", "20")
	must(t, "pretrain", "--config", "reward", "--run", filepath.Join(dir, "reward"), "--set", "data.train=["+preferences+"]", "--set", "model.layers=1", "--set", "model.width=32",
		"--set", "train.steps=2", "--set", "train.batch=2", "--set", "train.save=sync", "--set", "optimizer.warmup=1")
	out := filepath.Join(dir, "made")
	args := []string{"data", "synth", "--method", "textbook", "--seeds", seeds, "--model", filepath.Join(dir, "run"), "--count", "1", "--patience", "1", "--round", "2", "--max-tokens", "8", "--out", out}
	if o := gotrain(t, "", args...); o.code != 1 || !strings.Contains(o.errOut, "no record is kept any more: 1 rounds gave none") {
		t.Errorf("%d, %s", o.code, o.errOut)
	}
	rejected, err := os.ReadFile(filepath.Join(out, bootstrap.RejectedFile))
	if err != nil || strings.Count(string(rejected), "\n") != 2 {
		t.Errorf("%s, %v", rejected, err)
	}
	s := writerServer(t)
	args = []string{"data", "synth", "--method", "evol-instruct", "--seeds", seeds, "--endpoint", s.URL, "--endpoint-model", "m", "--count", "4",
		"--reward-model", filepath.Join(dir, "reward"), "--min-reward"}
	var r synthReport
	mustJSON(t, &r, append(args, "-1000", "--out", filepath.Join(dir, "judged"))...)
	records, err := os.ReadFile(r.Records)
	if err != nil || strings.Count(string(records), `"reward":`) != 4 {
		t.Errorf("%s, %v", records, err)
	}
	if o := gotrain(t, "", append(args, "1000", "--patience", "1", "--out", filepath.Join(dir, "refused"))...); o.code != 1 || !strings.Contains(o.errOut, "reward 8") {
		t.Errorf("%d, %s", o.code, o.errOut)
	}
}

func TestDataSynthWrongUse(t *testing.T) {
	dir := t.TempDir()
	seeds := write(t, filepath.Join(dir, "seeds.txt"), "light\n")
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"", "needs --model or --endpoint", 2},
		{"--model nowhere --endpoint http://x", "needs --model or --endpoint", 2},
		{"--endpoint http://x", "wants the name of a model", 2},
		{"--endpoint x --endpoint-model m", "is no address of a server", 2},
		{"--endpoint http://x --endpoint-model m --method dream", `there is no method "dream"; use self-instruct`, 2},
		{"--endpoint http://x --endpoint-model m --method magpie", "name it with --template", 2},
		{"--endpoint http://x --endpoint-model m --method magpie --template plain --rouge 2", "in [0, 1]", 2},
		{"--endpoint http://x --endpoint-model m --token-file nowhere", "--token-file", 2},
		{"--endpoint http://x --endpoint-model m --min-reward 1", "needs a reward model", 2},
		{"--endpoint http://x --endpoint-model m --count 0", "use 1 or more", 2},
		{"--endpoint http://x --endpoint-model m --batch 0", "outside [1, 1024]", 2},
		{"--endpoint " + closed.URL + " --endpoint-model m --retries 0", "connection refused (is the server there?)", 1},
	} {
		args := append([]string{"data", "synth", "--seeds", seeds, "--out", filepath.Join(dir, "made")}, strings.Fields(c.args)...)
		if o := gotrain(t, "", args...); o.code != c.code || !strings.Contains(o.errOut, c.want) {
			t.Errorf("%s: %d, %s, want %q", c.args, o.code, o.errOut, c.want)
		}
	}
	if o := gotrain(t, "", "data", "synth", "--out", dir, "--endpoint", "http://x", "--endpoint-model", "m"); o.code != 2 || !strings.Contains(o.errOut, "name a file with --seeds") {
		t.Errorf("%d, %s", o.code, o.errOut)
	}
}
