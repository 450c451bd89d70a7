package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schema is a package with faults compiled in.
type schema struct {
	root, dir string   // of the module, and for what is made
	pkg       listed   // with faults
	by        []string // whose tests should notice: packages' import paths
	only      string   // GLOB of files
	run       string   // of go test
	limit     time.Duration
	slack     time.Duration // of a run beyond five times what it takes without a fault
	jobs      int

	set    *token.FileSet
	lookup importer.Lookup
	texts  [][]byte   // of the package's files
	all    []switched // faults, those that do not compile too
	faults []switched // that were drawn
}

// fate is what became of a fault: verdicts, and three more.
const (
	hung      verdict = "ran out of time"
	unreached verdict = "no test reaches it"
	untested  verdict = "reached, and not tested yet"
)

// schemata plants n faults in each package, a seed's choice among lines, and tests each without
// building again. It tells of those that survive.
func schemata(ctx context.Context, w io.Writer, s schema, packages []string, by string, n int, seed uint64) error {
	all, exports, err := listExports(ctx, s.root, packages)
	if err != nil {
		return err
	}
	var tests []string
	if by != "" {
		if tests, err = importPaths(ctx, s.root, strings.Split(by, ",")); err != nil {
			return err
		}
	}
	s.lookup = opened(exports)
	sum := map[verdict]int{}
	var errs []error
	for _, p := range all {
		if ctx.Err() != nil {
			break
		}
		s.pkg, s.by = p, tests
		if tests == nil {
			s.by = []string{p.ImportPath}
		}
		count, err := s.test(ctx, w, n, seed)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.ImportPath, err))
		}
		for v, n := range count {
			sum[v] += n
		}
	}
	fmt.Fprintf(w, "%s\n", shares("all", sum))
	return errors.Join(errs...)
}

// shares is the line that ends the report of a package.
func shares(name string, count map[verdict]int) string {
	n := count[noticed] + count[hung]
	all := n + count[survived] + count[unreached]
	line := fmt.Sprintf("%s: %d of %d noticed (%.1f%%; %d by their time), %d survive, %d in lines that no test reaches",
		name, n, all, 100*float64(n)/float64(max(1, all)), count[hung], count[survived], count[unreached])
	if count[untested] > 0 {
		line += fmt.Sprintf("; %d not tested", count[untested])
	}
	return line
}

// test chooses, builds and runs.
func (s *schema) test(ctx context.Context, w io.Writer, n int, seed uint64) (map[verdict]int, error) {
	texts, err := s.choose(n, seed)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, "schema-")
	if err != nil {
		return nil, err
	}
	overlay, err := s.overlay(dir, texts)
	if err != nil {
		return nil, err
	}
	count := map[verdict]int{}
	alive := make([]verdict, len(s.faults))
	for i := range alive {
		alive[i] = unreached
	}
	for i, by := range s.by {
		err := s.binary(ctx, w, fmt.Sprint(filepath.Join(dir, "tests"), i), overlay, by, alive)
		if err != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("tests of %s: %w", by, err)
		}
	}
	for i, f := range s.faults {
		count[alive[i]]++
		if v := alive[i]; v == survived || v == unreached {
			name, err := filepath.Rel(s.root, filepath.Join(s.pkg.Dir, s.pkg.GoFiles[f.file]))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(w, "%s:%d: %s: %s: %s\n", name, f.line, v, f.kind, strings.Join(strings.Fields(f.shown), " "))
		}
	}
	fmt.Fprintf(w, "%s\n", shares(s.pkg.ImportPath, count))
	return count, ctx.Err()
}

// choose draws faults, at most one of a line, none in another's place, and such that the
// package compiles. It gives the texts of the files with them.
func (s *schema) choose(n int, seed uint64) ([][]byte, error) {
	s.set, s.texts, s.all = token.NewFileSet(), nil, nil
	for _, name := range s.pkg.GoFiles {
		text, err := os.ReadFile(filepath.Join(s.pkg.Dir, name))
		if err != nil {
			return nil, err
		}
		s.texts = append(s.texts, text)
	}
	files, pkg, info, errs := s.check(s.texts)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for i, file := range files {
		rel, err := filepath.Rel(s.root, filepath.Join(s.pkg.Dir, s.pkg.GoFiles[i]))
		if err != nil {
			return nil, err
		}
		if chosen(s.only, filepath.ToSlash(rel)) {
			f := finder{set: s.set, pkg: pkg, info: info, file: i, tree: file, text: s.texts[i]}
			s.all = append(s.all, f.all()...)
		}
	}
	bad := map[int]bool{}
	for {
		texts, places := s.write(draws(s.all, bad, n, seed))
		_, _, _, errs := s.check(texts)
		if len(errs) == 0 {
			return texts, nil
		}
		before := len(bad)
		for _, at := range positions(errs) {
			file := slices.Index(s.pkg.GoFiles, filepath.Base(at.Filename))
			last := -1
			for _, p := range places { // in order: the last that begins before, at whose end what selects from it may be wrong
				if p.file == file && p.from <= at.Offset {
					last = p.fault
				}
			}
			if last >= 0 {
				bad[last] = true
			}
		}
		if len(bad) == before {
			return nil, errors.Join(errs...)
		}
	}
}

// positions are those of errors of the parser and of the types.
func positions(errs []error) []token.Position {
	var at []token.Position
	for _, err := range errs {
		var parsed scanner.ErrorList
		var typed types.Error
		switch {
		case errors.As(err, &parsed):
			for _, e := range parsed {
				at = append(at, e.Pos)
			}
		case errors.As(err, &typed):
			at = append(at, typed.Fset.Position(typed.Pos))
		}
	}
	return at
}

// place is where a fault stands in a written file.
type place struct{ file, from, to, fault int }

// draws orders lines by the seed, then the faults of each, and takes the first that is not
// bad and in no other's place, until there are n. It gives their places in all too.
func draws(all []switched, bad map[int]bool, n int, seed uint64) ([]switched, []int) {
	random := rand.New(rand.NewPCG(seed, 1))
	lines := map[[2]int][]int{}
	var order [][2]int
	for i, f := range all {
		at := [2]int{f.file, f.line}
		if lines[at] == nil {
			order = append(order, at)
		}
		lines[at] = append(lines[at], i)
	}
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	var taken []int
	for _, at := range order {
		of := lines[at]
		random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		for _, i := range of {
			if len(taken) < n && !bad[i] && !slices.ContainsFunc(taken, func(k int) bool { return all[k].overlap(all[i]) }) {
				taken = append(taken, i)
				break
			}
		}
	}
	slices.Sort(taken)
	faults := make([]switched, len(taken))
	for k, i := range taken {
		faults[k] = all[i]
	}
	return faults, taken
}

// write puts faults into the texts of the files.
func (s *schema) write(faults []switched, numbers []int) ([][]byte, []place) {
	s.faults = faults
	var places []place
	texts := make([][]byte, len(s.texts))
	for i, text := range s.texts {
		type numbered struct {
			edit
			fault int
		}
		var edits []numbered
		for k, f := range faults {
			for _, e := range f.edits {
				if f.file == i {
					e.text = strings.ReplaceAll(e.text, numberMark, strconv.Itoa(k+1))
					edits = append(edits, numbered{e, numbers[k]})
				}
			}
		}
		slices.SortFunc(edits, func(a, b numbered) int { return a.from - b.from })
		var out bytes.Buffer
		end := 0
		for _, e := range edits {
			out.Write(text[end:e.from])
			from := out.Len()
			out.WriteString(e.text)
			places = append(places, place{i, from, out.Len(), e.fault})
			end = e.to
		}
		out.Write(text[end:])
		texts[i] = out.Bytes()
	}
	return texts, places
}

// check parses and checks the types of the package's files, and of the switch.
func (s *schema) check(texts [][]byte) ([]*ast.File, *types.Package, *types.Info, []error) {
	var files []*ast.File
	var errs []error
	parse := func(name string, text []byte) {
		file, err := parser.ParseFile(s.set, filepath.Join(s.pkg.Dir, name), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			errs = append(errs, err)
		}
		files = append(files, file)
	}
	for i, name := range s.pkg.GoFiles {
		parse(name, texts[i])
	}
	if len(errs) > 0 {
		return nil, nil, nil, errs
	}
	parse(switchFile, []byte("package "+files[0].Name.Name+switchText))
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	conf := types.Config{
		Importer: importer.ForCompiler(s.set, "gc", s.lookup), Sizes: types.SizesFor("gc", "amd64"),
		Error: func(err error) { errs = append(errs, err) },
	}
	pkg, _ := conf.Check(s.pkg.ImportPath, s.set, files, info)
	return files[:len(files)-1], pkg, info, errs
}
