package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// TestValues: each metric is its own function of its own sum by its own divisor; one whose
// divisor is not known is left out.
func TestValues(t *testing.T) {
	double := func(x float64) float64 { return 2 * x }
	all := []recipe.Metric{
		{Name: "weight"}, {Name: "byte", Per: recipe.PerByte}, {Name: "row", Per: recipe.PerRow, As: double}, {Name: "run", Per: recipe.PerRun, As: recipe.Perplexity},
	}
	sums := []float64{12, 30, 7, 4}
	for _, tc := range []struct {
		counts recipe.Counts
		want   string
	}{
		{recipe.Counts{3, 5, 7, 4}, "[{weight 4} {byte 6} {row 2} {run 2.718281828459045}]"},
		{recipe.Counts{3, 0, 7, 4}, "[{weight 4} {row 2} {run 2.718281828459045}]"},
	} {
		if got := fmt.Sprint(values(all, sums, tc.counts)); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.counts, got, tc.want)
		}
	}
	c := recipe.Counts{1, 2, 3, 4}
	if c.Add(recipe.Counts{10, 20, 30, 40}); c != (recipe.Counts{11, 22, 33, 44}) {
		t.Errorf("the sum of counts is %v", c)
	}
	if !math.IsNaN(values(all, sums, recipe.Counts{}).Get("weight")) {
		t.Error("a metric without a divisor has a value")
	}
}

// fieldsOf is a source of data that only has fields.
type fieldsOf struct {
	data.Source
	fields []data.Field
}

func (f fieldsOf) Fields() []data.Field { return f.fields }

// TestInputsAreFields: every input is fed and every field is read, with the type and the size
// that both have.
func TestInputsAreFields(t *testing.T) {
	g := autograd.NewGraph()
	g.Floats("x", 4, 3)
	g.Ints("ids", 4)
	g.Input("image", ir.U8, 4, 5)
	g.Floats("loss_weight", 1)
	g.Ints("rng", 4)
	x, ids, image := data.Field{Name: "x", Kind: data.Float32, Shape: []int{3}}, data.Field{Name: "ids", Kind: data.Int32, Shape: []int{1}}, data.Field{Name: "image", Kind: data.Uint8, Shape: []int{5}}
	for _, tc := range []struct {
		train, eval []data.Field
		want        string
	}{
		{[]data.Field{x, ids, image}, nil, ""},
		{[]data.Field{x, ids}, []data.Field{x, image}, ""},
		{[]data.Field{x, ids}, nil, `the programs read an input "image", which is no field of the data`},
		{[]data.Field{x, ids, image, {Name: "y", Kind: data.Float32, Shape: []int{3}}}, nil, `no program reads the field "y"`},
		{[]data.Field{{Name: "x", Kind: data.Int32, Shape: []int{3}}, ids, image}, nil, `the field "x" is`},
		{[]data.Field{{Name: "x", Kind: data.Float32, Shape: []int{4}}, ids, image}, nil, `the field "x" has 4 elements a sample, the programs read 3`},
		{[]data.Field{{Name: "x", Kind: data.Float32, Shape: []int{2}}, ids, image}, nil, `the field "x" has 2 elements a sample, the programs read 3`},
	} {
		var in inputs
		in.declare(g, 4)
		job := &recipe.Job{Train: fieldsOf{fields: tc.train}}
		if tc.eval != nil {
			job.Eval = fieldsOf{fields: tc.eval}
		}
		if err := in.check(job); (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v and %v: %v, want %q", tc.train, tc.eval, err, tc.want)
		}
	}
}

// TestSavesAsync: when steps go on while a checkpoint is written.
func TestSavesAsync(t *testing.T) {
	for _, tc := range []struct {
		save               string
		every, patience    int
		host, alone, adapt bool
		want               bool
	}{
		{"async", 5, 0, true, true, false, true}, {"sync", 5, 0, false, false, true, false}, {"async", 0, 0, true, true, false, false}, {"async", 10, 0, true, true, false, false},
		{"async", 0, 1, true, true, false, true}, {"auto", 5, 0, true, true, false, false}, {"auto", 5, 0, false, true, false, true}, {"auto", 5, 0, true, false, false, true},
		{"auto", 5, 0, true, true, true, true}, {"auto", 0, 0, false, false, true, false},
	} {
		c := config.Default(config.Tables{})
		c.Train.Steps, c.Train.Save, c.Train.SaveEvery, c.Train.Patience = 10, tc.save, tc.every, tc.patience
		if tc.adapt {
			c.LoRA.Rank = 2
		}
		if !tc.alone {
			c.Rank = mesh.Of(1, 2)
		}
		if got := savesAsync(c, plan.Target{HostMemory: tc.host}); got != tc.want {
			t.Errorf("%+v: %t", tc, got)
		}
	}
}
