package chat

import (
	"errors"
	"fmt"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"

	structures "github.com/nikolalohinski/gonja/v2/builtins/control_structures"
)

// statements are the statements of a chat template. What reads other templates (include, import, extends) is left out.
func statements() *exec.ControlStructureSet {
	set := map[string]parser.ControlStructureParser{"for": parseFor, "macro": parseMacro, "set": parseSet, "generation": parseGeneration}
	for _, name := range []string{"if", "raw", "with", "do", "break", "continue", "filter", "call"} {
		set[name], _ = builtins.ControlStructures.Get(name)
	}
	return exec.NewControlStructureSet(set)
}

// parseFor is gonja's for, whose turns cost steps.
func parseFor(p, args *parser.Parser) (nodes.ControlStructure, error) {
	parse, _ := builtins.ControlStructures.Get("for")
	statement, err := parse(p, args)
	if err != nil {
		return nil, err
	}
	loop := statement.(*structures.ForControlStructure)
	if loop.Recursive {
		return nil, errors.New("recursive loops are not supported in chat templates")
	}
	loop.ObjectEvaluator = &nodes.FilteredExpression{
		Expression: loop.ObjectEvaluator,
		Filters:    []*nodes.FilterCall{{Token: loop.ObjectEvaluator.Position(), Name: lengthToll}},
	}
	addToll(loop.BodyWrapper, 1)
	return loop, nil
}

// lengthToll is the filter that takes a step for each element of its input: a loop goes through them once before its
// first turn.
const lengthToll = "\x00toll"

func filterLengthToll(e *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	budgetOf(e.Environment.Context).spend(1 + in.Len())
	return in
}

// parseMacro is gonja's macro, whose calls cost steps; so a macro that calls itself comes to an end.
func parseMacro(p, args *parser.Parser) (nodes.ControlStructure, error) {
	parse, _ := builtins.ControlStructures.Get("macro")
	statement, err := parse(p, args)
	if err != nil {
		return nil, err
	}
	addToll(statement.(*structures.MacroControlStructure).Wrapper, stepsPerCall)
	return statement, nil
}

// boundedSet is gonja's set with a bound on the length of strings.
type boundedSet struct {
	exec.ControlStructure
	name string // of a plain variable, "" for another target
}

func parseSet(p, args *parser.Parser) (nodes.ControlStructure, error) {
	parse, _ := builtins.ControlStructures.Get("set")
	target := args.Current()
	statement, err := parse(p, args)
	if err != nil {
		return nil, err
	}
	set, ok := statement.(exec.ControlStructure)
	if !ok || target == nil {
		return nil, fmt.Errorf("unexpected statement %T", statement)
	}
	return &boundedSet{set, target.Val}, nil
}

// Execute sets the variable and looks at what it has become.
func (s *boundedSet) Execute(r *exec.Renderer, tag *nodes.ControlStructureBlock) error {
	b := budgetOf(r.Environment.Context)
	b.spend(1)
	if err := s.ControlStructure.Execute(r, tag); err != nil {
		return err
	}
	value, _ := r.Environment.Context.Get(s.name)
	if fields, ok := value.(map[string]any); ok { // of a namespace
		for _, field := range fields {
			if err := b.allow(exec.ToValue(field)); err != nil {
				return err
			}
		}
		return nil
	}
	return b.allow(exec.ToValue(value))
}

// generation is {% generation %} … {% endgeneration %}: what the assistant says.
type generation struct {
	at   *tokens.Token
	body *nodes.Wrapper
}

func (g *generation) Position() *tokens.Token { return g.at }
func (g *generation) String() string          { return "generation" }

func parseGeneration(p, args *parser.Parser) (nodes.ControlStructure, error) {
	g := &generation{at: p.Current()}
	if !args.End() {
		return nil, args.Error("generation takes no arguments", args.Current())
	}
	body, end, err := p.WrapUntil("endgeneration")
	if err != nil {
		return nil, err
	}
	if !end.End() {
		return nil, end.Error("endgeneration takes no arguments", end.Current())
	}
	g.body = body
	return g, nil
}

// Execute renders the body and notes where it stands.
func (g *generation) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	b := budgetOf(r.Environment.Context)
	if r.Output != b {
		return errors.New("a generation block inside a macro or a set block, where its place in the text is not known")
	}
	begin := len(b.text)
	if err := r.ExecuteWrapper(g.body); err != nil {
		return err
	}
	b.spans = append(b.spans, Span{begin, len(b.text)})
	return nil
}
