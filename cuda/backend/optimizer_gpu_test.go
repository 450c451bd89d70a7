//go:build gpu

package backend

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
)

// TestGroup updates parameters of many sizes in one launch and one by one: the
// bits are the same, and no parameter is forgotten.
func TestGroup(t *testing.T) {
	b, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, kind := range []ir.Kind{ir.AdamW, ir.SGD, ir.Lion, ir.EMA} {
		t.Run(kind.String(), func(t *testing.T) {
			together, alone := newUpdates(t, b, kind), newUpdates(t, b, kind)
			launch, err := b.(exec.Grouper).BindGroup(together.instrs, together.args)
			if err != nil {
				t.Fatal(err)
			}
			launch()
			for i, in := range alone.instrs {
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

// newUpdates draws parameters of sizes around a chunk, with the same numbers at
// every call.
func newUpdates(t *testing.T, b exec.Backend, kind ir.Kind) *updates {
	u := &updates{}
	draw := rand.New(rand.NewPCG(3, 4))
	for i, n := range []int{1, 3, optimizerChunk, optimizerChunk + 1, 7, 2*optimizerChunk + 30} {
		in := &ir.Instr{Kind: kind, Attrs: ir.Attrs{Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Decay: float32(i) / 10, LRScale: 1}}
		var args exec.Args
		for _, name := range ir.Kinds[kind].In {
			size := n
			switch name {
			case "hyper":
				size = ir.HyperLen
			case "clip?":
				size = 1
			}
			v := &ir.Value{Shape: ir.Shape{size}, Class: ir.State}
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
	size := v.DType.Size()
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
