package ir

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// add returns a program y = a + b with a as an input.
func add() (*Program, *Instr) {
	p := &Program{Name: "test"}
	a, b, y := p.NewValue(Input, "a", F32, 2, 3), p.NewValue(State, "b", F32, 2, 3), p.NewValue(Temp, "", F32, 2, 3)
	in := p.Emit(&Instr{Kind: Add, In: []*Value{a, b}, Out: []*Value{y}, Block: -1})
	p.Outputs = []*Value{y}
	return p, in
}

func TestVerify(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(p *Program, in *Instr)
		want  string
	}{
		"sound":              {func(*Program, *Instr) {}, ""},
		"missing input":      {func(_ *Program, in *Instr) { in.In[1] = nil }, `input "b" is missing`},
		"foreign attributes": {func(_ *Program, in *Instr) { in.Attrs = ScaleAttrs{} }, "attributes are a ir.ScaleAttrs, want a <nil>"},
		"dtype of an index": {func(p *Program, _ *Instr) {
			p.Emit(&Instr{Kind: Embedding, In: []*Value{p.NewValue(Input, "ids", F32, 3), p.NewValue(State, "t", F32, 5, 2)}, Out: []*Value{p.NewValue(Temp, "", F32, 3, 2)}})
		}, `input "ids" is f32, want i32`},
		"packed operand":    {func(_ *Program, in *Instr) { in.In[0].DType = U8 }, `input "a" is u8, want f32 or bf16`},
		"two element types": {func(_ *Program, in *Instr) { in.In[0].DType = BF16 }, "beside"},
		"two result types": {func(p *Program, in *Instr) {
			bias := p.NewValue(State, "bias", BF16, 3)
			p.Emit(&Instr{Kind: MatMul, In: []*Value{in.In[0], in.In[0], bias, nil, nil}, Out: []*Value{p.NewValue(Temp, "", F32, 2, 3), nil, nil}, Block: -1})
		}, `input "bias" is bf16 beside`},
		"too few inputs": {func(_ *Program, in *Instr) { in.In = in.In[:1] }, "1 inputs, want 2"},
		"use before definition": {func(p *Program, in *Instr) {
			in.In[0] = p.NewValue(Temp, "", F32, 2, 3)
		}, "used before it is defined"},
		"defined twice":    {func(p *Program, in *Instr) { p.Emit(in) }, "defined twice"},
		"foreign value":    {func(_ *Program, in *Instr) { in.In[0] = &Value{ID: 99, Shape: Shape{2, 3}} }, "not a value of the program"},
		"undefined output": {func(p *Program, _ *Instr) { p.Outputs = append(p.Outputs, p.NewValue(Temp, "", F32, 1)) }, "an output is not defined"},
		"unequal storage": {func(p *Program, in *Instr) {
			v := p.NewValue(Temp, "", F32, 7)
			v.Base = in.In[0]
		}, "shares storage"},
		"read after update": {func(p *Program, in *Instr) {
			hyper := p.NewValue(Input, "hyper", F32, HyperLen)
			update := &Instr{Kind: SGD, Attrs: SGDAttrs{}, In: []*Value{in.In[1], in.In[0], nil, hyper, nil, nil}, Block: -1}
			p.Instrs = append([]*Instr{update}, p.Instrs...)
		}, `reads state "b" after SGD`},
		"updated twice": {func(p *Program, in *Instr) {
			for range 2 {
				p.Emit(&Instr{Kind: Assign, In: []*Value{in.In[1], in.In[0]}, Block: -1})
			}
		}, ""},
		"read by the update of another": {func(p *Program, in *Instr) {
			p.Emit(&Instr{Kind: Assign, In: []*Value{in.In[1], in.In[0]}, Block: -1})
			p.Emit(&Instr{Kind: Assign, In: []*Value{p.NewValue(State, "c", F32, 2, 3), in.In[1]}, Block: -1})
		}, `reads state "b" after Assign`},
		"mutates an input": {func(p *Program, in *Instr) {
			p.Emit(&Instr{Kind: Assign, In: []*Value{in.In[0], in.In[1]}, Block: -1})
		}, "mutates input 0, which is a input"},
		"foreign result": {func(p *Program, in *Instr) { in.Out[0] = &Value{ID: 99, Shape: Shape{2, 3}} }, "output 0 is not a value of the program"},
		"read before Await": {func(p *Program, in *Instr) {
			sum := p.NewValue(Temp, "", F32, 2, 3)
			start := &Instr{Kind: ReduceTo, Attrs: RootAttrs{}, In: []*Value{in.In[0]}, Out: []*Value{sum}, Block: -1}
			in.In[0] = sum
			p.Instrs = append([]*Instr{start}, p.Instrs...)
		}, "is of ReduceTo; read the result of its Await"},
		"no Await": {func(p *Program, in *Instr) {
			p.Emit(&Instr{Kind: ReduceTo, Attrs: RootAttrs{}, In: []*Value{in.Out[0]}, Out: []*Value{p.NewValue(Temp, "", F32, 2, 3)}, Block: -1})
		}, "no Await waits"},
		"broadcast after update": {func(p *Program, in *Instr) {
			hyper := p.NewValue(Input, "hyper", F32, HyperLen)
			p.Emit(&Instr{Kind: SGD, Attrs: SGDAttrs{}, In: []*Value{in.In[1], in.In[0], nil, hyper, nil, nil}, Block: -1})
			sent := p.NewValue(State, "b", F32, 2, 3)
			sent.Base = in.In[1]
			p.Emit(&Instr{Kind: BroadcastFrom, In: []*Value{in.In[1]}, Out: []*Value{sent}, Block: -1})
			p.Emit(&Instr{Kind: Await, In: []*Value{sent}, Out: []*Value{p.NewValue(Temp, "", F32, 2, 3)}, Block: -1})
		}, ""},
	} {
		p, in := add()
		tc.spoil(p, in)
		err := Verify(p)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestDumpIsStable(t *testing.T) {
	p, _ := add()
	var b strings.Builder
	if err := p.Dump(&b); err != nil {
		t.Fatal(err)
	}
	const want = "program test\n  %0:f32(2, 3) = Add(a, b)\n  return %0\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestEveryKindIsDescribed(t *testing.T) {
	for k := Kind(1); k < NumKinds; k++ {
		info := Kinds[k]
		if info.Name == "" || info.Doc == "" || len(info.In) == 0 || len(info.Out)+len(info.Mutates) == 0 {
			t.Errorf("kind %d is not described: %+v", k, info)
		}
		for _, a := range append(slices.Clone(info.In), info.Out...) {
			if a.Name == "" || a.Type > Lookup {
				t.Errorf("%s: an argument is written wrongly: %+v", info.Name, a)
			}
		}
		if d := info.Addend; d != (Addend{}) && (!info.In[d.In].Optional || !slices.Contains(info.Overwrites, [2]int{d.Out, d.In})) {
			t.Errorf("%s: addend %v must be optional and overwritten", info.Name, d)
		}
		for _, s := range info.Sums {
			if sum := info.Out[s[0]]; !sum.Optional || sum.Type != Float32 || s[1] >= s[0] {
				t.Errorf("%s: a sum of rows must be optional, float32 and behind what it sums up: %v", info.Name, s)
			}
		}
		if a := info.Attrs; a != nil && !reflect.TypeOf(a).Comparable() {
			t.Errorf("%s: attributes of type %T cannot be compared", info.Name, a)
		}
		for _, o := range info.Overwrites {
			if o[0] >= len(info.Out) || o[1] >= len(info.In) {
				t.Errorf("%s: no such pair to overwrite: %v", info.Name, o)
			}
		}
	}
}

// TestMarksOfKinds holds which kinds the planner and the engine treat in which way.
func TestMarksOfKinds(t *testing.T) {
	updates := []Kind{AdamW, SGD, Lion, Muon}
	for name, c := range map[string]struct {
		is    func(*Info) bool
		kinds []Kind
	}{
		"updates by a gradient": {func(i *Info) bool { return i.Update == ByGradient }, updates},
		"averages":              {func(i *Info) bool { return i.Update == Average }, []Kind{EMA}},
		"changes state":         {func(i *Info) bool { return len(i.Mutates) > 0 }, append([]Kind{AttentionCached, RecurrentCached, RelativeAttentionCached, Assign, EMA}, updates...)},
		"reads what is new":     {func(i *Info) bool { return i.ReadsNew }, []Kind{EMA, BroadcastFrom, Await}},
		"is of all ranks":       {func(i *Info) bool { return i.Collective }, []Kind{AllReduce, ReduceTo, BroadcastFrom}},
		"awaits":                {func(i *Info) bool { return i.Awaits }, []Kind{Await}},
		"is its input":          {func(i *Info) bool { return i.Alias }, []Kind{Reshape, Await}},
		"is one launch":         {func(i *Info) bool { return i.Fuses }, append([]Kind{Cast, EMA}, updates...)},
		"may be infinite":       {func(i *Info) bool { return i.NonFinite }, []Kind{SumSquares, GradNorm}},
		"is of weights":         {func(i *Info) bool { return i.WeightGradient }, []Kind{EmbeddingBackward, MatMul, ColumnSum, ConvWeights}},
		"touches some rows":     {func(i *Info) bool { return i.Sparse }, []Kind{EmbeddingBackward}},
		"adds up rows":          {func(i *Info) bool { return len(i.Sums) > 0 }, []Kind{LayerNormBackward, AttentionBackward}},
		"keeps its outputs":     {func(i *Info) bool { return i.Whole }, []Kind{AttentionBackward}},
		"adds an input": {func(i *Info) bool { return i.Addend != Addend{} },
			[]Kind{EmbeddingBackward, MatMul, ColumnSum, LayerNormBackward, RMSNormBackward, LinearCrossEntropy, LinearLogProbBackward, LinearTopLogProbBackward, Conv, ConvInput, ConvWeights, GroupNormBackward}},
		"follows its inputs": {func(i *Info) bool { return i.Follows },
			[]Kind{Add, Mul, Scale, ScaleBy, Reshape, Transpose, Slice, SliceBackward, Concat, ReduceSum, Broadcast, Upsample, SumPool}},
	} {
		var got []Kind
		for k := Kind(1); k < NumKinds; k++ {
			if c.is(&Kinds[k]) {
				got = append(got, k)
			}
		}
		slices.Sort(c.kinds)
		if !slices.Equal(got, c.kinds) {
			t.Errorf("%s: %v, want %v", name, got, c.kinds)
		}
	}
	for _, k := range append(updates, EMA) {
		info := &Kinds[k]
		names := []string{}
		for _, a := range info.In {
			names = append(names, a.Name)
		}
		last := []string{"clip"}
		if k != EMA {
			last = []string{"clip", "copy"}
		}
		if info.Mutates[0] != 0 || !slices.Equal(names[len(names)-len(last):], last) || len(info.Out) != 0 || info.Copy > 0 != (k != EMA) || info.Copy > 0 && names[info.Copy] != "copy" {
			t.Errorf("%s: %+v", k, info)
		}
		for i, a := range info.In { // the parameter and what the optimizer keeps
			if state := slices.Contains([]string{"m", "v", "ema", "copy"}, a.Name) || i == 0; state != slices.Contains(info.Mutates, i) {
				t.Errorf("%s changes %s: %t", k, a.Name, !state)
			}
		}
	}
}
