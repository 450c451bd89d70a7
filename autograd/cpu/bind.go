package cpu

import (
	"errors"
	"fmt"
	"runtime"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

// binder is what the back end knows of a kind.
type binder struct {
	// bind returns the closure that runs an instruction. What it allocates, it
	// allocates now.
	bind func(c *call) func()
	// scratch returns the floats of workspace that in needs; nil means none.
	scratch func(b *Backend, in *ir.Instr) int
}

// binders is the table of kernels, indexed by kind.
var binders = [ir.NumKinds]binder{
	ir.Embedding:                 {bindEmbedding, nil},
	ir.EmbeddingBackward:         {bindEmbeddingBackward, nil},
	ir.MatMul:                    {bindMatMul, scratchMatMul},
	ir.ColumnSum:                 {bindColumnSum, scratchColumnSum},
	ir.LayerNorm:                 {bindLayerNorm, nil},
	ir.LayerNormBackward:         {bindLayerNormBackward, scratchNormBackward},
	ir.RMSNorm:                   {bindRMSNorm, nil},
	ir.RMSNormBackward:           {bindRMSNormBackward, scratchNormBackward},
	ir.Activation:                {bindActivation, nil},
	ir.ActivationBackward:        {bindActivationBackward, nil},
	ir.SwiGLU:                    {bindSwiGLU, nil},
	ir.SwiGLUBackward:            {bindSwiGLUBackward, nil},
	ir.RoPE:                      {bindRoPE, nil},
	ir.Attention:                 {bindAttention, scratchAttention},
	ir.AttentionBackward:         {bindAttentionBackward, scratchAttentionBackward},
	ir.AttentionCached:           {bindAttentionCached, scratchAttentionCached},
	ir.Recurrent:                 {bindRecurrent, scratchRecurrent},
	ir.RecurrentBackward:         {bindRecurrentBackward, scratchRecurrentBackward},
	ir.RecurrentCached:           {bindRecurrentCached, scratchRecurrent},
	ir.Dropout:                   {bindDropout, nil},
	ir.Softmax:                   {bindSoftmax, nil},
	ir.SoftmaxBackward:           {bindSoftmaxBackward, nil},
	ir.CrossEntropy:              {bindCrossEntropy, scratchCrossEntropy},
	ir.CrossEntropyBackward:      {bindCrossEntropyBackward, nil},
	ir.LinearCrossEntropy:        {bindLinearCrossEntropy, scratchLinearCrossEntropy},
	ir.LinearLogProb:             {bindLinearLogProb, scratchLinearLogProb},
	ir.LinearLogProbBackward:     {bindLinearLogProbBackward, scratchLinearLogProb},
	ir.LinearTopLogProb:          {bindLinearTopLogProb, scratchLinearTopLogProb},
	ir.LinearTopLogProbBackward:  {bindLinearTopLogProbBackward, scratchLinearTopLogProb},
	ir.MSE:                       {bindMSE, scratchMSE},
	ir.MSEBackward:               {bindMSEBackward, nil},
	ir.RelativeAttention:         {bindRelativeAttention, scratchRelativeAttention},
	ir.RelativeAttentionBackward: {bindRelativeAttentionBackward, scratchRelativeAttentionBackward},
	ir.RelativeAttentionCached:   {bindRelativeAttentionCached, scratchRelativeAttentionCached},

	ir.Conv:              {bindConv, scratchConv},
	ir.ConvInput:         {bindConvInput, scratchConvInput},
	ir.ConvWeights:       {bindConvWeights, scratchConvWeights},
	ir.GroupNorm:         {bindGroupNorm, scratchGroupNorm},
	ir.GroupNormBackward: {bindGroupNormBackward, scratchGroupNormBackward},
	ir.Upsample:          {bindUpsample, nil},
	ir.SumPool:           {bindSumPool, nil},
	ir.MaxPool:           {bindMaxPool, nil},
	ir.MaxPoolBackward:   {bindMaxPoolBackward, nil},
	ir.Normal:            {bindNormal, nil},

	ir.Add:              {bindAdd, nil},
	ir.Mul:              {bindMul, nil},
	ir.Scale:            {bindScale, nil},
	ir.ScaleBy:          {bindScaleBy, nil},
	ir.ScaleColumns:     {bindScaleColumns, nil},
	ir.InverseNorms:     {bindInverseNorms, scratchInverseNorms},
	ir.Map:              {bindMap, nil},
	ir.MapBackward:      {bindMapBackward, nil},
	ir.SegmentSum:       {bindSegmentSum, scratchSegmentSum},
	ir.SegmentBroadcast: {bindSegmentBroadcast, nil},
	ir.Reshape:          {bindReshape, nil},
	ir.Transpose:        {bindTranspose, nil},
	ir.Slice:            {bindSlice, nil},
	ir.SliceBackward:    {bindSliceBackward, nil},
	ir.Concat:           {bindConcat, nil},
	ir.ReduceSum:        {bindReduceSum, scratchReduceSum},
	ir.Broadcast:        {bindBroadcast, nil},
	ir.Cast:             {bindCast, nil},
	ir.ToFloat:          {bindToFloat, nil},
	ir.Assign:           {bindAssign, nil},

	ir.AllReduce:     {bindCollective, nil},
	ir.ReduceTo:      {bindCollective, nil},
	ir.BroadcastFrom: {bindCollective, nil},
	ir.Await:         {bindAwait, nil},

	ir.SumSquares: {bindSumSquares, scratchSumSquares},
	ir.GradNorm:   {bindGradNorm, nil},
	ir.AdamW:      {bindAdamW, nil},
	ir.SGD:        {bindSGD, nil},
	ir.Lion:       {bindLion, nil},
	ir.Muon:       {bindMuon, scratchMuon},
	ir.EMA:        {bindEMA, nil},
}

// call is an instruction with its arguments.
type call struct {
	*Backend
	*ir.Instr
	args exec.Args
}

// x returns input i, nil when it is absent.
func (c *call) x(i int) []float32 { return view[float32](c.args.In[i]) }

// ids returns input i, int32, nil when it is absent.
func (c *call) ids(i int) []int32 { return view[int32](c.args.In[i]) }

// y returns output i, nil when it is absent.
func (c *call) y(i int) []float32 { return view[float32](c.args.Out[i]) }

// scratch returns the instruction's workspace.
func (c *call) scratch() []float32 { return view[float32](c.args.Workspace) }

// Bind chooses the kernel of in and fixes its arguments.
func (b *Backend) Bind(in *ir.Instr, args exec.Args) (exec.Launch, error) {
	if in.Kind >= ir.NumKinds || binders[in.Kind].bind == nil {
		return nil, fmt.Errorf("cpu: no kernel for %s", in.Kind)
	}
	if in.Elem(ir.Elem) == ir.BF16 || in.Elem(ir.Result) == ir.BF16 {
		return nil, fmt.Errorf("cpu: %s: bf16 values are not supported; build the plan with this back end's Target, which keeps values in float32", in.Kind)
	}
	if need := b.workspace(in); args.Workspace.Bytes < need {
		return nil, fmt.Errorf("cpu: %s needs %d bytes of workspace, has %d; build the plan with this back end's Target", in.Kind, need, args.Workspace.Bytes)
	}
	c := &call{b, in, args}
	run := c.thenSums(binders[in.Kind].bind(c))
	return func() {
		if b.err != nil {
			return
		}
		defer b.catch(in)
		run()
		runtime.KeepAlive(&args)
	}, nil
}

// catch turns the panic of a kernel into the back end's error.
func (b *Backend) catch(in *ir.Instr) {
	v := recover()
	if v == nil {
		return
	}
	var task *kernel.TaskPanic
	if err, ok := v.(error); ok && errors.As(err, &task) {
		b.fault(in, "kernel panicked: %v\n%s", task.Value, task.Stack)
		return
	}
	b.fault(in, "kernel panicked: %v", v)
}

// fault records what is wrong with a launch.
func (b *Backend) fault(in *ir.Instr, format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("cpu: %s at %q: %s", in.Kind, in.Path, fmt.Sprintf(format, args...))
	}
}

// checkIndices records a fault and returns false unless each index is in
// [0, limit), or negative where that is allowed.
func (c *call) checkIndices(what string, indices []int32, limit int, negative bool) bool {
	for n, i := range indices {
		if int(i) >= limit || i < 0 && !negative {
			c.fault(c.Instr, "%s %d at row %d is outside [0, %d)", what, i, n, limit)
			return false
		}
	}
	return true
}
