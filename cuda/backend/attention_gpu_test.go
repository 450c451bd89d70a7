//go:build gpu

package backend

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// attentionInstr is causal attention of 2 sequences of 300 tokens in bfloat16,
// 4 heads of hd that share 2, with its memory.
func attentionInstr(t *testing.T, b exec.Backend, hd int) *call {
	const batch, tokens, heads, kv = 2, 300, 4, 2
	draw := rand.New(rand.NewPCG(9, 10))
	value := func(shape ...int) *ir.Value { return &ir.Value{Shape: shape, DType: ir.BF16} }
	in := &ir.Instr{Kind: ir.Attention, In: make([]*ir.Value, 7),
		Attrs: ir.AttentionAttrs{Batch: batch, Heads: heads, KVHeads: kv, HeadDim: hd, Causal: true, Scale: 0.2}}
	in.In[0] = value(batch*tokens, heads*hd)
	in.In[1], in.In[2] = value(batch*tokens, kv*hd), value(batch*tokens, kv*hd)
	in.Out = []*ir.Value{value(batch*tokens, heads*hd), {Shape: ir.Shape{batch * heads * tokens}}}
	var args exec.Args
	for _, v := range in.In {
		var region exec.Region
		if v != nil {
			region = upload(t, b, v, draw, 0)
		}
		args.In = append(args.In, region)
	}
	for _, v := range in.Out {
		args.Out = append(args.Out, upload(t, b, v, draw, 0))
	}
	return &call{Backend: b.(*Backend), Instr: in, args: args}
}

// TestAttentionSections cuts the heads into sections of every size, the last one
// smaller: the bits are the same.
func TestAttentionSections(t *testing.T) {
	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	var want [][]byte
	for section := 8; section > 0; section-- {
		c := attentionInstr(t, opened, 32) // results hold other numbers until they are written
		a := c.attention()
		kernel := a.flashKernels(c.perBlock)[0]
		work := a.overQueries(kernel.rows)
		work.section = section
		a.flash(kernel, work)
		if c.err != nil {
			t.Fatal(c.err)
		}
		sequence(a.steps...)()
		for i, out := range c.args.Out {
			got := make([]byte, out.Bytes)
			if err := opened.Download(got, out); err != nil {
				t.Fatal(err)
			}
			if section == 8 {
				want = append(want, got)
			} else if !bytes.Equal(got, want[i]) {
				t.Errorf("result %d of sections of %d heads differs", i, section)
			}
		}
	}
}

// TestPositions gives positions outside the table and beyond the caches: Sync
// names the instruction and the position, and the run after it is clean.
func TestPositions(t *testing.T) {
	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	cached := func(tokens int) *ir.Instr {
		value := func(rows, columns int) *ir.Value { return &ir.Value{Shape: ir.Shape{rows, columns}} }
		q, kv, cache := value(2*tokens, 8), value(2*tokens, 8), value(2*10, 8)
		return &ir.Instr{Kind: ir.AttentionCached, Path: "attn", Attrs: ir.AttentionAttrs{Batch: 2, Heads: 2, KVHeads: 2, HeadDim: 4, Causal: true, Scale: 1},
			In: []*ir.Value{q, kv, kv, cache, cache, {Shape: ir.Shape{2}, DType: ir.I32}, nil}, Out: []*ir.Value{q}}
	}
	rope := &ir.Instr{Kind: ir.RoPE, Path: "attn", Attrs: ir.RoPEAttrs{Heads: 1, HeadDim: 4},
		In: []*ir.Value{{Shape: ir.Shape{2, 4}}, {Shape: ir.Shape{9, 4}}, {Shape: ir.Shape{2}, DType: ir.I32}}, Out: []*ir.Value{{Shape: ir.Shape{2, 4}}}}
	for _, c := range []struct {
		in        *ir.Instr
		positions []int32
		want      string // "" is no error
	}{
		{rope, []int32{8, 9}, `RoPE at "attn": position 9 at row 1 is outside [0, 9)`},
		{rope, []int32{-1, 0}, `RoPE at "attn": position -1 at row 0 is outside [0, 9)`},
		{rope, []int32{0, 8}, ""},
		{cached(1), []int32{9, 10}, `AttentionCached at "attn": position 10 at row 1 is outside [0, 10)`},
		{cached(1), []int32{-1, 3}, `AttentionCached at "attn": position -1 at row 0 is outside [0, 10)`},
		{cached(1), []int32{0, 9}, ""},
		{cached(3), []int32{8, 0}, `AttentionCached at "attn": position 8 at row 0 is outside [0, 8)`},
		{cached(3), []int32{0, 7}, ""},
	} {
		draw := rand.New(rand.NewPCG(11, 12))
		var args exec.Args
		position := 0
		for i, v := range c.in.In {
			var region exec.Region
			if v != nil {
				region = upload(t, opened, v, draw, 0)
				if v.DType == ir.I32 {
					position = i
				}
			}
			args.In = append(args.In, region)
		}
		args.Out = []exec.Region{upload(t, opened, c.in.Out[0], draw, 0)}
		host := binary.LittleEndian.AppendUint32(nil, uint32(c.positions[0]))
		host = binary.LittleEndian.AppendUint32(host, uint32(c.positions[1]))
		if err := opened.Upload(args.In[position], host); err != nil {
			t.Fatal(err)
		}
		launch, err := opened.Bind(c.in, args)
		if err != nil {
			t.Fatal(err)
		}
		launch()
		err = opened.Sync()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s at positions %v: %v, want %q", c.in.Kind, c.positions, err, c.want)
		}
	}
}

// TestKeysTiles: the gradient of heads of 128 has the same bits with tiles of 64 keys,
// which cards take whose blocks have 99 KiB, as with tiles of 128.
func TestKeysTiles(t *testing.T) {
	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	b := opened.(*Backend)
	if b.perBlock < 132224 {
		t.Skip("the device has no room for tiles of 128 keys")
	}
	const batch, tokens, heads, kv, hd = 1, 150, 2, 1, 128
	value := func(shape ...int) *ir.Value { return &ir.Value{Shape: shape, DType: ir.BF16} }
	in := &ir.Instr{Kind: ir.AttentionBackward, In: make([]*ir.Value, 10),
		Attrs: ir.AttentionAttrs{Batch: batch, Heads: heads, KVHeads: kv, HeadDim: hd, Causal: true, Scale: 0.1}}
	q, k := value(batch*tokens, heads*hd), value(batch*tokens, kv*hd)
	in.In[0], in.In[1], in.In[2], in.In[5], in.In[7] = q, k, k, q, q
	in.In[6] = &ir.Value{Shape: ir.Shape{batch * heads * tokens}}
	in.Out = []*ir.Value{q, k, k, nil, nil, nil, nil}
	run := func(perBlock int) (got [][]byte) {
		draw := rand.New(rand.NewPCG(13, 14))
		var args exec.Args
		for _, v := range in.In {
			var region exec.Region
			if v != nil {
				region = upload(t, opened, v, draw, 0)
			}
			args.In = append(args.In, region)
		}
		for _, v := range in.Out[:3] {
			args.Out = append(args.Out, upload(t, opened, v, draw, 0))
		}
		args.Out = append(args.Out, make([]exec.Region, 4)...)
		space, err := opened.Alloc(scratchAttentionBackward(in))
		if err != nil {
			t.Fatal(err)
		}
		args.Workspace = exec.Region{Buffer: space, Bytes: space.Bytes()}
		old := b.perBlock
		b.perBlock = perBlock
		launch, err := opened.Bind(in, args)
		b.perBlock = old
		if err != nil {
			t.Fatal(err)
		}
		launch()
		for _, out := range args.Out {
			host := make([]byte, out.Bytes)
			if err := opened.Download(host, out); err != nil {
				t.Fatal(err)
			}
			got = append(got, host)
		}
		return got
	}
	large, small := run(b.perBlock), run(99<<10)
	for i := range large {
		if !bytes.Equal(large[i], small[i]) {
			t.Errorf("gradient %d differs", i)
		}
	}
	if b.kernels["attention_backward_keys64_d128_bf16"] == nil || b.kernels["attention_backward_d128_bf16"] == nil {
		t.Error("the tiles were not of 128 and of 64 keys")
	}
}

// TestAttentionTiles: the kernels of a head size differ in their tiles, not in a bit.
func TestAttentionTiles(t *testing.T) {
	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	for _, hd := range []int{64, 128} {
		var want [][]byte
		for i, kernel := range attentionOf(headInstr(ir.Attention, ir.BF16, hd, 64)).flashKernels(227 << 10) {
			c := attentionInstr(t, opened, hd)
			a := c.attention()
			a.flash(kernel, a.overQueries(kernel.rows))
			if c.err != nil {
				t.Fatal(c.err)
			}
			sequence(a.steps...)()
			for j, out := range c.args.Out {
				got := make([]byte, out.Bytes)
				if err := opened.Download(got, out); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					want = append(want, got)
				} else if !bytes.Equal(got, want[j]) {
					t.Errorf("result %d of %s differs", j, kernel.name)
				}
			}
		}
	}
}

// TestAttentionByTiming: planted times choose among the kernels of a head size.
func TestAttentionByTiming(t *testing.T) {
	var p ir.Program
	q := p.NewValue(ir.State, "q", ir.BF16, 64, 2*64)
	in := &ir.Instr{Kind: ir.Attention, Block: -1, In: []*ir.Value{q, q, q, nil, nil, nil, nil}, Out: []*ir.Value{p.NewValue(ir.Temp, "", ir.BF16, 64, 2*64), p.NewValue(ir.Temp, "", ir.F32, 2*64)},
		Attrs: ir.AttentionAttrs{Batch: 1, Heads: 2, KVHeads: 2, HeadDim: 64, Scale: 0.1}}
	dy := p.NewValue(ir.State, "dy", ir.BF16, 64, 2*64)
	like := func() *ir.Value { return p.NewValue(ir.Temp, "", ir.BF16, 64, 2*64) }
	p.Emit(in)
	p.Emit(&ir.Instr{Kind: ir.AttentionBackward, Block: -1, Attrs: in.Attrs, In: append(in.In[:5:5], in.Out[0], in.Out[1], dy, nil, nil), Out: []*ir.Value{like(), like(), like(), nil, nil, nil, nil}})
	p.Outputs = p.Instrs[1].Out[:3]
	built, err := plan.Build(&p, plan.Options{Target: Target()})
	if err != nil {
		t.Fatal(err)
	}
	for times, want := range map[string][2]string{
		"attention=2":                                   {"attention_d64_bf16", "attention_backward_d64_bf16"},
		"attention=2,attention_rows64=1":                {"attention_rows64_d64_bf16", "attention_backward_d64_bf16"},
		"attention=2,attention_backward_keys64_d64=1.5": {"attention_d64_bf16", "attention_backward_keys64_d64_bf16"},
	} {
		t.Setenv("CUDASIM_TIMES", times)
		chosen, err := openSimulated(t).Choose([]*plan.Plan{built}, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		got := names(chosen.Ways)
		if len(got) != 2 || got[0] != "Attention "+want[0] || got[1] != "AttentionBackward "+want[1] {
			t.Errorf("%s: chosen are %v, want %v", times, got, want)
		}
	}
}
