package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestResumeWithChanges: resume --set lists each change beside the run's value before the first step and keeps it; what
// cannot change is wrong use, with cause and cure.
func TestResumeWithChanges(t *testing.T) {
	dir := t.TempDir()
	config, run := writeConfig(t, dir), filepath.Join(dir, "run")
	must(t, "pretrain", "--config", config, "--set", "train.steps=4")
	o := gotrain(t, "", "resume", run, "--set", "train.steps=8", "--set", "optimizer.lr=2e-2", "--set", "run.seed=9")
	const want = `resume     from step 4 of 8
changed    setting                  until now  from here on
           run.seed                 7          9
           train.steps              4          8
           optimizer.lr             0.01       0.02
           learning rate of step 5  0.001      0.0155
step 5/8 `
	if o.code != 0 || !strings.Contains(o.errOut, want) {
		t.Fatalf("exit code %d\n%s\nlacks\n%s", o.code, o.errOut, want)
	}
	if o = gotrain(t, "", "resume", run); o.code != 0 || strings.Contains(o.errOut, "changed") || !strings.Contains(o.errOut, "is at step 8 of 8") {
		t.Errorf("the changes were not kept: exit code %d\n%s", o.code, o.errOut)
	}
	// The same by the configuration and by a dry run.
	for _, args := range [][]string{{"pretrain", "--config", config, "--dry-run"}, {"resume", run, "--set", "run.seed=7", "--dry-run"}} {
		if o = gotrain(t, "", args...); o.code != 0 || !strings.Contains(o.errOut, "run.seed                 9          7") &&
			!strings.Contains(o.errOut, "run.seed  9          7") {
			t.Errorf("%q: exit code %d\n%s", args, o.code, o.errOut)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"model.layers is 3, the run has 2", []string{"resume", run, "--set", "model.layers=3"}},
		{"tokenizer.kind is characters, the run has bytes", []string{"pretrain", "--config", config, "--set", "tokenizer.kind=characters"}},
		{"optimizer.kind is sgd, the run has adamw", []string{"resume", run, "--set", "optimizer.kind=sgd", "--dry-run"}},
		{"or train another run, with --run DIR, or in place of this one, which --resume none sets aside", []string{"resume", run, "--set", "model.dropout=0.1", "--set", "model.layers=1"}},
		{"model.width cannot change in a run that goes on", []string{"resume", run, "--set", "model.width=32"}},
		{"leave it out", []string{"resume", run, "--set", "run.dir=" + dir + "/other"}},
		{`did you mean "steps"?`, []string{"resume", run, "--set", "train.stepz=3"}},
		{"use 1 or more", []string{"resume", run, "--set", "train.steps=0"}},
	} {
		if o := gotrain(t, "", c.args...); o.code != 2 || !strings.Contains(o.errOut, c.want) {
			t.Errorf("%q: exit code %d, want 2, with %q\n%s", c.args, o.code, c.want, o.errOut)
		}
	}
}

// TestNextCommandsRun: the command that a run prints at its end is one that a shell reads, whatever the names are.
func TestNextCommandsRun(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	dir := t.TempDir()
	config := writeConfig(t, dir)
	for i, name := range []string{"run ü x", "it's [v2]", `$HOME "q" !`, "a\tb"} {
		run := filepath.Join(dir, name)
		prompt := []string{"line ", "line \n", "line $1'", ""}[i]
		o := gotrain(t, "", "pretrain", "--config", config, "--run", run, "--set", "train.steps=2", "--set", fmt.Sprintf("train.sample=%q", prompt))
		_, next, found := strings.Cut(o.errOut, "\nnext       ")
		if o.code != 0 || !found {
			t.Fatalf("exit code %d\n%s", o.code, o.errOut)
		}
		out, err := exec.Command(bash, "-c", `gotrain() { printf '%s\0' "$@"; }; `+next).Output()
		if want := []string{"sample", "--model", run, "--prompt", prompt, ""}; err != nil || fmt.Sprintf("%q", strings.Split(string(out), "\x00")) != fmt.Sprintf("%q", want) {
			t.Errorf("%s is read as %q, want %q", next, out, want)
		}
		if _, err := os.Stat(run); err != nil {
			t.Error(err)
		}
	}
}
