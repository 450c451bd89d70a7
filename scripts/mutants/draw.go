package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// swaps are the operators that take each other's place: borders, conditions, arithmetic.
var swaps = map[token.Token][]token.Token{
	token.LSS: {token.LEQ, token.GTR}, token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LSS}, token.GEQ: {token.GTR, token.LSS},
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL}, token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD}, token.MUL: {token.QUO}, token.QUO: {token.MUL},
	token.REM: {token.QUO}, token.AND: {token.OR}, token.OR: {token.AND}, token.SHL: {token.SHR}, token.SHR: {token.SHL},
	token.ADD_ASSIGN: {token.SUB_ASSIGN, token.ASSIGN}, token.SUB_ASSIGN: {token.ADD_ASSIGN, token.ASSIGN},
	token.MUL_ASSIGN: {token.QUO_ASSIGN, token.ASSIGN}, token.INC: {token.DEC}, token.DEC: {token.INC},
}

// edit is a change of a file's bytes from..to.
type edit struct {
	from, to int
	text     string
	kind     string
}

// listed is what the go command says of a package.
type listed struct {
	Dir, ImportPath, Name      string
	GoFiles, Imports           []string
	TestGoFiles, TestImports   []string
	XTestGoFiles, XTestImports []string
}

// draw writes n faults at places drawn at random, as a list, for a reader to strike out
// those that change no result. The glob chooses among the files by path from the root, or
// by a folder on it.
func draw(w io.Writer, root string, n int, seed uint64, glob string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	packages, err := listPackages(root)
	if err != nil {
		return err
	}
	type source struct {
		file  string
		tests []string
		text  []byte
		edits []edit
	}
	var sources []source
	var weights []int
	total := 0
	for _, p := range packages {
		dir, err := filepath.Rel(root, p.Dir)
		if err != nil {
			return err
		}
		for _, name := range p.GoFiles {
			file := filepath.ToSlash(filepath.Join(dir, name))
			if strings.HasPrefix(file, "scripts/") || strings.HasSuffix(dir, "test") || !chosen(glob, file) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				return err
			}
			edits, err := editsOf(file, text)
			if err != nil {
				return err
			}
			if len(edits) > 0 {
				sources = append(sources, source{file, testsOf(root, p, packages), text, edits})
				total += len(edits)
				weights = append(weights, total)
			}
		}
	}
	if total == 0 {
		return errors.New("no file to draw from")
	}
	random := rand.New(rand.NewPCG(seed, 0))
	seen := map[string]bool{}
	fmt.Fprintf(w, "# %d faults drawn from %d places with seed %d.\n", n, total, seed)
	for i, tries := 0, 0; i < n && tries < 100*n; tries++ {
		k := random.IntN(total)
		s, _ := slices.BinarySearch(weights, k+1)
		src := sources[s]
		e := src.edits[k-(weights[s]-len(src.edits))]
		old, put, ok := lines(src.text, e)
		if place := fmt.Sprint(src.file, e); ok && !seen[place] {
			seen[place] = true
			i++
			fmt.Fprintf(w, "\n@ %s-%d %s %s\n%s%s", e.kind, i, src.file, strings.Join(src.tests, " "), marked('-', old), marked('+', put))
		}
	}
	return nil
}

// chosen says that a glob matches a file's path, or that of a folder which holds it.
func chosen(glob, file string) bool {
	for p := file; p != "."; p = path.Dir(p) {
		if ok, err := path.Match(glob, p); ok && err == nil {
			return true
		}
	}
	return false
}

// listPackages are the packages of the tree with Go files.
func listPackages(root string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,GoFiles,Imports,TestGoFiles,TestImports,XTestGoFiles,XTestImports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []listed
	for decode := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := decode.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, p)
	}
}

// testsOf are the packages whose tests should notice a fault of p: its own, and those
// that import it, or whose tests do.
func testsOf(root string, p listed, all []listed) []string {
	var tests []string
	for _, q := range all {
		if len(q.TestGoFiles)+len(q.XTestGoFiles) == 0 {
			continue
		}
		dir, err := filepath.Rel(root, q.Dir)
		if err != nil {
			continue
		}
		switch dir = "./" + filepath.ToSlash(dir); {
		case q.ImportPath == p.ImportPath:
			tests = slices.Insert(tests, 0, dir)
		case slices.Contains(slices.Concat(q.Imports, q.TestImports, q.XTestImports), p.ImportPath):
			tests = append(tests, dir)
		}
	}
	return tests
}

// editsOf are the changes of a file that compile most of the time: none in generated
// files, declarations of constants, texts, and what makes errors.
func editsOf(name string, text []byte) ([]edit, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	var edits []edit
	at := func(p token.Pos) int { return set.Position(p).Offset }
	put := func(kind string, from token.Pos, length int, with string) {
		edits = append(edits, edit{at(from), at(from) + length, with, kind})
	}
	operator := func(kind string, at token.Pos, op token.Token) {
		for _, other := range swaps[op] {
			put(kind, at, len(op.String()), other.String())
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok == token.VAR
		case *ast.CallExpr:
			if speaks(n) {
				return false
			}
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "min" || f.Name == "max") {
				put("extreme", f.Pos(), 3, map[string]string{"min": "max", "max": "min"}[f.Name])
			}
		case *ast.BinaryExpr:
			if isNil(n.X) || isNil(n.Y) {
				return false
			}
			operator("operator", n.OpPos, n.Op)
		case *ast.AssignStmt:
			operator("assignment", n.TokPos, n.Tok)
			if n.Tok == token.ASSIGN && len(n.Lhs) == 1 {
				edits = append(edits, leftOut(text, at(n.Pos()), at(n.End())))
			}
		case *ast.IncDecStmt:
			operator("step", n.TokPos, n.Tok)
		case *ast.UnaryExpr:
			if n.Op == token.NOT || n.Op == token.SUB {
				put("sign", n.OpPos, 1, "")
			}
		case *ast.BasicLit:
			if v, err := strconv.Atoi(n.Value); err == nil && n.Kind == token.INT {
				put("number", n.Pos(), len(n.Value), strconv.Itoa(v+1))
			}
		case *ast.ExprStmt:
			if call, ok := n.X.(*ast.CallExpr); ok && !speaks(call) {
				edits = append(edits, leftOut(text, at(n.Pos()), at(n.End())))
			}
		case *ast.ReturnStmt:
			return !returnsError(n)
		case *ast.BranchStmt:
			if other := map[token.Token]string{token.CONTINUE: "break", token.BREAK: "continue"}[n.Tok]; other != "" && n.Label == nil {
				put("branch", n.Pos(), len(n.Tok.String()), other)
			}
		case *ast.IfStmt:
			if n.Init == nil && !endsInError(n.Body) {
				edits = append(edits, edit{at(n.Cond.Pos()), at(n.Cond.End()), "!(" + string(text[at(n.Cond.Pos()):at(n.Cond.End())]) + ")", "condition"})
			}
		}
		return true
	})
	return slices.DeleteFunc(edits, func(e edit) bool { return e.kind == "" }), nil
}

// leftOut leaves out a statement of one line. What it names stays used.
func leftOut(text []byte, from, to int) edit {
	if bytes.ContainsRune(text[from:to], '\n') {
		return edit{}
	}
	return edit{from, to, "if false { " + string(text[from:to]) + " }", "left-out"}
}

// speaks says that a call makes an error or a message, whose words no result is.
func speaks(n *ast.CallExpr) bool {
	s, ok := n.Fun.(*ast.SelectorExpr)
	if !ok {
		f, ok := n.Fun.(*ast.Ident)
		return ok && f.Name == "panic"
	}
	x, ok := s.X.(*ast.Ident)
	return ok && (x.Name == "fmt" && s.Sel.Name != "Sprintf" || x.Name == "errors" || x.Name == "log" || s.Sel.Name == "Close" || s.Sel.Name == "Errorf")
}

func isNil(x ast.Expr) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == "nil"
}

// endsInError says that a body ends by returning an error, which is not silent.
func endsInError(body *ast.BlockStmt) bool {
	if len(body.List) == 0 {
		return false
	}
	r, ok := body.List[len(body.List)-1].(*ast.ReturnStmt)
	return ok && returnsError(r)
}

func returnsError(r *ast.ReturnStmt) bool {
	if len(r.Results) == 0 {
		return false
	}
	switch last := r.Results[len(r.Results)-1].(type) {
	case *ast.CallExpr:
		return speaks(last)
	case *ast.Ident:
		return last.Name == "err"
	}
	return false
}

// lines are the lines that e changes, before and after, with as many lines before them as
// make them stand once in the text. They end with a line break.
func lines(text []byte, e edit) (old, put string, ok bool) {
	from := bytes.LastIndexByte(text[:e.from], '\n') + 1
	to := len(text)
	if i := bytes.IndexByte(text[e.to:], '\n'); i >= 0 {
		to = e.to + i
	}
	for range 6 {
		old = string(text[from:to])
		if bytes.Count(text, []byte(old)) == 1 {
			return old, string(text[from:e.from]) + e.text + string(text[e.to:to]), true
		}
		if from == 0 {
			break
		}
		from = bytes.LastIndexByte(text[:from-1], '\n') + 1
	}
	return "", "", false
}

func marked(mark byte, text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteByte(mark)
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}
