package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The switch that every fault of a package is compiled in behind, and where the tests say
// which of them they reach.
const (
	switchVariable  = "GOTRAIN_SCHEMA_FAULT"
	reachedVariable = "GOTRAIN_SCHEMA_REACHED"
	switchFile      = "schema_fault_switch.go"
	switchText      = `
import (
	"os"
	"strconv"
	"sync"
)

var (
	schemaNumber, _ = strconv.Atoi(os.Getenv("` + switchVariable + `"))
	schemaFile      = os.Getenv("` + reachedVariable + `")
	schemaReached   sync.Map
)

func schemaFault(n int) bool {
	if schemaFile != "" {
		if _, known := schemaReached.LoadOrStore(n, true); !known {
			if f, err := os.OpenFile(schemaFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
				f.WriteString(strconv.Itoa(n) + "\n")
				f.Close()
			}
		}
	}
	return n == schemaNumber
}
`
)

// overlay writes the files with faults, the switch, and the list that the go command reads.
func (s *schema) overlay(dir string, texts [][]byte) (string, error) {
	replace := map[string]string{}
	put := func(name string, text []byte) error {
		replace[filepath.Join(s.pkg.Dir, name)] = filepath.Join(dir, name)
		return os.WriteFile(filepath.Join(dir, name), text, 0o666)
	}
	for i, name := range s.pkg.GoFiles {
		if err := put(name, texts[i]); err != nil {
			return "", err
		}
	}
	if err := put(switchFile, append([]byte("package "+s.pkg.Name), switchText...)); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o666)
}

// binary builds the tests of a package once, sees which of them pass and what those reach, and
// runs them with each fault that is alive and reached.
func (s *schema) binary(ctx context.Context, w io.Writer, name, overlay, by string, alive []verdict) error {
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", name, by)
	build.Dir = s.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) { // there are no tests
		return nil
	}
	dir, err := exec.CommandContext(ctx, "go", "list", "-C", s.root, "-f", "{{.Dir}}", by).Output()
	if err != nil {
		return err
	}
	var skip []string // tests that fail without a fault
	command := func(limit time.Duration, env string, flags ...string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, limit+10*time.Second)
		defer cancel()
		flags = append(flags, "-test.timeout="+limit.String(), "-test.run="+s.run)
		if len(skip) > 0 {
			flags = append(flags, "-test.skip=^("+strings.Join(skip, "|")+")$")
		}
		cmd := exec.CommandContext(ctx, name, flags...)
		cmd.Dir, cmd.Env, cmd.WaitDelay = strings.TrimSpace(string(dir)), append(os.Environ(), env), 5*time.Second
		return cmd.CombinedOutput()
	}
	began := time.Now()
	out, err := command(s.limit, reachedVariable+"="+name+".reached")
	if skip = failing(out); err != nil && len(skip) > 0 {
		fmt.Fprintf(w, "%s: fail without a fault and are left out: %s\n", by, strings.Join(skip, ", "))
		os.Remove(name + ".reached")
		began = time.Now()
		out, err = command(s.limit, reachedVariable+"="+name+".reached")
	}
	if err != nil {
		return fmt.Errorf("without a fault, within %s: %w: %s", s.limit, err, out[max(0, len(out)-4000):])
	}
	limit := min(s.limit, 5*time.Since(began)+s.slack)
	reached, err := os.ReadFile(name + ".reached")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var numbers []int
	for field := range strings.FieldsSeq(string(reached)) {
		i, err := strconv.Atoi(field)
		if i--; err == nil && (alive[i] == unreached || alive[i] == survived) {
			numbers = append(numbers, i)
			if alive[i] == unreached {
				alive[i] = untested
			}
		}
	}
	work := make(chan int)
	var workers sync.WaitGroup
	for range s.jobs {
		workers.Go(func() {
			for i := range work {
				out, err := command(limit, fmt.Sprintf("%s=%d", switchVariable, i+1), "-test.failfast")
				if ctx.Err() != nil {
					return
				}
				switch {
				case err == nil:
					alive[i] = survived
				case bytes.Contains(out, []byte("panic: test timed out")) || !bytes.Contains(out, []byte("FAIL")) && !bytes.Contains(out, []byte("panic:")):
					alive[i] = hung
				default:
					alive[i] = noticed
				}
			}
		})
	}
	for _, i := range numbers {
		select {
		case work <- i:
		case <-ctx.Done():
		}
	}
	close(work)
	workers.Wait()
	return ctx.Err()
}

// failing are the tests that failed, of what a test binary printed.
func failing(out []byte) []string {
	var names []string
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			names = append(names, strings.Fields(rest)[0])
		}
	}
	return names
}

// listExports are the packages of patterns, and where the compiler's export data is of all
// that they import.
func listExports(ctx context.Context, root string, patterns []string) ([]listed, map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-export", "-json=Dir,ImportPath,Name,GoFiles,Export,DepOnly"}, patterns...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("go list: %w", err)
	}
	var all []listed
	exports := map[string]string{}
	for decode := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			listed
			Export  string
			DepOnly bool
		}
		switch err := decode.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, exports, nil
		case err != nil:
			return nil, nil, err
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			all = append(all, p.listed)
		}
	}
}

// opened opens the export data of a path.
func opened(exports map[string]string) importer.Lookup {
	return func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
}

func importPaths(ctx context.Context, root string, patterns []string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, patterns...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	return strings.Fields(string(out)), err
}
