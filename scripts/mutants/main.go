// Command mutants plants faults into the program, one at a time, and tells which of
// them the tests notice.
//
//	go run ./scripts/mutants [-only GLOB] [-jobs N] [-check] [-again] [-v] [DIR]
//	go run ./scripts/mutants -draw N [-seed S] [-only GLOB] > DIR/drawn.txt
//	go run ./scripts/mutants -schema [-draw N] [-seed S] [-only GLOB] [-by PACKAGE,...] PACKAGE...
//
// The faults are in the lists *.txt beside it, or in DIR. Nothing in the tree is changed. What was
// noticed is remembered in the file of -results, so that a later run goes on; -again
// forgets it. It fails when a fault that has no reason survives, or one does not apply
// or compile. With -draw it writes a list of faults at places drawn at random instead, of
// the files that the GLOB matches: what a reader of it finds to be wrong and no test
// notices is a hole in the tests.
//
// With -schema N faults at random lines of each PACKAGE are compiled in at once, each behind
// a switch that the tests' environment sets, so that a package's own tests, or those of -by,
// are built once and run once a fault. Those that survive are printed, also when it is
// interrupted. A test that fails without a fault is named and left out.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("only", "*", "faults whose id, or whose list, the `GLOB` matches: train, train/ema-*")
	jobs := flag.Int("jobs", 1, "faults at a time")
	check := flag.Bool("check", false, "only make sure that each fault applies")
	again := flag.Bool("again", false, "test again what was noticed before")
	limit := flag.Duration("timeout", 5*time.Minute, "of the tests of a package; a fault that hangs them is noticed")
	match := flag.String("run", "", "only tests that match, as go test has it")
	results := flag.String("results", filepath.Join(os.TempDir(), "gotrain-mutants.jsonl"), "`FILE` of what was noticed")
	drawn := flag.Int("draw", 0, "write a list of `N` faults at random places")
	seed := flag.Uint64("seed", 1, "of -draw")
	behind := flag.Bool("schema", false, "plant faults at random lines of the packages that are named, and test them without building again")
	by := flag.String("by", "", "of -schema: the `PACKAGES`, with commas, whose tests should notice, in place of a package's own")
	verbose := flag.Bool("v", false, "tell of each fault that was noticed, by which test")
	flag.Parse()

	root, err := moduleRoot()
	if err != nil {
		return err
	}
	if *behind {
		dir, err := os.MkdirTemp("", "mutants-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s := schema{root: root, dir: dir, only: *only, run: *match, limit: *limit, slack: 10 * time.Second, jobs: *jobs}
		return schemata(ctx, os.Stdout, s, flag.Args(), *by, cmp.Or(*drawn, 40), *seed)
	}
	if *drawn > 0 {
		return draw(os.Stdout, root, *drawn, *seed, *only)
	}
	lists := filepath.Join(root, "scripts", "mutants")
	if flag.NArg() > 0 {
		lists = flag.Arg(0)
	}
	faults, err := readLists(lists)
	if err != nil {
		return err
	}
	faults, err = selected(faults, *only)
	if err != nil {
		return err
	}
	if *check {
		return checkAll(root, faults)
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	before := map[string]bool{}
	if !*again {
		before = readResults(*results)
	}
	file, err := os.OpenFile(*results, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	p := planter{root: root, dir: dir, limit: *limit, run: *match, procs: max(1, runtime.NumCPU() / *jobs)}
	return plantAll(ctx, p, faults, *jobs, before, &report{file: file, verbose: *verbose, count: map[verdict]int{}})
}

// moduleRoot is the folder of go.mod.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("run it inside the tree")
	}
	return filepath.Dir(mod), nil
}

// selected are the faults whose id or list a pattern matches.
func selected(faults []fault, glob string) ([]fault, error) {
	var chosen []fault
	for _, f := range faults {
		for _, name := range []string{f.id, path.Dir(f.id)} {
			ok, err := path.Match(glob, name)
			if err != nil {
				return nil, fmt.Errorf("-only %s: %w", glob, err)
			}
			if ok {
				chosen = append(chosen, f)
				break
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only %s: there is no such fault", glob)
	}
	return chosen, nil
}

// checkAll makes sure that each fault applies.
func checkAll(root string, faults []fault) error {
	var errs []error
	for _, f := range faults {
		if _, err := f.plant(root); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", f.from, f.id, err))
		}
	}
	if len(errs) == 0 {
		fmt.Printf("%d faults apply\n", len(faults))
	}
	return errors.Join(errs...)
}

// plantAll tests the faults that were not noticed before, several at a time.
func plantAll(ctx context.Context, p planter, faults []fault, jobs int, before map[string]bool, r *report) error {
	work := make(chan fault)
	var workers sync.WaitGroup
	for range jobs {
		workers.Go(func() {
			for f := range work {
				o := p.test(ctx, f)
				if ctx.Err() == nil {
					r.add(f, o)
				}
			}
		})
	}
	for _, f := range faults {
		if before[f.key()] {
			r.known()
			continue
		}
		select {
		case work <- f:
		case <-ctx.Done():
		}
	}
	close(work)
	workers.Wait()
	return errors.Join(ctx.Err(), r.end())
}

// report tells of outcomes and keeps them.
type report struct {
	mu      sync.Mutex
	file    *os.File
	verbose bool
	count   map[verdict]int
	reasons int // of the survivors
}

// known counts a fault that an earlier run has seen noticed.
func (r *report) known() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[noticed]++
}

func (r *report) add(f fault, o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[o.Verdict]++
	line, err := json.Marshal(o)
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants: results:", err)
	}
	switch {
	case o.Verdict == survived && f.reason != "":
		r.reasons++
		fmt.Printf("survived   %s: %s\n", f.id, f.reason)
	case o.Verdict == noticed && f.reason != "":
		fmt.Printf("noticed    %s, though its reason says %q: %s\n", f.id, f.reason, o.By)
	case o.Verdict != noticed:
		fmt.Printf("%s   %s (%s) %s\n", strings.ToUpper(string(o.Verdict)), f.id, f.from, o.By)
	case r.verbose:
		fmt.Printf("noticed    %s, %.1f s: %s\n", f.id, o.Seconds, o.By)
	}
}

// end counts, and fails when a fault was not noticed that should have been.
func (r *report) end() error {
	n, all := r.count[noticed], r.count[noticed]+r.count[survived]
	fmt.Printf("%d of %d noticed (%.1f%%), %d survive with a reason\n", n, all, 100*float64(n)/float64(max(1, all)), r.reasons)
	bad := r.count[survived] - r.reasons + r.count[stale] + r.count[broken]
	if bad > 0 {
		return fmt.Errorf("%d faults survive without a reason, do not apply or do not compile", bad)
	}
	return nil
}

// key identifies a fault by its text, so that a changed one is tested again.
func (f fault) key() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q %q", f.file, f.old, f.new)
	return fmt.Sprintf("%016x", h.Sum64())
}

// readResults are the keys of the faults that were noticed. Without the file there are
// none.
func readResults(name string) map[string]bool {
	keys := map[string]bool{}
	text, err := os.ReadFile(name)
	if err != nil {
		return keys
	}
	for line := range strings.Lines(string(text)) {
		var o outcome
		if json.Unmarshal([]byte(line), &o) == nil {
			keys[o.Key] = o.Verdict == noticed
		}
	}
	return keys
}
