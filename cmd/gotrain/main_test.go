package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"example.com/gotrain/train/device"
)

var update = flag.Bool("update", false, "rewrite testdata")

// outcome is what a command line gave.
type outcome struct {
	code        int
	out, errOut string
}

// gotrain runs a command line in this process.
func gotrain(t *testing.T, input string, args ...string) outcome {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(input), &out, &errOut)
	return outcome{code, out.String(), errOut.String()}
}

// must runs a command line that has to succeed and returns its output.
func must(t *testing.T, args ...string) string {
	t.Helper()
	o := gotrain(t, "", args...)
	if o.code != 0 {
		t.Fatalf("gotrain %s: exit code %d\n%s", strings.Join(args, " "), o.code, o.errOut)
	}
	return o.out
}

// mustJSON runs a command line with --json and decodes the one object that it
// prints.
func mustJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(must(t, append(args, "--json")...)))
	if err := d.Decode(into); err != nil {
		t.Fatalf("gotrain %s --json: %v", strings.Join(args, " "), err)
	}
	if d.More() {
		t.Errorf("gotrain %s --json prints more than one object", strings.Join(args, " "))
	}
}

func walk(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, s := range c.Commands() {
		if s.Name() != "completion" && s.Name() != "help" {
			walk(s, f)
		}
	}
}

func TestHelp(t *testing.T) {
	var got strings.Builder
	walk(newRoot(), func(c *cobra.Command) {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		fmt.Fprintf(&got, "$ gotrain %s\n%s\n", strings.Join(args, " "), must(t, args...))
	})
	golden := filepath.Join("testdata", "help.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the help texts differ from %s; read them, then run go test ./cmd/gotrain -update", golden)
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	walk(newRoot(), func(c *cobra.Command) {
		if c.HasParent() && !strings.Contains(c.Example, "gotrain "+strings.Fields(c.CommandPath())[1]) {
			t.Errorf("%s has no example of itself", c.CommandPath())
		}
	})
}

func TestVersion(t *testing.T) {
	var b build
	mustJSON(t, &b, "version")
	if b.Go == "" || b.OS == "" || !strings.Contains(must(t, "version"), b.Go) {
		t.Errorf("version is %+v", b)
	}
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"sample --device ", "cpu"},
		{"pretrain --config ", "yaml"},
		{"tokenizer train --pattern ", "cl100k"},
		{"bench --step=", "12.3m"},
		{"inspect ", "checkpoint"},
	} {
		args := append([]string{"__complete"}, strings.Split(c.args, " ")...)
		if o := gotrain(t, "", args...); !strings.Contains(o.out, c.want+"\n") && !strings.Contains(o.out, c.want+"\t") {
			t.Errorf("completion of %q gives %q, want %q among them", c.args, o.out, c.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if !strings.Contains(must(t, "completion", shell), "gotrain") {
			t.Errorf("completion %s prints no script", shell)
		}
	}
}

func TestDoctor(t *testing.T) {
	var r struct{ Findings []device.Finding }
	mustJSON(t, &r, "doctor", "--run", t.TempDir())
	names := map[string]bool{}
	for _, f := range r.Findings {
		names[f.Name] = true
		if !f.OK && f.Cure == "" {
			t.Errorf("the warning about %s has no cure", f.Name)
		}
	}
	for _, name := range []string{"gotrain", "processor", "kernels", "cores", "memory", "disk speed", "gpu"} {
		if !names[name] {
			t.Errorf("doctor says nothing of %s", name)
		}
	}
}

func TestBench(t *testing.T) {
	var r benchReport
	mustJSON(t, &r, "bench", "--step=0.8m", "--seconds", "0.01")
	if len(r.Steps) != 1 || r.Steps[0].TokensPerS <= 0 || r.Steps[0].FractionOfPeak <= 0 {
		t.Errorf("bench gives %+v", r.Steps)
	}
	if r.Machine.F32 <= 0 || r.Machine.Bandwidth <= 0 || len(r.Kernels) != 0 {
		t.Errorf("bench gives %+v and %d kernels", r.Machine, len(r.Kernels))
	}
}

// TestBenchPrecision holds that the flag decides, then the configuration.
func TestBenchPrecision(t *testing.T) {
	path := writeConfig(t, t.TempDir())
	for _, row := range []struct{ flag, set, want string }{
		{"", "", "float32"}, {"bfloat16", "", "bfloat16"}, {"", "precision=bfloat16", "bfloat16"}, {"float32", "precision=bfloat16", "float32"},
	} {
		f := benchFlags{config: path, precision: row.flag}
		if row.set != "" {
			f.set = []string{row.set}
		}
		if err := f.settle(); err != nil {
			t.Fatal(err)
		}
		if got := f.configured[0].Config.Precision; got != row.want || f.precision != row.want {
			t.Errorf("--precision %q with %q: a step in %s, reported as %s, want %s", row.flag, row.set, got, f.precision, row.want)
		}
	}
	f := benchFlags{}
	if err := f.settle(); err != nil || f.precision != "float32" {
		t.Errorf("without a configuration %s, %v", f.precision, err)
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	config := writeConfig(t, dir)
	var out, errOut bytes.Buffer
	if code := run(ctx, []string{"pretrain", "--config", config}, strings.NewReader(""), &out, &errOut); code == 0 {
		t.Errorf("an interrupted run has exit code 0: %s", errOut.String())
	}
}
