package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// verdict is what the tests made of a fault.
type verdict string

const (
	noticed  verdict = "noticed"
	survived verdict = "survived"
	broken   verdict = "does not compile"
	stale    verdict = "does not apply"
)

// outcome is a line of the file of results.
type outcome struct {
	ID      string  `json:"id"`
	Key     string  `json:"key"` // of the fault's text
	Verdict verdict `json:"verdict"`
	By      string  `json:"by,omitempty"` // the test that failed, or what went wrong
	Seconds float64 `json:"seconds"`
}

// planter tests faults, one at a time, on the tree in root, which it does not change:
// the go command takes the file with the fault by way of -overlay.
type planter struct {
	root  string
	dir   string // of overlays
	limit time.Duration
	run   string // of go test, in place of what the fault says
	procs int    // of go test
}

func (p planter) test(ctx context.Context, f fault) outcome {
	began := time.Now()
	o := outcome{ID: f.id, Key: f.key()}
	o.Verdict, o.By = p.judge(ctx, f)
	o.Seconds = float64(int(10*time.Since(began).Seconds())) / 10
	return o
}

func (p planter) judge(ctx context.Context, f fault) (verdict, string) {
	text, err := f.plant(p.root)
	if err != nil {
		return stale, err.Error()
	}
	overlay, err := p.overlay(f, text)
	if err != nil {
		return stale, err.Error()
	}
	for _, pkg := range f.tests {
		if v, by := p.suite(ctx, overlay, pkg); v != survived {
			return v, by
		}
	}
	return survived, ""
}

// overlay writes the file with the fault and the list that the go command reads.
func (p planter) overlay(f fault, text []byte) (string, error) {
	dir := filepath.Join(p.dir, strings.ReplaceAll(f.id, "/", "."))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	planted, list := filepath.Join(dir, filepath.Base(f.file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(p.root, f.file): planted}})
	if err != nil {
		return "", err
	}
	return list, errors.Join(os.WriteFile(planted, text, 0o666), os.WriteFile(list, replace, 0o666))
}

// suite runs the tests of a package with the fault. What tests themselves build, they
// build with it too.
func (p planter) suite(ctx context.Context, overlay, pkg string) (verdict, string) {
	ctx, cancel := context.WithTimeout(ctx, p.limit+time.Minute)
	defer cancel()
	args := []string{"test", "-vet=off", "-failfast", fmt.Sprintf("-p=%d", p.procs), fmt.Sprintf("-timeout=%s", p.limit)}
	pkg, tests, _ := strings.Cut(pkg, ":")
	if tests = cmp.Or(p.run, tests); tests != "" {
		args = append(args, "-run", tests)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = p.root
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return survived, ""
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return broken, firstLine(out, ".go:")
	case bytes.Contains(out, []byte("--- FAIL")):
		return noticed, pkg + " " + strings.TrimSuffix(strings.TrimPrefix(firstLine(out, "--- FAIL"), "--- FAIL: "), ")")
	case bytes.Contains(out, []byte("panic:")) || bytes.Contains(out, []byte("FAIL\t")) || ctx.Err() != nil:
		return noticed, pkg + " " + firstLine(out, "panic:")
	}
	return broken, fmt.Sprintf("%s: %v: %s", pkg, err, firstLine(out, ""))
}

// firstLine is the first line of out that holds text.
func firstLine(out []byte, text string) string {
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, text) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
