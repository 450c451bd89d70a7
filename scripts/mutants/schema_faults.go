package main

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// switched is a fault that is compiled in behind a switch: its edits leave what the
// program does as it is unless schemaFault(its number) says true.
type switched struct {
	file  int // of the package
	line  int
	kind  string
	edits []edit // text has numberMark where the number of the fault goes
	shown string // old → new
}

// numberMark stands for the number of a fault in the text of its edits.
const numberMark = "\x00"

// finder collects the faults of a file.
type finder struct {
	set   *token.FileSet
	pkg   *types.Package
	info  *types.Info
	file  int
	tree  *ast.File
	text  []byte
	found []switched
}

// all gives the faults of a file, none of a generated one, nor in what panics, in constants'
// declarations, in lengths of arrays and in what make only reserves.
func (f *finder) all() []switched {
	if ast.IsGenerated(f.tree) {
		return nil
	}
	ast.PreorderStack(f.tree, nil, func(n ast.Node, stack []ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok == token.VAR
		case *ast.ArrayType:
			return false
		case ast.Stmt:
			f.statement(n, stack)
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "panic" || id.Name == "make" && f.reserves(n)) {
				return false
			}
		}
		if x, ok := n.(ast.Expr); ok {
			return f.expression(x)
		}
		return true
	})
	return f.found
}

// reserves says that a call of make tells how much there will be, which changes no result.
func (f *finder) reserves(x *ast.CallExpr) bool {
	_, isMap := f.info.TypeOf(x.Args[0]).Underlying().(*types.Map)
	return isMap || len(x.Args) == 3
}

func (f *finder) at(p token.Pos) int { return f.set.Position(p).Offset }

func (f *finder) source(n ast.Node) string { return string(f.text[f.at(n.Pos()):f.at(n.End())]) }

func (f *finder) add(kind string, n ast.Node, shown string, edits ...edit) {
	f.found = append(f.found, switched{f.file, f.set.Position(n.Pos()).Line, kind, edits, shown})
}

// instead is an expression x that a fault replaces by another of its type. It is none where
// the type has no name in this file.
func (f *finder) instead(x ast.Expr, other string) (edit, bool) {
	t := types.Default(f.info.TypeOf(x))
	known := t != nil && t != types.Typ[types.UntypedNil]
	if !known {
		return edit{}, false
	}
	name := types.TypeString(t, func(p *types.Package) string {
		if p == f.pkg {
			return ""
		}
		for _, spec := range f.tree.Imports {
			if v, _ := strconv.Unquote(spec.Path.Value); v == p.Path() && spec.Name == nil {
				return p.Name()
			} else if v == p.Path() {
				return spec.Name.Name
			}
		}
		known = false
		return p.Name()
	})
	text := "(func() " + name + " { if schemaFault(" + numberMark + ") { return " + other + " }; return " + f.source(x) + " }())"
	return edit{f.at(x.Pos()), f.at(x.End()), text, ""}, known
}

// replace adds the fault that x is another expression of its type.
func (f *finder) replace(kind string, x ast.Expr, other string) {
	if e, ok := f.instead(x, other); ok {
		f.add(kind, x, f.source(x)+" → "+other, e)
	}
}

// statement adds the faults of a statement that lies in a body: left out, or with another
// operator; and of a branch that ends what it stands in: never taken.
func (f *finder) statement(n ast.Stmt, stack []ast.Node) {
	source := f.source(n)
	unless := func(kind, other string) {
		text := "if !schemaFault(" + numberMark + ") { " + source + " }"
		if other != "" {
			text += " else { " + other + " }"
		}
		f.add(kind, n, source+" → "+other, edit{f.at(n.Pos()), f.at(n.End()), text, ""})
	}
	operator := func(at token.Pos, op token.Token) {
		for _, other := range swaps[op] {
			i := f.at(at) - f.at(n.Pos())
			unless("assignment", source[:i]+other.String()+source[i+len(op.String()):])
		}
	}
	switch stack[len(stack)-1].(type) {
	case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
	default:
		return
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			unless("left-out", "")
			operator(n.TokPos, n.Tok)
		}
	case *ast.IncDecStmt:
		unless("left-out", "")
		operator(n.TokPos, n.Tok)
	case *ast.ExprStmt:
		if !strings.HasPrefix(source, "panic(") {
			unless("left-out", "")
		}
	case *ast.DeferStmt, *ast.GoStmt:
		unless("left-out", "")
	case *ast.BranchStmt:
		if other := map[token.Token]string{token.CONTINUE: "break", token.BREAK: "continue"}[n.Tok]; other != "" && n.Label == nil {
			f.add("branch", n, source+" → "+other, edit{f.at(n.Pos()), f.at(n.End()), "{ if schemaFault(" + numberMark + ") { " + other + " }; " + source + " }", ""})
		}
	case *ast.IfStmt:
		err := strings.Contains(f.source(n.Cond), "err != nil")
		if !err {
			f.replace("condition", n.Cond, "!("+f.source(n.Cond)+")")
		}
		if k := len(n.Body.List); k > 0 && n.Else == nil {
			kind := "early-return"
			if err {
				kind = "error-ignored"
			}
			switch n.Body.List[k-1].(type) {
			case *ast.ReturnStmt, *ast.BranchStmt:
				f.replace(kind, n.Cond, "false")
			}
		}
	}
}

// expression adds the faults of x, and says whether its parts have some too.
func (f *finder) expression(x ast.Expr) bool {
	tv, ok := f.info.Types[x]
	if !ok && !isIdent(x) {
		return true
	}
	if tv.IsType() {
		return false
	}
	if tv.Value != nil {
		f.constant(x, tv)
		return false
	}
	switch x := x.(type) {
	case *ast.BinaryExpr:
		f.binary(x)
	case *ast.UnaryExpr:
		if x.Op == token.NOT || x.Op == token.SUB {
			f.replace("sign", x, f.source(x.X))
		}
	case *ast.SliceExpr:
		for _, bound := range []ast.Expr{x.Low, x.High} {
			if bound != nil && f.info.Types[bound].Value == nil {
				f.replace("off-by-one", bound, f.source(bound)+"+1")
			}
		}
	case *ast.IndexExpr:
		if tv := f.info.Types[x.Index]; tv.Value == nil && isNumber(tv.Type) {
			f.replace("off-by-one", x.Index, f.source(x.Index)+"+1")
		}
	case *ast.CallExpr:
		f.call(x)
	case *ast.SelectorExpr:
		f.field(x)
	case *ast.Ident:
		f.variable(x)
	}
	return true
}

func (f *finder) constant(x ast.Expr, tv types.TypeAndValue) {
	switch tv.Value.Kind() {
	case constant.Int, constant.Float:
		f.replace("number", x, f.source(x)+"+1")
	case constant.Bool:
		f.replace("truth", x, strconv.FormatBool(!constant.BoolVal(tv.Value)))
	case constant.String:
		if s := constant.StringVal(tv.Value); s != "" {
			f.replace("text", x, strconv.Quote(s+"~"))
		}
	}
}

func (f *finder) binary(x *ast.BinaryExpr) {
	t := f.info.TypeOf(x.X)
	if isNil(x.X) || isNil(x.Y) || x.Op == token.ADD && !isNumber(t) {
		return
	}
	i := f.at(x.OpPos) - f.at(x.Pos())
	source := f.source(x)
	for _, other := range swaps[x.Op] {
		f.replace("operator", x, source[:i]+other.String()+source[i+len(x.Op.String()):])
	}
}

// call adds arguments of one type that take each other's place, and the other extreme.
func (f *finder) call(x *ast.CallExpr) {
	fun := f.info.Types[x.Fun]
	if fun.IsBuiltin() {
		source := f.source(x)
		switch other := map[string]string{"min": "max", "max": "min"}[source[:3]]; {
		case other != "":
			f.replace("extreme", x, other+source[3:])
		case strings.HasPrefix(source, "len("):
			f.replace("off-by-one", x, source+"-1")
		}
		return
	}
	if fun.IsType() || x.Ellipsis.IsValid() {
		return
	}
	for i := 0; i+1 < len(x.Args); i++ {
		a, b := x.Args[i], x.Args[i+1]
		ta, tb := f.info.TypeOf(a), f.info.TypeOf(b)
		if ta == nil || tb == nil || !types.Identical(ta, tb) || f.source(a) == f.source(b) {
			continue
		}
		first, ok := f.instead(a, f.source(b))
		second, okToo := f.instead(b, f.source(a))
		if ok && okToo {
			f.add("swapped", a, f.source(a)+", "+f.source(b)+" → "+f.source(b)+", "+f.source(a), first, second)
		}
	}
}

// field adds the other fields of a struct that have the type of the one that is read.
func (f *finder) field(x *ast.SelectorExpr) {
	s, ok := f.info.Selections[x]
	if !ok || s.Kind() != types.FieldVal || len(s.Index()) != 1 {
		return
	}
	t := s.Recv().Underlying()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem().Underlying()
	}
	if t, ok := t.(*types.Struct); ok {
		for v := range t.Fields() {
			if v != s.Obj() && v.Name() != "_" && types.Identical(v.Type(), s.Type()) {
				f.replace("field", x, f.source(x.X)+"."+v.Name())
			}
		}
	}
}

// variable adds the other variables of a function that have the type of the one that is read.
func (f *finder) variable(x *ast.Ident) {
	v, ok := f.info.Uses[x].(*types.Var)
	if !ok || v.IsField() || v.Parent() == nil || v.Parent() == f.pkg.Scope() {
		return
	}
	for s := f.pkg.Scope().Innermost(x.Pos()); s != nil && s.Parent() != f.pkg.Scope(); s = s.Parent() {
		for _, name := range s.Names() {
			other, ok := s.Lookup(name).(*types.Var)
			if ok && name != v.Name() && name != "_" && other.Pos() < x.Pos() && types.Identical(other.Type(), v.Type()) {
				f.replace("variable", x, name)
			}
		}
	}
}

func isIdent(x ast.Expr) bool {
	_, ok := x.(*ast.Ident)
	return ok
}

func isNumber(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsNumeric != 0
}

// overlap says that two faults change the same bytes.
func (s switched) overlap(o switched) bool {
	return s.file == o.file && slices.ContainsFunc(s.edits, func(a edit) bool {
		return slices.ContainsFunc(o.edits, func(b edit) bool { return a.from < b.to && b.from < a.to })
	})
}
