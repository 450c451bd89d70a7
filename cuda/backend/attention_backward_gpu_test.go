//go:build gpu

package backend

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	runs "example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// gradientCase is a gradient of attention in bfloat16: 2 sequences, 4 heads that share 2.
type gradientCase struct {
	hd, tokens int
	causal     bool
	window     int
	document   int  // tokens of a document, 0 for no mask
	other      bool // the kernel that is not the first
	sparse     ir.Sparsity
	bias       int // distances
	drop       float32
}

var gradientCases = []gradientCase{
	{hd: 64, tokens: 300, causal: true},
	{hd: 64, tokens: 200, window: 70},
	{hd: 64, tokens: 200, window: 70, other: true},
	{hd: 64, tokens: 300, causal: true, sparse: ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 3}},
	{hd: 64, tokens: 300, document: 150, sparse: ir.Sparsity{Pattern: ir.LocalGlobal, Block: 64, Local: 2, Global: 1}},
	{hd: 96, tokens: 150, causal: true},
	{hd: 128, tokens: 200, causal: true},
	{hd: 128, tokens: 200, causal: true, document: 90},
	{hd: 128, tokens: 200, causal: true, other: true},
	{hd: 128, tokens: 200, causal: true, document: 90, other: true},
	{hd: 256, tokens: 150, causal: true, document: 90},
	{hd: 64, tokens: 150, causal: true, document: 90, bias: 40},
	{hd: 64, tokens: 150, window: 70, drop: 0.2},
}

// call is the instruction with its memory; results hold other numbers until they are
// written.
func (g gradientCase) call(t *testing.T, b runs.Backend) *call {
	const batch, heads, kv = 2, 4, 2
	draw := rand.New(rand.NewPCG(13, 14))
	value := func(heads int) *ir.Value {
		return &ir.Value{Shape: ir.Shape{batch * g.tokens, heads * g.hd}, DType: ir.BF16}
	}
	in := &ir.Instr{Kind: ir.AttentionBackward, In: make([]*ir.Value, 10),
		Attrs: ir.AttentionAttrs{Batch: batch, Heads: heads, KVHeads: kv, HeadDim: g.hd, Causal: g.causal, Window: g.window, Scale: 0.1, Sparse: g.sparse, Behind: g.bias / 2, Drop: ir.DropoutAttrs{P: g.drop}}}
	in.In[0], in.In[1], in.In[2] = value(heads), value(kv), value(kv)
	in.In[5], in.In[7] = value(heads), value(heads)
	in.In[6] = &ir.Value{Shape: ir.Shape{batch * heads * g.tokens}}
	if g.document > 0 {
		in.In[3] = &ir.Value{Shape: ir.Shape{batch * g.tokens}, DType: ir.I32}
	}
	if g.drop > 0 {
		in.In[8] = &ir.Value{Shape: ir.Shape{4}, DType: ir.I32}
	}
	in.Out = []*ir.Value{value(heads), value(kv), value(kv), nil}
	for _, x := range in.Out[:3] {
		in.Out = append(in.Out, &ir.Value{Shape: x.Shape[1:]})
	}
	if g.bias > 0 {
		in.In[9] = &ir.Value{Shape: ir.Shape{heads, g.bias}}
		in.Out[3] = in.In[9]
	}
	var args runs.Args
	for i, v := range in.In {
		var region runs.Region
		if v != nil {
			region = upload(t, b, v, draw, 0)
		}
		if i == 3 && v != nil {
			var ids []byte
			for at := range batch * g.tokens {
				ids = binary.LittleEndian.AppendUint32(ids, uint32(at%g.tokens/g.document))
			}
			if err := b.Upload(region, ids); err != nil {
				t.Fatal(err)
			}
		}
		args.In = append(args.In, region)
	}
	for _, v := range in.Out {
		var region runs.Region
		if v != nil {
			region = upload(t, b, v, draw, 0)
		}
		args.Out = append(args.Out, region)
	}
	memory, err := b.Alloc(scratchAttentionBackward(in))
	if err != nil {
		t.Fatal(err)
	}
	args.Workspace = runs.Region{Buffer: memory, Bytes: scratchAttentionBackward(in)}
	return &call{Backend: b.(*Backend), Instr: in, args: args}
}

// run gives the bytes of dq, dk and dv, of a bias's gradient and of sums, with sections of so many key heads.
func (g gradientCase) run(t *testing.T, b runs.Backend, section int) []byte {
	c := g.call(t, b)
	a := c.attention()
	kernel := g.shape(t).kernel()
	work := a.overKeys(kernel.rows)
	work.section = section
	a.onePassOver(kernel, work)
	if c.err != nil {
		t.Fatal(c.err)
	}
	sequence(a.steps...)()
	var all []byte
	for _, out := range c.args.Out {
		got := make([]byte, out.Bytes)
		if err := b.Download(got, out); err != nil {
			t.Fatal(err)
		}
		all = append(all, got...)
	}
	return all
}

// gradientLines are the hashes of the results of all cases.
func gradientLines(t *testing.T) string {
	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	var lines strings.Builder
	for _, g := range gradientCases {
		fmt.Fprintf(&lines, "%+v %x\n", g, sha256.Sum256(g.run(t, opened, 4)))
	}
	return lines.String()
}

// gradientChild makes the process print its hashes.
const gradientChild = "GOTRAIN_GRADIENT_LINES"

// TestGradientBits: the simulator's seeds, which are orders of blocks, and its threads,
// which are the blocks that run at a time, do not change a bit of the gradients; nor do
// tiles of other sizes and other sections of heads.
func TestGradientBits(t *testing.T) {
	if os.Getenv(gradientChild) != "" {
		fmt.Print("lines:\n" + gradientLines(t) + "end\n")
		return
	}
	want := gradientLines(t)
	for _, settings := range [][]string{{"CUDASIM_SEED=2", "CUDASIM_THREADS=1"}, {"CUDASIM_SEED=3", "CUDASIM_THREADS=3"}, {"CUDASIM_SEED=4", "CUDASIM_THREADS=8"}} {
		child := exec.Command(os.Args[0], "-test.run=^TestGradientBits$")
		child.Env = append(append(os.Environ(), gradientChild+"=1"), settings...)
		out, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", settings, err, out)
		}
		if !strings.Contains(string(out), "lines:\n"+want+"end\n") {
			t.Errorf("%v gives other bits:\n%swant\n%s", settings, out, want)
		}
	}

	opened, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	for _, g := range gradientCases {
		if !g.other {
			continue
		}
		usual := g
		usual.other = false
		whole := usual.run(t, opened, 4)
		for section := 1; section <= 3; section++ {
			if !bytes.Equal(whole, g.run(t, opened, section)) {
				t.Errorf("%+v in sections of %d has other bits than the usual kernel", g, section)
			}
		}
	}
}

// TestGradientProducts counts the tensor-core instructions of a launch: five products of
// each pair of a warp's keys and a tile of queries that see each other.
func TestGradientProducts(t *testing.T) {
	if os.Getenv(gradientChild) != "" {
		gradientLines(t)
		return
	}
	counts := t.TempDir() + "/counts"
	child := exec.Command(os.Args[0], "-test.run=^TestGradientProducts$")
	child.Env = append(os.Environ(), gradientChild+"=1", "CUDASIM_COUNTS="+counts)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(counts)
	if os.IsNotExist(err) {
		t.Skip("no simulator: nobody counts")
	} else if err != nil {
		t.Fatal(err)
	}
	var got []int
	for line := range strings.Lines(string(text)) {
		var kernel string
		var products int
		if fmt.Sscan(line, &kernel, &products); products > 0 {
			got = append(got, products)
		}
	}
	if len(got) != len(gradientCases) {
		t.Fatalf("%d launches with products, want %d:\n%s", len(got), len(gradientCases), text)
	}
	for i, g := range gradientCases {
		if want := 5 * g.pairs(t); got[i] != want {
			t.Errorf("%+v executes %d products of 16×8×16, five of each pair are %d", g, got[i], want)
		}
	}
}

// pairs is the number of products of 16×8×16 that one product of all visible pairs takes,
// where a warp's keys and a tile of queries are left out if the band or the segments
// of the tiles let none see another.
func (g gradientCase) pairs(t *testing.T) int {
	shape := g.shape(t)
	rows := shape.keys * 32 * shape.split / shape.threads // of a warp, or of the warps that share them
	const heads, batch = 4, 2
	sees := func(key, keys, query, queries int) bool {
		last := query + queries - 1
		above := !g.causal || key <= last
		return above && (g.window == 0 || key < last+g.window && query < key+keys-1+g.window)
	}
	count := 0
	for tile := 0; tile < g.tokens; tile += shape.keys {
		for query := 0; query < g.tokens; query += shape.queries {
			if !g.meet(tile, shape.keys, query) {
				continue
			}
			for key := tile; key < tile+shape.keys; key += rows {
				if sees(tile, shape.keys, query, shape.queries) && sees(key, rows, query, shape.queries) {
					count += rows * shape.queries * shape.head / (16 * 8 * 16)
				}
			}
		}
	}
	return count * heads * batch
}

// shape is the kernel of the case.
func (g gradientCase) shape(t *testing.T) gradient {
	t.Helper()
	view := "general"
	switch {
	case g.drop > 0:
		view = "dropped"
	case g.bias > 0:
		view = "biased"
	case g.sparse.Pattern != ir.Dense:
		view = "sparse"
	}
	var all []gradient
	for _, shape := range gradients {
		if shape.head == g.hd && shape.view == view {
			all = append(all, shape)
		}
	}
	if g.other {
		return all[1]
	}
	return all[0]
}

// meet says whether the documents of a tile of keys and of the 64 queries around one
// overlap, as far as the bounds of groups of 64 tokens tell.
func (g gradientCase) meet(key, keys, query int) bool {
	if s := g.sparse; s.Pattern != ir.Dense && !s.Sees(query/s.Block, key/s.Block) {
		return false
	}
	if g.document == 0 {
		return true
	}
	query = query / boundsTokens * boundsTokens
	first := func(token int) int { return token / g.document }
	return first(key) <= first(min(query+boundsTokens, g.tokens)-1) && first(query) <= first(min(key+keys, g.tokens)-1)
}
