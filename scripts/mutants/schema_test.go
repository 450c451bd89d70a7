package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/schema.txt and faults.txt anew")

// TestSchemata plants a fault at every line of a module of three tests: a test
// notices what it says by value, swapped arguments of a distance survive, no test reaches the
// error, and a countdown that goes up runs out of time.
func TestSchemata(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("testdata", "schema"))
	if err != nil {
		t.Fatal(err)
	}
	s := schema{root: root, only: "*", limit: time.Minute, slack: 4 * time.Second, jobs: 1}
	plant := func(n int, seed uint64, by string) string {
		s.dir = t.TempDir()
		var out bytes.Buffer
		if err := schemata(context.Background(), &out, s, []string{"."}, by, n, seed); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	golden(t, "schema.txt", plant(100, 3, ""))

	s.run = "TestNone"
	if out := plant(5, 3, "."); !strings.Contains(out, "all: 0 of 5 noticed (0.0%; 0 by their time), 0 survive, 5 in lines that no test reaches") {
		t.Error(out)
	}
	s.only = "other.go"
	if out := plant(5, 3, ""); !strings.Contains(out, "all: 0 of 0 noticed") {
		t.Error(out)
	}
}

// TestSwitched has every fault of a file with one place of each kind.
func TestSwitched(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module m\n\ngo 1.26\n", "m.go": `package m

import "fmt"

type pair struct{ a, b int }

const size = 3

func f(p pair, s []string, on bool) (n int, err error) {
	if !on {
		return 0, nil
	}
	if _, err = fmt.Sscan(s[0], &n); err != nil {
		return 0, fmt.Errorf("%q: %w", s[0], err)
	}
	for i := 0; i < len(s); i++ {
		if n > size && on {
			break
		}
		n += min(p.a, i)
	}
	counts := make(map[int]int, n)
	counts[size] = len(make([]int, n, 2*n))
	defer g(p.a, n)
	return n + 1, nil
}

func g(a, b int) { panic("no" + "thing") }
`} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := schema{root: root, only: "*"}
	all, exports, err := listExports(context.Background(), root, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	s.pkg, s.lookup = all[0], opened(exports)
	if _, err := s.choose(1, 1); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range s.all {
		b.WriteString(f.kind + ": " + strings.Join(strings.Fields(f.shown), " ") + "\n")
	}
	golden(t, "faults.txt", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || got != string(want) {
		t.Errorf("%v; got\n%s\nwant\n%s", err, got, want)
	}
}

// TestInterrupted: what was not tested yet is no part of the share, and packages that were
// not begun have no line.
func TestInterrupted(t *testing.T) {
	want := "p: 4 of 7 noticed (57.1%; 1 by their time), 2 survive, 1 in lines that no test reaches; 3 not tested"
	if got := shares("p", map[verdict]int{noticed: 3, hung: 1, survived: 2, unreached: 1, untested: 3}); got != want {
		t.Error(got)
	}
	root, err := filepath.Abs(filepath.Join("testdata", "schema"))
	if err != nil {
		t.Fatal(err)
	}
	all, exports, err := listExports(context.Background(), root, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	s := schema{root: root, dir: t.TempDir(), pkg: all[0], by: []string{"."}, only: "*", limit: time.Minute, jobs: 1, lookup: opened(exports)}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	count, err := s.test(ctx, &out, 5, 3)
	if !errors.Is(err, context.Canceled) || count[unreached] != 5 {
		t.Error(count, err, out.String())
	}
}
