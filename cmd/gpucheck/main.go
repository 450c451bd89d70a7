// Gpucheck checks gotrain on a machine with a GPU, without Go, a compiler or a
// network: scripts/gpu-check packs it with all that it needs, and starts it.
//
// It runs every part by itself, each with a limit of time, and goes on when one
// fails; then it prints one table and writes gpu-check.json. Read in this order:
// the parts (here), command.go (how programs are run), tests.go, training.go,
// ranks.go, speed.go (what the parts do), report.go and table.go (what comes out).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// part is one thing to check. It fills its section of the report and returns in a
// few words what came out.
type part struct {
	name string
	does string
	run  func(c *checker, ctx context.Context) (note string, err error)
	drop func(r *report) // what an earlier run has left
}

// parts are in the order in which they run: what others depend on first.
var parts = []part{
	{"doctor", "what the machine has, by gotrain doctor and nvidia-smi", (*checker).doctor, func(r *report) { r.Card, r.Doctor = card{}, nil }},
	{"driver", "tests of the driver layer and of the back end", (*checker).driver, func(r *report) { r.dropSuites("cuda", "cuda/backend") }},
	{"kernels", "every kernel against its definition and PyTorch's values", (*checker).kernels, func(r *report) { r.dropSuites("autograd/optest") }},
	{"training", "the loss of each step on the GPU and the CPU, and changes between them", (*checker).training, func(r *report) { r.Training = nil }},
	{"ranks", "two ranks on a GPU each beside one, and NCCL's speed", (*checker).ranks, func(r *report) { r.Ranks = ranksReport{} }},
	{"bench", "speed of kernels and steps", (*checker).bench, func(r *report) { r.Bench = benchReport{} }},
	{"torch", "the same in PyTorch", (*checker).torch, func(r *report) { r.Torch = torchReport{} }},
	{"sanitizer", "kernels under compute-sanitizer", (*checker).sanitizer, func(r *report) { r.Sanitizer = nil }},
}

// errSkipped is the error of a part that this machine cannot run.
var errSkipped = errors.New("skipped")

func skipped(format string, args ...any) (string, error) {
	return fmt.Sprintf(format, args...), errSkipped
}

// checker runs the parts.
type checker struct {
	dir       string // the unpacked folder
	work      string // for runs and results in passing
	log       io.Writer
	stdout    io.Writer // the table
	stderr    io.Writer // progress
	python    string
	libraries string // LD_LIBRARY_PATH of our own programs
	small     bool
	seconds   float64 // for each step of bench
	stepNames string
	report    report
}

func main() {
	c := &checker{stdout: os.Stdout, stderr: os.Stderr}
	var out string
	flag.StringVar(&c.dir, "dir", ".", "the unpacked `FOLDER`")
	flag.StringVar(&out, "out", ".", "`FOLDER` for gpu-check.json and gpu-check.log; parts that do not run keep what the first has of them")
	flag.StringVar(&c.python, "python", "python3", "the `INTERPRETER` that has PyTorch, and whose CUDA libraries serve gotrain too")
	flag.BoolVar(&c.small, "small", false, "small sizes, for a simulated device")
	flag.StringVar(&c.stepNames, "steps", "", "`NAMES` of training steps for bench and torch, with commas; gotrain bench knows them")
	flag.Float64Var(&c.seconds, "seconds", 3, "`S` seconds for each training step that is timed")
	flag.Usage = usage
	flag.Parse()
	ok, err := c.check(out, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "gpu-check:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(flag.CommandLine.Output(), "usage: gpu-check run [OPTION]... [PART]...\n\nParts, all by default:")
	for _, p := range parts {
		fmt.Fprintf(flag.CommandLine.Output(), "  %-10s %s\n", p.name, p.does)
	}
	fmt.Fprintln(flag.CommandLine.Output(), "\nOptions:")
	flag.PrintDefaults()
}

// check runs the named parts, all without a name, and tells whether none failed.
func (c *checker) check(out string, names []string) (bool, error) {
	chosen, err := choose(names)
	if err != nil {
		return false, err
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return false, err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return false, err
	}
	log, err := os.Create(filepath.Join(out, "gpu-check.log"))
	if err != nil {
		return false, err
	}
	defer log.Close()
	c.log = log
	if c.work, err = os.MkdirTemp("", "gpu-check-*"); err != nil {
		return false, err
	}
	defer os.RemoveAll(c.work)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c.libraries = libraryPath(c.python)
	results := filepath.Join(out, "gpu-check.json")
	if err := c.report.read(results); err != nil {
		return false, err
	}
	c.report.When, c.report.Small = time.Now().UTC().Format(time.RFC3339), c.small
	for _, p := range chosen {
		if ctx.Err() != nil {
			break
		}
		status := c.runPart(ctx, p)
		// After every part, so that a machine that is taken away leaves what there is.
		if err := c.report.write(results); err != nil {
			return false, err
		}
		if p.name == "doctor" && status == "failed" {
			fmt.Fprintln(c.stderr, "the other parts need a GPU that gotrain can open")
			break
		}
	}
	c.report.print(c.stdout)
	return c.report.good() && ctx.Err() == nil, nil
}

func choose(names []string) ([]part, error) {
	if len(names) == 0 {
		return parts, nil
	}
	var known []string
	for _, p := range parts {
		known = append(known, p.name)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, fmt.Errorf("there is no part %q; use %s", n, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !slices.Contains(names, p.name) }), nil
}

// runPart runs a part, notes what came out in the report and returns its status.
func (c *checker) runPart(ctx context.Context, p part) string {
	fmt.Fprintf(c.stderr, "%-10s %s\n", p.name, p.does)
	p.drop(&c.report)
	start := time.Now()
	note, err := p.run(c, ctx)
	r := partResult{Name: p.name, Status: "ok", Note: note, Seconds: time.Since(start).Seconds()}
	switch {
	case errors.Is(err, errSkipped):
		r.Status = "skipped"
	case err != nil:
		r.Status = "failed"
		if note == "" {
			r.Note = firstLine(err.Error())
		}
		fmt.Fprintf(c.log, "%s: %v\n", p.name, err)
	}
	c.report.Parts = append(slices.DeleteFunc(c.report.Parts, func(old partResult) bool { return old.Name == p.name }), r)
	fmt.Fprintf(c.stderr, "%-10s %s after %.1f s: %s\n", "", r.Status, r.Seconds, r.Note)
	return r.Status
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
