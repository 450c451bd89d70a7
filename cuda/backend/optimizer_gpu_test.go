//go:build gpu

package backend

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// TestGroup updates parameters of many sizes in one launch and one by one: the
// bits are the same, and no parameter is forgotten.
func TestGroup(t *testing.T) {
	b, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, kind := range []ir.Kind{ir.AdamW, ir.SGD, ir.Lion, ir.Muon, ir.EMA} {
		t.Run(kind.String(), func(t *testing.T) {
			together, alone := newUpdates(t, b, kind), newUpdates(t, b, kind)
			together.args[0].Workspace = scratch(t, b, together.instrs)
			launch, err := b.(exec.Fuser).BindFused(together.instrs, together.args)
			if err != nil {
				t.Fatal(err)
			}
			launch()
			for i, in := range alone.instrs {
				alone.args[i].Workspace = scratch(t, b, []*ir.Instr{in})
				before := alone.state(t, b, i)
				launch, err := b.Bind(in, alone.args[i])
				if err != nil {
					t.Fatal(err)
				}
				launch()
				want, got := alone.state(t, b, i), together.state(t, b, i)
				if !slices.Equal(got, want) {
					t.Errorf("parameter %d of %d elements differs in the group", i, in.In[0].Shape.Size())
				}
				if slices.Equal(before, want) {
					t.Errorf("parameter %d of %d elements is not updated", i, in.In[0].Shape.Size())
				}
			}
		})
	}
}

// updates are instructions of one kind with their arguments.
type updates struct {
	instrs []*ir.Instr
	args   []exec.Args
}

// scratch returns the workspace of a group.
func scratch(t *testing.T, b exec.Backend, group []*ir.Instr) exec.Region {
	_, region := argument(t, b, ir.Shape{int(workspace(group)+3) / 4})
	return region
}

// newUpdates draws parameters of sizes around a chunk, with the same numbers at
// every call; those of Muon are matrices, of which some have the same shape.
func newUpdates(t *testing.T, b exec.Backend, kind ir.Kind) *updates {
	u := &updates{}
	draw := rand.New(rand.NewPCG(3, 4))
	shapes := []ir.Shape{{1}, {3}, {optimizerChunk}, {optimizerChunk + 1}, {7}, {2*optimizerChunk + 30}}
	if kind == ir.Muon {
		shapes = []ir.Shape{{8, 16}, {5, 7}, {130, 128}, {16, 8}, {8, 16}, {5, 7}, {130, 128}, {8, 16}, {1, 4}}
	}
	for i, shape := range shapes {
		decay := float32(i) / 10
		attrs := map[ir.Kind]ir.Attrs{
			ir.AdamW: ir.AdamWAttrs{Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Decay: decay, LRScale: 1},
			ir.SGD:   ir.SGDAttrs{Beta1: 0.9, Decay: decay, LRScale: 1},
			ir.Lion:  ir.LionAttrs{Beta1: 0.9, Beta2: 0.99, Decay: decay, LRScale: 1},
			ir.Muon:  ir.MuonAttrs{Beta1: 0.9, Decay: decay, LRScale: 1, NewtonSchulz: 5},
			ir.EMA:   ir.EMAAttrs{Beta1: 0.9},
		}
		in := &ir.Instr{Kind: kind, Attrs: attrs[kind]}
		var args exec.Args
		for _, a := range ir.Kinds[kind].In {
			v := &ir.Value{Shape: shape, Class: ir.State}
			switch a.Name {
			case "copy":
				v.DType = ir.BF16
			case "hyper":
				v.Shape = ir.Shape{ir.HyperLen}
			case "clip":
				v.Shape = ir.Shape{1}
			}
			in.In = append(in.In, v)
			args.In = append(args.In, upload(t, b, v, draw, 0))
		}
		u.instrs, u.args = append(u.instrs, in), append(u.args, args)
	}
	return u
}

// upload returns memory for v; from element skip on, it has numbers from [0.5, 1).
func upload(t *testing.T, b exec.Backend, v *ir.Value, draw *rand.Rand, skip int) exec.Region {
	buf, err := b.Alloc(v.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	region := exec.Region{Buffer: buf, Bytes: v.Bytes()}
	host := make([]byte, v.Bytes())
	size := v.DType.Bits() / 8
	for i := skip * size; i < len(host); i += size {
		bits := math.Float32bits(0.5 + draw.Float32()/2)
		if size == 2 {
			binary.LittleEndian.PutUint16(host[i:], uint16(bits>>16))
		} else {
			binary.LittleEndian.PutUint32(host[i:], bits)
		}
	}
	if err := b.Upload(region, host); err != nil {
		t.Fatal(err)
	}
	return region
}

// state returns what instruction i mutates.
func (u *updates) state(t *testing.T, b exec.Backend, i int) []byte {
	var all []byte
	for _, position := range ir.Kinds[u.instrs[i].Kind].Mutates {
		region := u.args[i].In[position]
		host := make([]byte, region.Bytes)
		if err := b.Download(host, region); err != nil {
			t.Fatal(err)
		}
		all = append(all, host...)
	}
	return all
}
