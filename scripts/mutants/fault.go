package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fault is a change of one file that makes a result silently wrong.
type fault struct {
	id     string
	file   string   // from the root of the tree
	tests  []string // what should notice: packages, or PACKAGE:TESTS as go test -run has them
	old    string   // stands once in the file
	new    string
	reason string // why no test is meant to notice, "" for most
	from   string // list and line
}

// parse reads a list. A fault is
//
//	@ ID FILE PACKAGE...
//	-text that stands once in FILE
//	+text in its place
//	? why no test can notice (only for those that survive)
//
// PACKAGE may be PACKAGE:TESTS, a pattern of go test -run, where the whole takes long, or
// NAME of an earlier line
//
//	= NAME PACKAGE...
//
// Text of several lines has a mark on each; what follows the mark is taken as it
// stands. Text without "+" is deleted. Lines that begin with "#", and empty ones, are
// comments.
func parse(name string, text []byte) ([]fault, error) {
	var faults []fault
	var old, put []string
	sets := map[string][]string{}
	end := func() {
		if n := len(faults); n > 0 {
			faults[n-1].old, faults[n-1].new = strings.Join(old, "\n"), strings.Join(put, "\n")
		}
		old, put = nil, nil
	}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for i := 1; lines.Scan(); i++ {
		line := lines.Text()
		place := fmt.Sprintf("%s:%d", filepath.Base(name), i)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '=' {
			if words := strings.Fields(line[1:]); len(words) > 1 {
				sets[words[0]] = words[1:]
			}
			continue
		}
		if line[0] != '@' && len(faults) == 0 {
			return nil, fmt.Errorf("%s: no fault begins before this line, with @", place)
		}
		switch line[0] {
		case '@':
			end()
			words := strings.Fields(line[1:])
			if len(words) < 3 {
				return nil, fmt.Errorf("%s: a fault is @ ID FILE PACKAGE... in one line", place)
			}
			f := fault{id: words[0], file: words[1], from: place}
			for _, word := range words[2:] {
				if set, ok := sets[word]; ok {
					f.tests = append(f.tests, set...)
				} else {
					f.tests = append(f.tests, word)
				}
			}
			faults = append(faults, f)
		case '-':
			old = append(old, line[1:])
		case '+':
			put = append(put, line[1:])
		case '?':
			f := &faults[len(faults)-1]
			f.reason = strings.TrimSpace(f.reason + " " + strings.TrimSpace(line[1:]))
		default:
			return nil, fmt.Errorf("%s: a line begins with @, -, +, ? or #", place)
		}
	}
	end()
	return faults, lines.Err()
}

// readLists reads all lists of a folder, NAME.txt, and puts NAME before the ids.
func readLists(dir string) ([]fault, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []fault
	var errs []error
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		faults, err := parse(name, text)
		if err != nil {
			errs = append(errs, err)
		}
		for _, f := range faults {
			f.id = strings.TrimSuffix(filepath.Base(name), ".txt") + "/" + f.id
			all = append(all, f)
		}
	}
	for i, f := range all {
		if slices.ContainsFunc(all[:i], func(g fault) bool { return g.id == f.id }) {
			errs = append(errs, fmt.Errorf("%s: there are two faults %s", f.from, f.id))
		}
	}
	return all, errors.Join(errs...)
}

// plant gives the file of f with the fault in it.
func (f fault) plant(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, f.file))
	if err != nil {
		return nil, err
	}
	switch n := strings.Count(string(text), f.old); {
	case f.old == "" || f.old == f.new:
		return nil, errors.New("the fault changes nothing")
	case n != 1:
		return nil, fmt.Errorf("its text stands %d times in %s", n, f.file)
	}
	return []byte(strings.Replace(string(text), f.old, f.new, 1)), nil
}
