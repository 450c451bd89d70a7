package reward

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestRules(t *testing.T) {
	record := map[string]any{"answer": "Paris", "solution": "2 + 2 = 4, so\n#### 1,204.50", "none": "no digits", "sum": 42.0}
	half := 0.5
	for _, c := range []struct {
		rule       Rule
		completion string
		want       float64
	}{
		{Rule{Kind: Exact, Answer: "answer"}, " Paris\n", 1},
		{Rule{Kind: Exact, Answer: "answer"}, "paris", 0},
		{Rule{Kind: Exact, Answer: "answer", Weight: &half}, "Paris", 0.5},
		{Rule{Kind: Number, Answer: "solution"}, "it is 7, no: 1204.5", 1},
		{Rule{Kind: Number, Answer: "solution"}, "1204.5 is not #### 3", 0},
		{Rule{Kind: Number, Answer: "solution"}, "#### 1204.50 and then 9", 1},
		{Rule{Kind: Number, Answer: "solution"}, "none", 0},
		{Rule{Kind: Number, Answer: "sum"}, "042", 1},
		{Rule{Kind: Length, Most: 3}, "äöü", 1},
		{Rule{Kind: Length, Most: 3}, "abcd", 0},
		{Rule{Kind: Length, Least: 4}, "äöü", 0},
		{Rule{Kind: Pattern, Pattern: `^\d+$`}, "12", 1},
		{Rule{Kind: Pattern, Pattern: `^\d+$`}, "12a", 0},
	} {
		f, err := Sum([]Rule{c.rule})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f(t.Context(), Sample{Completion: c.completion, Record: record}); err != nil || got != c.want {
			t.Errorf("%+v of %q is %g, %v; want %g", c.rule, c.completion, got, err, c.want)
		}
	}
	for key, want := range map[string]string{"missing": `no key "missing"`, "none": "no number"} {
		f, _ := Sum([]Rule{{Kind: Number, Answer: key}})
		if _, err := f(t.Context(), Sample{Completion: "1", Record: record}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestNumberOf(t *testing.T) {
	for text, want := range map[string]string{
		"-0": "0", "-07.0": "-7", "a 1,000,000 b": "1000000", "1,2": "2", "x-3": "-3", "#### 5\n#### 6 7": "6", "0.50": "0.5",
	} {
		if got, ok := NumberOf(text); !ok || got != want {
			t.Errorf("%q: %q, %t; want %q", text, got, ok, want)
		}
	}
	if got, ok := NumberOf("7 ####"); ok {
		t.Errorf("%q behind a mark without a number", got)
	}
}

// TestFaults: what is said of each rule that is wrong, and what the nearest right one is.
func TestFaults(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{}, `kind is ""; use exact, number, length, pattern, command or model`},
		{Rule{Kind: "judge"}, `kind is "judge"; use exact, number, length, pattern, command or model`},
		{Rule{Kind: Exact}, "kind exact: answer names the key of the record to compare with"},
		{Rule{Kind: Number}, "kind number: answer names the key of the record to compare with"},
		{Rule{Kind: Length}, "kind length: least or most says how many characters are wanted"},
		{Rule{Kind: Length, Least: 5, Most: 4}, "kind length: 5 to 4 characters are none"},
		{Rule{Kind: Length, Least: -1, Most: 4}, "kind length: -1 to 4 characters are none"},
		{Rule{Kind: Length, Least: 4, Most: 4}, ""},
		{Rule{Kind: Length, Least: 1}, ""},
		{Rule{Kind: Pattern}, "kind pattern: pattern is empty"},
		{Rule{Kind: Pattern, Pattern: "("}, "kind pattern: error parsing regexp: missing closing ): `(`"},
		{Rule{Kind: Command}, "kind command: command names no program"},
		{Rule{Kind: Command, Command: []string{"x"}, TimeoutS: -1}, "kind command: timeout_s is -1; use 0 for 10, or more, below 86400"},
		{Rule{Kind: Command, Command: []string{"x"}, TimeoutS: 86400}, "kind command: timeout_s is 86400; use 0 for 10, or more, below 86400"},
		{Rule{Kind: Command, Command: []string{"x"}, TimeoutS: 86399}, ""},
		{Rule{Kind: Exact, Answer: "a", Weight: &nan}, "weight is no number"},
	} {
		want := c.want
		if want != "" {
			want = "rule 1: " + want
		}
		if _, err := Sum([]Rule{c.rule}); fmt.Sprint(err) != cmp.Or(want, "<nil>") {
			t.Errorf("%+v: %v, want %s", c.rule, err, want)
		}
	}
	if _, err := Sum(nil); fmt.Sprint(err) != "there is no rule" {
		t.Error(err)
	}
	if _, err := Sum([]Rule{{Kind: Length, Least: 1}, {}}); err == nil || !strings.HasPrefix(err.Error(), "rule 2: ") {
		t.Error(err)
	}
	record := map[string]any{"words": strings.Repeat("w", 70)}
	for key, want := range map[string]string{"a": `reward 2, number: the record has no key "a"`, "words": fmt.Sprintf(`reward 2, number: the record's "words" has no number: %q`, strings.Repeat("w", 60))} {
		f, err := Sum([]Rule{{Kind: Length, Least: 1}, {Kind: Number, Answer: key}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f(t.Context(), Sample{Completion: "1", Record: record}); fmt.Sprint(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// script writes a shell script and returns the rule that runs it.
func script(t *testing.T, text string) Rule {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a shell script")
	}
	file := filepath.Join(t.TempDir(), "judge.sh")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return Rule{Kind: Command, Command: []string{"/bin/sh", file}, TimeoutS: 60}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct {
		text, fault string
		want        float64
	}{
		{`grep -q '"completion":"yes"' && echo 2.5`, "", 2.5},
		{`test "$(cat)" = '{"completion":"yes","prompt":"p","record":{"key":7}}' && echo 1.5`, "", 1.5},
		{"echo NaN", "reward 1, command: the reward is NaN", 0},
		{"echo -Inf", "reward 1, command: the reward is -Inf", 0},
		{"echo high", `printed "high", which is no number`, 0},
		{"echo " + strings.Repeat("high", 20), fmt.Sprintf("printed %q, which is no number", strings.Repeat("high", 15)), 0},
		{"echo first >&2; echo " + strings.Repeat("last", 60) + " >&2; exit 1", "exit status 1: " + strings.Repeat("last", 50), 0},
		{"exit 4", "exit status 4", 0},
		{"echo what is wrong >&2; exit 3", "exit status 3: what is wrong", 0},
	} {
		f, err := Sum([]Rule{script(t, c.text)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := f(t.Context(), Sample{Prompt: "p", Completion: "yes", Record: map[string]any{"key": 7}})
		if c.fault == "" && (err != nil || got != c.want) || c.fault != "" && (err == nil || !strings.HasSuffix(err.Error(), c.fault)) {
			t.Errorf("%s: %g, %v", c.text, got, err)
		}
	}
	f, _ := Sum([]Rule{{Kind: Command, Command: []string{filepath.Join(t.TempDir(), "absent")}}})
	if _, err := f(t.Context(), Sample{}); err == nil {
		t.Error("a program that is not there gives a reward")
	}
}

// TestCommandThatHangs: a command that waits with a child of its own is ended with that
// child, and the error says why.
func TestCommandThatHangs(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	r := script(t, fmt.Sprintf("sleep 600 &\necho $! > %s.new; mv %[1]s.new %[1]s\nwait\n", pidFile))
	r.TimeoutS = 0
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { // the limit of the rule, as soon as the child is there
		for {
			if _, err := os.Stat(pidFile); err == nil {
				cancel(fmt.Errorf("stopped by the test"))
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := r.command(ctx, Sample{})
	if err == nil || !strings.Contains(err.Error(), "stopped by the test") {
		t.Fatal(err)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	for alive(strings.TrimSpace(string(pid))) {
		time.Sleep(time.Millisecond) // until the kernel has ended it
	}
	r.TimeoutS = 1e-9
	if _, err := r.command(t.Context(), Sample{}); err == nil || !strings.HasSuffix(err.Error(), "sh: it ran longer than 1ns") {
		t.Errorf("beyond the limit: %v", err)
	}
}

// alive tells whether a process runs; one that nobody has waited for does not.
func alive(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestSumOfWeights(t *testing.T) {
	two, minus := 2.0, -1.0
	f, err := Sum([]Rule{{Kind: Length, Least: 1, Weight: &two}, {Kind: Pattern, Pattern: "a", Weight: &minus}, {Kind: Pattern, Pattern: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]float64{"": 0, "x": 2, "a": 1, "ab": 2} {
		if got, err := f(t.Context(), Sample{Completion: text}); err != nil || math.Abs(got-want) > 0 {
			t.Errorf("%q: %g, %v; want %g", text, got, err, want)
		}
	}
}
