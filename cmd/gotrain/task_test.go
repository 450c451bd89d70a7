package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/train/eval"
)

// countdown is a context that is cancelled once it was asked so many times.
type countdown struct {
	context.Context
	left *int
}

func (c countdown) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestTaskFiles asks files of questions, whose keys tell the format, in batches and one by one.
func TestTaskFiles(t *testing.T) {
	dir := t.TempDir()
	must(t, "pretrain", "--config", writeConfig(t, dir), "--set", "train.steps=2", "--set", "model.context=96", "--set", "train.save_every=2", "--set", "train.eval_every=2")
	model := filepath.Join(dir, "run")
	questions := write(t, filepath.Join(dir, "q.jsonl"), strings.Repeat(`{"question":"What melts?","choices":{"text":["iron","ice","a stone"],"label":["A","B","C"]},"answerKey":"B","extra":1}`+"\n", 2)+
		`{"question":"What burns?","choices":{"text":["wood","sand"],"label":["A","B"]},"answerKey":"A"}`+"\n")
	var together, alone eval.Report
	mustJSON(t, &together, "eval", "--model", model, "--task", questions)
	mustJSON(t, &alone, "eval", "--model", model, "--task", questions, "--batch", "1")
	if len(together.Results) != 3 || len(together.Scores[0].Metrics) != 3 || together.Task.Format != "arc" || together.Task.Name != "q" {
		t.Errorf("got %+v", together)
	}
	for i, r := range together.Results {
		for j, x := range r.LogLikely {
			if x != alone.Results[i].LogLikely[j] {
				t.Errorf("choice %d of question %d has %g, alone %g", j, i, x, alone.Results[i].LogLikely[j])
			}
		}
	}
	o := gotrain(t, "", "eval", "--model", model, "--task", questions, "--shots", "1", "--shots-data", questions)
	if o.code != 0 || !strings.Contains(o.out, "q, 1 shots, 3 questions in ") || !strings.Contains(o.out, "acc_bytes") || strings.Contains(o.out, "partial") || !strings.Contains(o.errOut, "that arc does not read: extra\n") {
		t.Errorf("exit code %d\n%s%s", o.code, o.out, o.errOut)
	}
	for want, args := range map[string]string{
		`--batch is 0`:                      "--batch 0",
		`format is "squad"; use truthfulqa`: "--format squad",
		`there is no "nope"; use strict`:    "--format gsm8k --filter nope",
		"name the file with --shots-data":   "--shots 2",
	} {
		args := append([]string{"eval", "--model", model, "--task", questions}, strings.Fields(args)...)
		if o := gotrain(t, "", args...); o.code != 2 || !strings.Contains(o.errOut, want) {
			t.Errorf("%v: exit code %d, %s; want %q", args, o.code, o.errOut, want)
		}
	}

	// An interrupt shows what was counted, on standard output unless that is for JSON.
	for _, asJSON := range []bool{false, true} {
		left := 7 // three questions are put, three are encoded, one is asked
		args := []string{"eval", "--model", model, "--task", questions, "--batch", "1"}
		if asJSON {
			args = append(args, "--json")
		}
		var out, errOut bytes.Buffer
		code := run(countdown{t.Context(), &left}, args, strings.NewReader(""), &out, &errOut)
		shown, other := out.String(), errOut.String()
		if asJSON {
			shown, other = other, shown
		}
		if code != 1 || !strings.Contains(shown, "partial: 1 of 3 questions were asked") || strings.Contains(other, "questions") || !strings.Contains(errOut.String(), "gotrain: interrupted\n") || asJSON && out.Len() > 0 {
			t.Errorf("as JSON %t: exit code %d\n%s\n%s", asJSON, code, &out, &errOut)
		}
	}
}
