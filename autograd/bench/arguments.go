package bench

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// instruction plans the case and gives its element arguments the type that they
// have in a step. Casts, which the planner would put around the instruction
// since its arguments are state, are left out.
func (k Case) instruction(target plan.Target, compute ir.DType) (*plan.Plan, error) {
	p := &ir.Program{Name: "bench"}
	k.emit(p)
	wide := target
	wide.StoresBF16 = false
	built, err := plan.Build(p, plan.Options{Compute: compute, Target: wide})
	if err != nil {
		return nil, err
	}
	in := built.Program.Instrs[0]
	if target.StoresBF16 && compute == ir.BF16 {
		in.Elems(func(t ir.ArgType, v **ir.Value) {
			if t == ir.Elem || !k.sums {
				(*v).DType = ir.BF16
			}
		})
	}
	return built, nil
}

// arguments allocates what in reads, writes and works in, and fills it: floats
// below 1 of both signs, but for those that are never negative, and integers
// below the size of the vocabulary.
func (k Case) arguments(in *ir.Instr, b exec.Backend, seed uint64) (exec.Args, error) {
	r := rand.New(rand.NewPCG(1, seed))
	var args exec.Args
	for _, v := range in.In {
		if v == nil {
			args.In = append(args.In, exec.Region{})
			continue
		}
		region, err := allocate(b, v.Bytes())
		if err != nil {
			return args, err
		}
		if err := b.Upload(region, k.random(v, r)); err != nil {
			return args, err
		}
		args.In = append(args.In, region)
	}
	for _, v := range in.Out {
		var region exec.Region
		if v != nil {
			var err error
			if region, err = allocate(b, v.Bytes()); err != nil {
				return args, err
			}
		}
		args.Out = append(args.Out, region)
	}
	if scratch := b.Target().Workspace; scratch != nil {
		if bytes := scratch([]*ir.Instr{in}); bytes > 0 {
			var err error
			args.Workspace, err = allocate(b, bytes)
			return args, err
		}
	}
	return args, nil
}

func allocate(b exec.Backend, bytes int64) (exec.Region, error) {
	buf, err := b.Alloc(bytes)
	if err != nil {
		return exec.Region{}, err
	}
	return exec.Region{Buffer: buf, Bytes: bytes}, nil
}

// period is after how many elements the random numbers of an argument repeat;
// prime, so that no two rows are alike.
const period = 1_000_003

// random are the bytes of an argument.
func (k Case) random(v *ir.Value, r *rand.Rand) []byte {
	size := int(v.Bytes())
	out := make([]byte, 0, size)
	for len(out) < min(size, period*v.DType.Bits()/8) {
		if v.DType == ir.I32 {
			out = binary.LittleEndian.AppendUint32(out, uint32(r.IntN(k.Shape.Vocab)))
			continue
		}
		x := 2*r.Float32() - 1
		if neverNegative(v.Name) {
			x = (x + 1) / 2
		}
		if v.DType == ir.BF16 {
			out = binary.LittleEndian.AppendUint16(out, uint16(math.Float32bits(x)>>16))
		} else {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
		}
	}
	for len(out) < size {
		out = append(out, out[:min(len(out), size-len(out))]...)
	}
	return out
}

func neverNegative(argument string) bool {
	switch argument {
	case "exp_avg_sq.p", "rstd", "hyper", "loss_weight":
		return true
	}
	return false
}

// Traffic is the bytes that an instruction moves: it counts arguments and results once, what is updated in place twice.
func Traffic(in *ir.Instr) int64 {
	var n int64
	for _, v := range in.In {
		if v != nil {
			n += v.Bytes()
		}
	}
	in.Writes(func(v *ir.Value) { n += v.Bytes() })
	return n
}
