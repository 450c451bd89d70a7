// Gpucheck checks gotrain on a machine with a GPU, without Go, a compiler or a
// network: scripts/gpu-check packs it with all that it needs, and starts it.
//
// It runs every part by itself, each with a limit of time, and goes on when one
// fails; what is known is appended to gpu-check.jsonl at once, and at the end it prints
// one table and writes gpu-check.json. Read in this order: the parts (here), budget.go
// and command.go (how long and how programs are run), speed.go, tests.go, training.go,
// ranks.go (what the parts do), report.go, rows.go and table.go (what comes out).
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

// parts are in the order in which they run: what says the most in the shortest time first,
// so that a short loan ends with the most that it can know.
var parts = []part{
	{"doctor", "what the machine has, by gotrain doctor and nvidia-smi", (*checker).doctor, func(r *report) { r.Card, r.Doctor = card{}, nil }},
	{"first", "a step of GPT-2 124M and of 1558M: where its time goes, and the same bits twice", (*checker).first, func(r *report) { r.First = nil }},
	{"bench", "speed of kernels and steps", (*checker).bench, func(r *report) { r.Bench = benchReport{} }},
	{"torch", "the same kernels and one step in PyTorch", (*checker).torch, func(r *report) { r.Torch = torchReport{} }},
	{"driver", "tests of the driver layer and of the back end", (*checker).driver, func(r *report) { r.dropSuites("cuda", "cuda/backend") }},
	{"hopper", "the primitives of cuda.attention: hopper beside mma.sync, then its kernels", (*checker).hopper, func(r *report) { r.dropSuites("hopper primitives", "hopper attention") }},
	{"kernels", "every kernel against its definition and PyTorch's values", (*checker).kernels, func(r *report) { r.dropSuites("autograd/optest") }},
	{"training", "the loss of each step on the GPU and the CPU, and changes between them", (*checker).training, func(r *report) { r.Training = nil }},
	{"ranks", "two ranks on a GPU each beside one, and NCCL's speed", (*checker).ranks, func(r *report) { r.Ranks = ranksReport{} }},
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

	budget budget
	start  func(ctx context.Context, cmd command) output // execute, but in tests
	rows   string                                        // the file of rows
	part   string                                        // that runs
	mute   bool                                          // the rows cannot be written
}

func main() {
	c := &checker{stdout: os.Stdout, stderr: os.Stderr, budget: budget{now: time.Now}}
	c.start = c.execute
	var out string
	var minutes float64
	flag.StringVar(&c.dir, "dir", ".", "the unpacked `FOLDER`")
	flag.StringVar(&out, "out", ".", "`FOLDER` for gpu-check.json, gpu-check.jsonl and gpu-check.log; parts that do not run keep what the first has of them, the others only grow")
	flag.Float64Var(&minutes, "minutes", 0, "end after `N` minutes: parts come in the order of what they tell, those that are late are cut or left out; 0 is no limit")
	flag.StringVar(&c.python, "python", "", "the `INTERPRETER` that has PyTorch, and whose CUDA libraries serve gotrain too (default: the first that has it)")
	flag.BoolVar(&c.small, "small", false, "small sizes, for a simulated device")
	flag.StringVar(&c.stepNames, "steps", "", "`NAMES` of training steps for bench and torch, with commas; gotrain bench knows them")
	flag.Float64Var(&c.seconds, "seconds", 0, "`S` seconds for each training step that is timed (default 3, with -minutes 1)")
	flag.Usage = usage
	flag.Parse()
	c.limit(minutes)
	ok, err := c.check(out, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "gpu-check:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// limit sets the end of the run, and what follows from it.
func (c *checker) limit(minutes float64) {
	if minutes > 0 {
		c.budget.end = c.budget.now().Add(time.Duration(minutes * float64(time.Minute)))
	}
	if c.seconds == 0 {
		c.seconds = 3
		if minutes > 0 {
			c.seconds = 1
		}
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
	log, err := os.OpenFile(filepath.Join(out, "gpu-check.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return false, err
	}
	defer log.Close()
	c.log, c.rows = log, filepath.Join(out, "gpu-check.jsonl")
	if c.work, err = os.MkdirTemp("", "gpu-check-*"); err != nil {
		return false, err
	}
	defer os.RemoveAll(c.work)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c.python = findPython(c.python)
	c.libraries = libraryPath(c.python, libraryFolders...)
	results := filepath.Join(out, "gpu-check.json")
	if err := c.report.read(results); err != nil {
		return false, err
	}
	c.report.When, c.report.Small = c.budget.now().UTC().Format(time.RFC3339), c.small
	for i, p := range chosen {
		if ctx.Err() != nil {
			break
		}
		c.budget.last = i == len(chosen)-1
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
	c.part = p.name
	start := c.budget.now()
	note, err := "", error(errNoTime)
	if !c.budget.over() {
		note, err = p.run(c, ctx)
	}
	r := partResult{Name: p.name, Status: "ok", Note: note, Seconds: c.budget.now().Sub(start).Seconds()}
	switch {
	case errors.Is(err, errNoTime) || errors.Is(err, errCut):
		r.Status = "cut"
		if note == "" {
			r.Note = firstLine(err.Error())
		}
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
	c.note(row{Status: r.Status, Seconds: r.Seconds, Note: r.Note})
	fmt.Fprintf(c.stderr, "%-10s %s after %.1f s: %s\n", "", r.Status, r.Seconds, r.Note)
	return r.Status
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
