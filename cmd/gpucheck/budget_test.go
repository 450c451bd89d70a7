package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// clock is a time that passes only when a command runs.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// TestBudget gives a command half of what is left, the last part all, and no less than is
// of use.
func TestBudget(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	for _, tc := range []struct {
		left, most time.Duration
		last       bool
		want       time.Duration
		cut, ok    bool
	}{
		{10 * time.Minute, time.Minute, false, time.Minute, false, true},
		{103 * time.Second, time.Minute, false, 50 * time.Second, true, true},
		{103 * time.Second, time.Minute, true, time.Minute, false, true},
		{43 * time.Second, time.Minute, true, 40 * time.Second, true, true},
		{10 * time.Second, time.Minute, false, 3500 * time.Millisecond, true, false},
		{10 * time.Second, 2 * time.Second, false, 2 * time.Second, false, true},
		{-time.Minute, time.Second, true, -63 * time.Second, true, false},
	} {
		b := budget{now: c.now, end: c.t.Add(tc.left), last: tc.last}
		if got, cut, ok := b.limit(tc.most); got != tc.want || cut != tc.cut || ok != tc.ok {
			t.Errorf("%v left, %v wanted: %v, cut %t, ok %t", tc.left, tc.most, got, cut, ok)
		}
	}
	if got, cut, ok := (budget{now: c.now}).limit(time.Hour); got != time.Hour || cut || !ok {
		t.Errorf("without an end: %v, %t, %t", got, cut, ok)
	}
}

// fakes are commands that take a time and print something. The first whose key is in the
// command line counts; what takes longer than its limit is killed there.
type fakes []fake

type fake struct {
	key    string
	takes  time.Duration
	stdout string
	fails  string
}

// install runs them in the place of programs and returns the command lines.
func (f fakes) install(c *checker, clock *clock) *[]string {
	var ran []string
	c.budget.now = clock.now
	c.start = func(_ context.Context, cmd command) output {
		line := strings.Join(cmd.args, " ")
		ran = append(ran, line)
		for _, k := range f {
			if !strings.Contains(line, k.key) {
				continue
			}
			clock.t = clock.t.Add(min(k.takes, cmd.limit))
			out := output{stdout: []byte(k.stdout), both: []byte(k.stdout)}
			switch {
			case k.takes > cmd.limit:
				out.err = &lateError{cmd.limit}
			case k.fails != "":
				out.both, out.err = []byte(k.fails+"\n"), errors.New("exit status 1")
			}
			return out
		}
		clock.t = clock.t.Add(time.Second)
		return output{err: exec.ErrNotFound}
	}
	return &ran
}

const (
	healthy = `{"findings": [{"name": "gpu", "ok": true, "detail": "cuda:0 NVIDIA H200, 9.0"}]}`
	oneStep = `{"machine": {"gpu": "NVIDIA H200"}, "steps": [{"name": "124m-b16", "step_ms": 30, "bits": ["a", "a"],
		"by_kind": [{"kind": "MatMul", "count": 3, "ms": 20, "share": 0.7}], "way_ms": {"sums beside x": {"fused": 2, "separate": 1}}}]}`
	oneKernel = `{"machine": {"gpu": "NVIDIA H200"}, "kernels": [{"name": "a", "kind": "MatMul", "ms": 1}]}`
	passing   = "=== RUN   TestA/cuda/Add\n--- PASS: TestA/cuda/Add (0.00s)\nPASS\n"
)

// rowsOf reads a file of rows.
func rowsOf(t *testing.T, path string) []row {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
		var r row
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", s.Text(), err)
		}
		rows = append(rows, r)
	}
	return rows
}

func statusOf(r *report) map[string]string {
	all := map[string]string{}
	for _, p := range r.Parts {
		all[p.Name] = p.Status
	}
	return all
}

// TestLoan: a loan of a few minutes ends in time whatever hangs or fails, the parts that
// tell the most have run, and each command is a row, also of the run before.
func TestLoan(t *testing.T) {
	out := t.TempDir()
	c := newChecker(t)
	clock := &clock{time.Unix(0, 0)}
	ran := fakes{
		{"doctor", 10 * time.Second, healthy, ""},
		{"--step=124m-b16 --by-instruction", 40 * time.Second, oneStep, ""},
		{"--step=1558m-b8 --by-instruction", time.Hour, "", ""},
		{"--kernels=Attention", 5 * time.Second, "", "cuda: a refusal"},
		{"--kernels", 5 * time.Second, oneKernel, ""},
		{"--step", 30 * time.Second, oneStep, ""},
		{"cuda.test", 20 * time.Second, passing, ""},
		{"backend.test", 20 * time.Second, passing, ""},
	}.install(c, clock)
	c.limit(10)
	c.python = "no-python-here"
	began := clock.t
	ok, err := c.check(out, nil)
	if err != nil || ok {
		t.Errorf("got %v, %v", ok, err)
	}
	if took := clock.t.Sub(began); took > 10*time.Minute {
		t.Errorf("ten minutes took %v", took)
	}
	status := statusOf(&c.report)
	for name, want := range map[string]string{"doctor": "ok", "first": "failed", "bench": "failed", "torch": "skipped", "driver": "ok"} {
		if status[name] != want {
			t.Errorf("part %s is %q, want %q; parts %+v", name, status[name], want, c.report.Parts)
		}
	}
	if len(c.report.First) != 1 || len(c.report.Bench.Kernels) != len(kernelKinds)-2 {
		t.Errorf("%d first steps, %d kernels", len(c.report.First), len(c.report.Bench.Kernels))
	}
	rows := rowsOf(t, filepath.Join(out, "gpu-check.jsonl"))
	commands := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.What == "" })
	if len(commands) < len(*ran) {
		t.Errorf("%d commands ran, %d rows", len(*ran), len(commands))
	}
	i := slices.IndexFunc(rows, func(r row) bool { return strings.Contains(r.What, "--kernels=Attention") })
	if i < 0 || rows[i].Status != "failed" || rows[i].Note != "exit status 1" || rows[i].Part != "bench" {
		t.Errorf("the refusal is %+v", rows[max(i, 0)])
	}
	i = slices.IndexFunc(rows, func(r row) bool { return strings.Contains(r.What, "124m-b16 --by-instruction") })
	if i < 0 || rows[i].Seconds != 40 || !strings.Contains(string(rows[i].Result), "by_kind") {
		t.Errorf("the first step is %+v", rows[max(i, 0)])
	}
	var text strings.Builder
	c.report.print(&text)
	for _, want := range []string{"124m-b16 by kind", "the same bits twice", "sums beside x", "fused 2.0000, separate 1.0000", "cut"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, text.String())
		}
	}
	// A second run adds to the rows and the log.
	again := newChecker(t)
	fakes{{"doctor", time.Second, healthy, ""}}.install(again, clock)
	if _, err := again.check(out, []string{"doctor"}); err != nil {
		t.Fatal(err)
	}
	if now := rowsOf(t, filepath.Join(out, "gpu-check.jsonl")); len(now) != len(rows)+2 || now[0].What != rows[0].What {
		t.Errorf("%d rows after %d", len(now), len(rows))
	}
}

// TestTooShort: parts that have no time are told, and are no failures.
func TestTooShort(t *testing.T) {
	c := newChecker(t)
	clock := &clock{time.Unix(0, 0)}
	fakes{{"doctor", 25 * time.Second, healthy, ""}, {"", 20 * time.Second, "", ""}}.install(c, clock)
	c.limit(0.5)
	c.python = "no-python-here"
	ok, err := c.check(t.TempDir(), nil)
	if err != nil || !ok {
		t.Errorf("got %v, %v, parts %+v", ok, err, c.report.Parts)
	}
	if status := statusOf(&c.report); status["doctor"] != "cut" && status["doctor"] != "ok" || status["kernels"] != "cut" || len(status) != len(parts) {
		t.Errorf("parts %+v", c.report.Parts)
	}
}

// TestCutSuite counts what a suite has said before its time was up, without a failure.
func TestCutSuite(t *testing.T) {
	c := newChecker(t)
	clock := &clock{time.Unix(0, 0)}
	fakes{{"optest", time.Hour, "=== RUN   TestDefinition/cuda/Add\n    --- PASS: TestDefinition/cuda/Add (0.00s)\n=== RUN   TestDefinition/cuda/Muon\n", ""}}.install(c, clock)
	c.limit(2)
	note, err := c.kernels(t.Context())
	if !errors.Is(err, errCut) || !strings.Contains(note, "1 passed, 0 failed, then the time was up") || !c.report.Tests[0].Cut {
		t.Errorf("got %q, %v, %+v", note, err, c.report.Tests)
	}
}

// TestOtherBits: a first step that has other bits the second time is a failure.
func TestOtherBits(t *testing.T) {
	c := newChecker(t)
	c.small = true
	fakes{{"--repeat", time.Second, strings.Replace(oneStep, `"a", "a"`, `"a", "b"`, 1), ""}}.install(c, &clock{time.Unix(0, 0)})
	if note, err := c.first(t.Context()); err == nil || !strings.Contains(note, "other bits") {
		t.Errorf("got %q, %v", note, err)
	}
}

// TestFindPython takes the first interpreter that has PyTorch, else one that is there.
func TestFindPython(t *testing.T) {
	dir := t.TempDir()
	bare, full := filepath.Join(dir, "bare"), filepath.Join(dir, "full")
	script(t, bare, "exit 1")
	script(t, full, "exit 0")
	for _, c := range []struct {
		candidates []string
		want       string
	}{
		{[]string{"no-python-here", bare, full}, full}, {[]string{"no-python-here", bare}, bare}, {[]string{"no-python-here"}, "python3"},
	} {
		if got := firstPython(c.candidates); got != c.want {
			t.Errorf("of %v %s", c.candidates, got)
		}
	}
	if got := findPython("mine"); got != "mine" {
		t.Errorf("the named one is %s", got)
	}
}

// TestLibraryPath has pip's folders of an interpreter, and those of container runtimes
// that are there.
func TestLibraryPath(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LD_LIBRARY_PATH", "/own")
	for _, d := range []string{"site/nvidia/cu13/lib", "site/nvidia/nccl/lib", "usr/local/nvidia/lib64"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	python := filepath.Join(dir, "python")
	script(t, python, "echo "+dir+"/site/nvidia; echo "+dir+"/site/nvidia")
	got := libraryPath(python, dir+"/usr/local/nvidia/lib64", dir+"/nowhere")
	want := strings.Join([]string{"/own", dir + "/site/nvidia/cu13/lib", dir + "/site/nvidia/nccl/lib", dir + "/usr/local/nvidia/lib64"}, ":")
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !slices.Contains(libraryFolders, "/usr/local/nvidia/lib64") {
		t.Error("the driver's folder of container runtimes is left out")
	}
}
