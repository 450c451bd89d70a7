package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// suite is the outcome of a test binary.
type suite struct {
	Name     string    `json:"name"`
	Passed   int       `json:"passed"`
	Failed   int       `json:"failed"`
	Skipped  int       `json:"skipped"`
	Failures []failure `json:"failures,omitempty"`
	Cut      bool      `json:"cut,omitempty"` // the time was up before its end
}

// failure is a test that failed, with what it said first.
type failure struct {
	Test    string `json:"test"`
	Message string `json:"message"`
}

func (s suite) note() string {
	note := fmt.Sprintf("%d passed, %d failed", s.Passed, s.Failed)
	if s.Skipped > 0 {
		note += fmt.Sprintf(", %d skipped", s.Skipped)
	}
	return note
}

// result is the note and the error of a part that ran suites.
func result(suites ...suite) (string, error) {
	var all suite
	for _, s := range suites {
		all.Passed, all.Failed, all.Skipped, all.Cut = all.Passed+s.Passed, all.Failed+s.Failed, all.Skipped+s.Skipped, all.Cut || s.Cut
	}
	if all.Cut && all.Failed == 0 {
		return all.note() + ", then the time was up", errCut
	}
	if all.Failed > 0 || all.Passed == 0 {
		return all.note(), fmt.Errorf("%s", all.note())
	}
	return all.note(), nil
}

// testRun is what the output of a test binary under -test.v says.
type testRun struct {
	suite
	finished bool   // it came to its end
	running  string // the test that ran last
}

var (
	testLine   = regexp.MustCompile(`^=== (?:RUN|NAME|CONT)\s+(\S+)`)
	resultLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)
)

// parseTests counts the tests that have none below them.
func parseTests(output []byte) testRun {
	var r testRun
	status, message := map[string]string{}, map[string]string{}
	var order []string
	for s := bufio.NewScanner(bytes.NewReader(output)); s.Scan(); {
		line := s.Text()
		if m := testLine.FindStringSubmatch(line); m != nil {
			r.running = m[1]
		} else if m := resultLine.FindStringSubmatch(line); m != nil {
			status[m[2]] = m[1]
			order = append(order, m[2])
		} else if line == "PASS" || line == "FAIL" {
			r.finished = true
		} else if text := strings.TrimSpace(line); strings.HasPrefix(line, "    ") && message[r.running] == "" {
			message[r.running] = text
		}
	}
	parents := map[string]bool{}
	for name := range status {
		for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
			parents[name[:i]] = true
		}
	}
	for _, name := range order {
		switch {
		case parents[name]:
		case status[name] == "PASS":
			r.Passed++
		case status[name] == "SKIP":
			r.Skipped++
		default:
			r.Failed++
			r.Failures = append(r.Failures, failure{name, message[name]})
		}
	}
	return r
}

// test runs one of the test binaries that were packed, in its package's folder.
func (c *checker) test(ctx context.Context, limit time.Duration, pkg string, flags ...string) (testRun, output) {
	binary := filepath.Join(c.dir, pkg, filepath.Base(pkg)+".test")
	out := c.run(ctx, command{limit: limit, dir: pkg, ours: true, args: append([]string{binary, "-test.v"}, flags...)})
	return parseTests(out.both), out
}

// died adds the test during which a run ended, if it did. That the time was up is no
// failure of the test.
func (r *testRun) died(out output) {
	if out.cut {
		r.Cut = true
		return
	}
	if !r.finished {
		r.Failed++
		r.Failures = append(r.Failures, failure{r.running, out.reason()})
	}
}

func (c *checker) driver(ctx context.Context) (string, error) {
	var suites []suite
	for _, pkg := range []string{"cuda", "cuda/backend"} {
		r, out := c.test(ctx, 3*time.Minute, pkg)
		r.died(out)
		r.Name = pkg
		suites = append(suites, r.suite)
	}
	c.report.Tests = append(c.report.Tests, suites...)
	return result(suites...)
}

// poison are faults after which a process gets nothing out of its GPU any more.
var poison = regexp.MustCompile(`CUDA_ERROR_(ILLEGAL|LAUNCH|MISALIGNED|ASSERT|INVALID_PC|HARDWARE|UNKNOWN)`)

// mostRounds bounds the kinds that are put aside.
const mostRounds = 12

// kernels runs the kernels against their definitions. A kind of instruction that
// kills the process or its GPU's context is put aside, and the rest runs anew.
func (c *checker) kernels(ctx context.Context) (string, error) {
	tests, limit := "^(TestDefinition|TestMemory|TestGolden)$/^cuda$", 8*time.Minute
	if c.small {
		tests = "^(TestDefinition|TestGolden)$/^cuda$/^(Add|Cast|LayerNorm)$"
	}
	all := suite{Name: "autograd/optest"}
	var aside []string
	for range mostRounds {
		flags := []string{"-test.run", tests}
		if len(aside) > 0 {
			flags = append(flags, "-test.skip", "/^cuda$/^("+strings.Join(aside, "|")+")$")
		}
		r, out := c.test(ctx, limit, "autograd/optest", flags...)
		culprit := r.culprit()
		if culprit == "" || out.cut || slices.Contains(aside, culprit) {
			r.died(out)
			all.Passed, all.Failed, all.Skipped = all.Passed+r.Passed, all.Failed+r.Failed, all.Skipped+r.Skipped
			all.Failures, all.Cut = append(all.Failures, r.Failures...), r.Cut
			break
		}
		aside = append(aside, culprit)
		r.died(out)
		all.Failed++
		all.Failures = append(all.Failures, r.Failures[0])
	}
	c.report.Tests = append(c.report.Tests, all)
	note, err := result(all)
	if len(aside) > 0 {
		note += "; the GPU's context or the process did not survive " + strings.Join(aside, ", ")
	}
	return note, err
}

// culprit is the kind of instruction that spoilt the run for those behind it, ""
// where none did.
func (r *testRun) culprit() string {
	name := r.running
	if r.finished {
		i := slices.IndexFunc(r.Failures, func(f failure) bool { return poison.MatchString(f.Message) })
		if i < 0 {
			return ""
		}
		name = r.Failures[i].Test
	}
	if parts := strings.Split(name, "/"); len(parts) > 2 {
		return parts[2] // TestDefinition/cuda/LayerNorm/…
	}
	return ""
}

// sanitized is the outcome of a tool of compute-sanitizer.
type sanitized struct {
	Tool    string `json:"tool"`
	OK      bool   `json:"ok"`
	Summary string `json:"summary"`
}

// sanitizedKinds have kernels of our own alone: cuBLASLt's take the tools long.
const sanitizedKinds = "AdamW|Attention|AttentionBackward|CrossEntropy|EmbeddingBackward|GradNorm|LayerNorm|LayerNormBackward|RoPE|Softmax|SumSquares"

var summaryLine = regexp.MustCompile(`=+ ((?:ERROR|RACECHECK) SUMMARY: .*)`)

// sanitizer runs a case of each sort of kernel under the tools of
// compute-sanitizer.
func (c *checker) sanitizer(ctx context.Context) (string, error) {
	tool := findSanitizer()
	if tool == "" {
		return skipped("compute-sanitizer is not here")
	}
	binary := filepath.Join(c.dir, "autograd/optest/optest.test")
	var notes []string
	good := true
	for _, name := range []string{"memcheck", "racecheck", "synccheck"} {
		out := c.run(ctx, command{limit: 4 * time.Minute, dir: "autograd/optest", ours: true, args: []string{tool, "--tool", name, "--error-exitcode", "9",
			binary, "-test.run", "^TestDefinition$/^cuda$/^(" + sanitizedKinds + ")$"}})
		s := sanitized{Tool: name, OK: out.err == nil}
		if m := summaryLine.FindAllSubmatch(out.both, -1); m != nil {
			s.Summary = string(m[len(m)-1][1])
		} else {
			s.OK = false
		}
		if !s.OK && out.err != nil {
			s.Summary += " (" + out.reason() + ")"
		}
		if out.cut {
			return strings.Join(append(notes, name+": the time was up"), "; "), errCut
		}
		good = good && s.OK
		c.report.Sanitizer = append(c.report.Sanitizer, s)
		notes = append(notes, name+": "+s.Summary)
	}
	note := strings.Join(notes, "; ")
	if !good {
		return note, fmt.Errorf("%s", note)
	}
	return note, nil
}

// findSanitizer looks in PATH and where CUDA puts it.
func findSanitizer() string {
	for _, name := range []string{"compute-sanitizer", "/usr/local/cuda/bin/compute-sanitizer", "/opt/cuda/bin/compute-sanitizer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
