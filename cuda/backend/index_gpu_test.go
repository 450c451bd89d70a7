//go:build gpu

package backend

import (
	"encoding/binary"
	"strings"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// TestIndices runs every kind that takes indices with one that is out of range:
// Sync names the instruction, the row and the index, once, and the back end goes
// on.
func TestIndices(t *testing.T) {
	b, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const n, limit, d = 70, 11, 8
	ids, vector, rows, table := ir.Shape{n}, ir.Shape{1}, ir.Shape{n, d}, ir.Shape{limit, d}
	logits := ir.Shape{n, limit}
	for _, c := range []struct {
		kind    ir.Kind
		at      int // the input with the indices
		in, out []ir.Shape
		bad     int32
		want    string
	}{
		{ir.Embedding, 0, []ir.Shape{ids, table}, []ir.Shape{rows}, limit, "id 11 at row 67"},
		{ir.Embedding, 0, []ir.Shape{ids, table}, []ir.Shape{rows}, -1, "id -1 at row 67"},
		{ir.EmbeddingBackward, 0, []ir.Shape{ids, rows, nil}, []ir.Shape{table}, 1 << 30, "id 1073741824 at row 67"},
		{ir.EmbeddingBackward, 0, []ir.Shape{ids, rows, nil}, []ir.Shape{table}, -7, "id -7 at row 67"},
		{ir.CrossEntropy, 1, []ir.Shape{logits, ids, vector}, []ir.Shape{vector, ids, ids}, limit, "target 11 at row 67"},
		{ir.CrossEntropyBackward, 1, []ir.Shape{logits, ids, vector, ids, vector}, []ir.Shape{logits}, limit, "target 11 at row 67"},
		{ir.LinearCrossEntropy, 2, []ir.Shape{rows, table, ids, vector, nil}, []ir.Shape{vector, ids, rows, table}, limit, "target 11 at row 67"},
		{ir.LinearLogProb, 2, []ir.Shape{rows, table, ids}, []ir.Shape{{1, n}, nil}, limit, "target 11 at row 67"},
		{ir.LinearLogProbBackward, 2, []ir.Shape{rows, table, ids, {1, n}, nil}, []ir.Shape{rows, table}, limit, "target 11 at row 67"},
		{ir.LinearTopLogProb, 2, []ir.Shape{rows, table, {n, 1}}, []ir.Shape{{n, 1}}, limit, "class 11 at row 67"},
		{ir.LinearTopLogProbBackward, 2, []ir.Shape{rows, table, {n, 1}, {n, 1}, nil}, []ir.Shape{rows, table}, limit, "class 11 at row 67"},
		{ir.SegmentSum, 1, []ir.Shape{ids, ids}, []ir.Shape{{limit}}, limit, "segment 11 at row 67"},
		{ir.SegmentBroadcast, 1, []ir.Shape{{limit}, ids}, []ir.Shape{ids}, limit, "segment 11 at row 67"},
	} {
		in := &ir.Instr{Kind: c.kind, Attrs: ir.Kinds[c.kind].Attrs, Path: "here"}
		if a, ok := in.Attrs.(ir.Chunked); ok {
			in.Attrs = a.WithLogitRows(16)
		}
		var args exec.Args
		for i, shape := range c.in {
			v, region := argument(t, b, shape)
			if i == c.at {
				v.DType = ir.I32
			}
			in.In, args.In = append(in.In, v), append(args.In, region)
		}
		for _, shape := range c.out {
			v, region := argument(t, b, shape)
			in.Out, args.Out = append(in.Out, v), append(args.Out, region)
		}
		if bytes := workspace([]*ir.Instr{in}); bytes > 0 {
			_, args.Workspace = argument(t, b, ir.Shape{int(bytes+3) / 4})
		}
		launch, err := b.Bind(in, args)
		if err != nil {
			t.Fatal(err)
		}
		indices := make([]byte, 4*n)
		run := func(index int32) error {
			binary.LittleEndian.PutUint32(indices[4*67:], uint32(index))
			if err := b.Upload(args.In[c.at], indices); err != nil {
				t.Fatal(err)
			}
			launch()
			return b.Sync()
		}
		want := c.kind.String() + ` at "here": ` + c.want + " is outside [0, 11)"
		if err := run(c.bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s with index %d: error %v, want %s", c.kind, c.bad, err, want)
		}
		if err := run(limit - 1); err != nil {
			t.Errorf("%s with index %d: %v", c.kind, limit-1, err)
		}
	}
}

// argument returns a value with memory of zeros; both are absent for no shape.
func argument(t *testing.T, b exec.Backend, shape ir.Shape) (*ir.Value, exec.Region) {
	if shape == nil {
		return nil, exec.Region{}
	}
	v := &ir.Value{Shape: shape}
	buf, err := b.Alloc(v.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return v, exec.Region{Buffer: buf, Bytes: v.Bytes()}
}
