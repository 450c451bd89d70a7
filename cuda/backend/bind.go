//go:build gpu

package backend

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/kernels"
)

// binders is the table of kernels, indexed by kind. A binder returns the closure
// that starts the kernels of an instruction; what it allocates, it allocates
// then.
var binders = [ir.NumKinds]func(c *call) func(){
	ir.Embedding:                 bindEmbedding,
	ir.EmbeddingBackward:         bindEmbeddingBackward,
	ir.MatMul:                    bindMatMul,
	ir.ColumnSum:                 bindColumnSum,
	ir.LayerNorm:                 bindLayerNorm,
	ir.LayerNormBackward:         bindLayerNormBackward,
	ir.RMSNorm:                   bindRMSNorm,
	ir.RMSNormBackward:           bindRMSNormBackward,
	ir.Activation:                bindActivation,
	ir.ActivationBackward:        bindActivationBackward,
	ir.SwiGLU:                    bindSwiGLU,
	ir.SwiGLUBackward:            bindSwiGLUBackward,
	ir.RoPE:                      bindRoPE,
	ir.Attention:                 bindAttention,
	ir.AttentionBackward:         bindAttentionBackward,
	ir.AttentionCached:           bindAttentionCached,
	ir.Recurrent:                 bindRecurrent,
	ir.RecurrentBackward:         bindRecurrentBackward,
	ir.RecurrentCached:           bindRecurrentCached,
	ir.RelativeAttention:         bindRelativeAttention,
	ir.RelativeAttentionBackward: bindRelativeAttentionBackward,
	ir.RelativeAttentionCached:   bindRelativeAttentionCached,
	ir.Dropout:                   bindDropout,
	ir.Softmax:                   bindSoftmax,
	ir.SoftmaxBackward:           bindSoftmaxBackward,
	ir.CrossEntropy:              bindCrossEntropy,
	ir.CrossEntropyBackward:      bindCrossEntropyBackward,
	ir.LinearCrossEntropy:        bindLinearCrossEntropy,
	ir.LinearLogProb:             bindLinearLogProb,
	ir.LinearLogProbBackward:     bindLinearLogProbBackward,
	ir.LinearTopLogProb:          bindLinearTopLogProb,
	ir.LinearTopLogProbBackward:  bindLinearTopLogProbBackward,
	ir.MSE:                       bindMSE,
	ir.MSEBackward:               bindMSEBackward,

	ir.Conv:              bindConv,
	ir.ConvInput:         bindConvInput,
	ir.ConvWeights:       bindConvWeights,
	ir.GroupNorm:         bindGroupNorm,
	ir.GroupNormBackward: bindGroupNormBackward,
	ir.Upsample:          bindUpsample,
	ir.SumPool:           bindSumPool,
	ir.MaxPool:           bindMaxPool,
	ir.MaxPoolBackward:   bindMaxPoolBackward,
	ir.Normal:            bindNormal,

	ir.Add:              bindAdd,
	ir.Mul:              bindMul,
	ir.Scale:            bindScale,
	ir.ScaleBy:          bindScaleBy,
	ir.ScaleColumns:     bindScaleColumns,
	ir.InverseNorms:     bindInverseNorms,
	ir.Map:              bindMap,
	ir.MapBackward:      bindMapBackward,
	ir.SegmentSum:       bindSegmentSum,
	ir.SegmentBroadcast: bindSegmentBroadcast,
	ir.Reshape:          bindReshape,
	ir.Transpose:        bindTranspose,
	ir.Slice:            bindSlice,
	ir.SliceBackward:    bindSliceBackward,
	ir.Concat:           bindConcat,
	ir.ReduceSum:        bindReduceSum,
	ir.Broadcast:        bindBroadcast,
	ir.ToFloat:          bindToFloat,
	ir.Assign:           bindAssign,

	ir.AllReduce:     bindCollective,
	ir.ReduceTo:      bindCollective,
	ir.BroadcastFrom: bindCollective,
	ir.Await:         bindAwait,

	ir.SumSquares: bindSumSquares,
	ir.GradNorm:   bindGradNorm,
}

// fusedBinders is the table of the kinds that do many tensors in one launch, those
// that ir.Info.Fuses. The workspace of the first call is that of all.
var fusedBinders = [ir.NumKinds]func(calls []*call) func(){
	ir.Cast:  bindCast,
	ir.AdamW: bindAdamW,
	ir.SGD:   bindSGD,
	ir.Lion:  bindLion,
	ir.Muon:  bindMuon,
	ir.EMA:   bindEMA,
}

// call is an instruction with its arguments, while it is bound. The first error
// of a helper sticks to it.
type call struct {
	*Backend
	*ir.Instr
	args exec.Args
	held []exec.Buffer // device tables of the kernel
	err  error
}

// in returns the address of input i, 0 when it is absent.
func (c *call) in(i int) cuda.Ptr { return addr(c.args.In[i]) }

// out returns the address of output i, 0 when it is absent.
func (c *call) out(i int) cuda.Ptr { return addr(c.args.Out[i]) }

// scratch returns the address of the instruction's workspace.
func (c *call) scratch() cuda.Ptr { return addr(c.args.Workspace) }

// elem returns the element type of the instruction.
func (c *call) elem() ir.DType { return c.Elem(ir.Elem) }

// fail keeps the first error.
func (c *call) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// checks returns the two arguments of a kernel that reports indices outside
// [0, limit): the address of the report and the number of this check.
func (c *call) checks(what string, limit int) (cuda.Ptr, int32) {
	c.Backend.faults = append(c.Backend.faults, indexFault{c.Instr, what, limit})
	return c.Backend.fault, int32(len(c.Backend.faults))
}

// table returns device memory that holds words.
func (c *call) table(words []uint64) cuda.Ptr {
	buf, err := c.Alloc(int64(8 * max(len(words), 1)))
	if err != nil {
		c.fail(err)
		return 0
	}
	c.held = append(c.held, buf)
	host := make([]byte, 8*len(words))
	for i, w := range words {
		binary.LittleEndian.PutUint64(host[8*i:], w)
	}
	region := exec.Region{Buffer: buf, Bytes: int64(len(host))}
	if err := c.Upload(region, host); err != nil {
		c.fail(err)
	}
	return addr(region)
}

// launchElem is launch of the kernel for the element type: name_f32 or
// name_bf16.
func (c *call) launchElem(name string, grid, block cuda.Dim, shared int, args ...any) func() {
	return c.launch(name+"_"+c.elem().String(), grid, block, shared, args...)
}

// launch returns the closure that starts a kernel. Arguments are cuda.Ptr,
// int32, int64 and float32, as the kernel declares them; a wrong one is an error
// of Bind, and so is a launch beyond the limits of kernel or card.
func (c *call) launch(name string, grid, block cuda.Dim, shared int, args ...any) func() {
	k, err := c.kernel(name)
	if err != nil {
		c.fail(err)
		return nil
	}
	slots, err := pack(name, args)
	if err != nil {
		c.fail(err)
		return nil
	}
	signature := kernels.Signatures[name]
	if err := checkLaunch(name, signature, [3]int{grid.X, grid.Y, grid.Z}, [3]int{block.X, block.Y, block.Z}, shared, c.perBlock); err != nil {
		c.fail(err)
		return nil
	}
	if asksShared(signature, shared) {
		if err := k.SetShared(shared); err != nil {
			c.fail(err)
			return nil
		}
	}
	b := c.Backend
	return func() { b.do(b.stream.Launch(k, grid, block, shared, slots)) }
}

// pack turns arguments into slots of 8 bytes and compares their types with the
// kernel's parameters.
func pack(name string, args []any) ([]cuda.Slot, error) {
	signature := kernels.Signatures[name].Params
	if len(args) != len(signature) {
		return nil, fmt.Errorf("cuda: kernel %s takes %d arguments, got %d", name, len(signature), len(args))
	}
	slots := make([]cuda.Slot, len(args))
	for i, a := range args {
		var code byte
		switch a := a.(type) {
		case cuda.Ptr:
			code, slots[i] = 'p', cuda.Slot(a)
		case int32:
			code, slots[i] = 'i', cuda.Slot(uint32(a))
		case int64:
			code, slots[i] = 'l', cuda.Slot(a)
		case float32:
			code, slots[i] = 'f', cuda.Slot(math.Float32bits(a))
		}
		if code != signature[i] {
			return nil, fmt.Errorf("cuda: argument %d of kernel %s is a %T, want %q", i, name, a, signature[i])
		}
	}
	return slots, nil
}

// kernel finds a kernel in the modules.
func (b *Backend) kernel(name string) (*cuda.Kernel, error) {
	if k := b.kernels[name]; k != nil {
		return k, nil
	}
	module, ok := b.modules[kernels.Signatures[name].File]
	if !ok {
		return nil, fmt.Errorf("cuda: there is no kernel %s", name)
	}
	k, err := module.Kernel(name)
	if err != nil {
		return nil, err
	}
	b.kernels[name] = k
	return k, nil
}

// multiply returns the closure that starts a product, by the algorithm that is settled
// for it.
func (c *call) multiply(p cuda.Product, a, b, addend, y, bias, aux cuda.Ptr) func() {
	launch, err := c.product(p, a, b, addend, y, bias, aux)
	c.fail(err)
	return launch
}

// product is multiply with the error, which wraps cuda.ErrEpilogue where cuBLASLt lacks
// the epilogue.
func (c *call) product(p cuda.Product, a, b, addend, y, bias, aux cuda.Ptr) (func(), error) {
	back := c.Backend
	start := func(m *cuda.Matmul) func() {
		return func() { back.do(m.Launch(back.stream, a, b, addend, y, bias, aux)) }
	}
	candidates, err := c.algorithms(p)
	if err != nil {
		return nil, err
	}
	ways := make([]way, len(candidates))
	for i, m := range candidates {
		ways[i] = way{m.Algorithm(), func() (func(), error) { return start(m), nil }}
	}
	return c.choose(productID(p), ways...), nil
}

// algorithms are the candidates for a product: one where nothing is to be chosen.
func (c *call) algorithms(p cuda.Product) ([]*cuda.Matmul, error) {
	_, settled := c.ways[productID(p)]
	if settled || c.trial != nil && c.trial.timed {
		return c.blas.Candidates(p)
	}
	m, err := c.blas.Plan(p)
	return []*cuda.Matmul{m}, err
}

// productID names what the time of a product depends on.
func productID(p cuda.Product) string {
	return fmt.Sprintf("product %v, rows %d %d %d, beta %g", p, p.LDA, p.LDB, p.LDC, p.Beta)
}

// sequence returns the closure that runs steps one after the other.
func sequence(steps ...func()) func() {
	return func() {
		for _, step := range steps {
			if step != nil {
				step()
			}
		}
	}
}

// dtype is the cuBLASLt type of d.
func dtype(d ir.DType) cuda.DType {
	if d == ir.BF16 {
		return cuda.BFloat16
	}
	return cuda.Float32
}

// Bind chooses the kernels of in and fixes their arguments.
func (b *Backend) Bind(in *ir.Instr, args exec.Args) (exec.Launch, error) {
	if fuses(in.Kind) {
		return b.BindFused([]*ir.Instr{in}, []exec.Args{args})
	}
	if in.Kind >= ir.NumKinds || binders[in.Kind] == nil {
		return nil, fmt.Errorf("cuda: no kernel for %s", in.Kind)
	}
	if err := b.checkWorkspace([]*ir.Instr{in}, args); err != nil {
		return nil, err
	}
	c := &call{Backend: b, Instr: in, args: args}
	run := binders[in.Kind](c)
	return b.guard(run, []*call{c}), c.err
}

// BindFused is Bind for instructions of one kind that Target().Fuses names.
func (b *Backend) BindFused(ins []*ir.Instr, args []exec.Args) (exec.Launch, error) {
	bind := fusedBinders[ins[0].Kind]
	if bind == nil {
		return nil, fmt.Errorf("cuda: no kernel for several of %s", ins[0].Kind)
	}
	if err := b.checkWorkspace(ins, args[0]); err != nil {
		return nil, err
	}
	calls := make([]*call, len(ins))
	for i, in := range ins {
		calls[i] = &call{Backend: b, Instr: in, args: args[i]}
	}
	run := bind(calls)
	for _, c := range calls {
		if c.err != nil {
			return nil, c.err
		}
	}
	return b.guard(run, calls), nil
}

func (b *Backend) checkWorkspace(launch []*ir.Instr, args exec.Args) error {
	if need := workspace(launch); args.Workspace.Bytes < need {
		return fmt.Errorf("cuda: %s needs %d bytes of workspace, has %d; build the plan with this back end's Target", launch[0].Kind, need, args.Workspace.Bytes)
	}
	return nil
}

// guard leaves out launches behind an error and keeps the buffers of calls.
func (b *Backend) guard(run func(), calls []*call) exec.Launch {
	return func() {
		if b.err == nil {
			run()
		}
		runtime.KeepAlive(calls)
	}
}
