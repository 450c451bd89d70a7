package nn

import (
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"slices"
	"sync"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// Param is a parameter of a model.
type Param struct {
	Name  string // Hugging Face's
	Role  string // of the model among several, see Tuning
	Shape ir.Shape
	Init  Init
	// Decay tells whether weight decay applies: to everything with two axes,
	// not to norms and biases (Radford et al. 2018).
	Decay bool
	// Matrix marks the weights of hidden linear layers, which Muon updates:
	// not embeddings, the head, norms or biases.
	Matrix bool
	// Layout is how a Matrix of the base is stored.
	Layout autograd.WeightLayout
	// Frozen parameters are read and never trained: they have no gradient and no
	// optimizer state.
	Frozen bool
	// Running parameters are Frozen, and statistics of a whole run: training programs write
	// them (autograd.Graph.Running).
	Running bool
	// DType is the type in which the state of a frozen parameter lies in memory, F32 of all
	// others.
	DType ir.DType
	// Adapter marks the parameters that Tuning.Adapter adds to the base.
	Adapter bool
	// Block is the block of the model that the parameter belongs to, -1 for none.
	Block int
}

// State is the name of the state that holds the parameter: Name, behind the role.
func (p Param) State() string {
	state := Tuning{Role: p.Role}.State(p.Name)
	if p.Running {
		return ir.RunningPrefix + state
	}
	return state
}

// Constant tells that no step changes it.
func (p Param) Constant() bool { return p.Frozen && !p.Running }

// Features returns the lengths of the rows that the linear layer of a Matrix gives
// and takes.
func (p Param) Features() (out, in int) {
	if p.Layout == autograd.InOut {
		return p.Shape[1], p.Shape[0]
	}
	return p.Shape[0], p.Shape[1]
}

// Trainable returns the parameters that training changes.
func Trainable(params []Param) []Param {
	return slices.DeleteFunc(slices.Clone(params), func(p Param) bool { return p.Frozen })
}

// Base returns the parameters without those of an adapter: what a checkpoint of
// the merged model holds.
func Base(params []Param) []Param {
	return slices.DeleteFunc(slices.Clone(params), func(p Param) bool { return p.Adapter })
}

// Adapters returns the parameters of the adapter.
func Adapters(params []Param) []Param {
	return slices.DeleteFunc(slices.Clone(params), func(p Param) bool { return !p.Adapter })
}

// Init is the distribution of a parameter's first elements: Value + Std·z with
// z standard normal, or uniform in (-Bound, Bound).
type Init struct{ Value, Std, Bound float64 }

// initElements is the number of elements that Initialize hands over at a time:
// memory does not grow with the model.
const initElements = 1 << 20

// Initialize calls set with the first values of every parameter in turn, a part
// of its state from offset on at a time; values is reused between calls. Element i
// of a state is a function of (seed, state, i) alone: neither other parameters nor
// the number of threads change it. It stops at the first error of set.
func Initialize(params []Param, seed uint64, set func(state string, offset int, values []float32) error) error {
	largest := 0
	for _, p := range params {
		largest = max(largest, p.Shape.Size())
	}
	buffer := make([]float32, min(largest, initElements))
	for _, p := range params {
		key := streamKey(seed, p.State())
		for offset := 0; offset < p.Shape.Size(); offset += len(buffer) {
			values := buffer[:min(len(buffer), p.Shape.Size()-offset)]
			p.Init.fill(values, key, offset)
			if err := set(p.State(), offset, values); err != nil {
				return fmt.Errorf("initialise %s: %w", p.State(), err)
			}
		}
	}
	return nil
}

// fillBlock is the number of elements that a goroutine takes at a time.
const fillBlock = 1 << 16

// fill writes elements first, first+1, … of a parameter.
func (in Init) fill(values []float32, key [2]uint32, first int) {
	if in.Std == 0 && in.Bound == 0 {
		for i := range values {
			values[i] = float32(in.Value)
		}
		return
	}
	var wg sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for start := 0; start < len(values); start += fillBlock {
		limit <- struct{}{}
		wg.Go(func() {
			in.fillRandom(values[start:min(start+fillBlock, len(values))], key, uint64(first+start))
			<-limit
		})
	}
	wg.Wait()
}

// fillRandom writes elements first, first+1, … of the stream; first is a
// multiple of 4. Four words of the generator give four elements.
func (in Init) fillRandom(data []float32, key [2]uint32, first uint64) {
	draw := in.normal
	if in.Bound != 0 {
		draw = in.uniform
	}
	for i := 0; i < len(data); i += 4 {
		counter := (first + uint64(i)) / 4
		values := draw(philox([4]uint32{uint32(counter), uint32(counter >> 32)}, key))
		copy(data[i:], values[:])
	}
}

// normal gives four normals by the transform of Box and Muller.
func (in Init) normal(w [4]uint32) (values [4]float32) {
	for j := 0; j < 4; j += 2 {
		u := (float64(w[j]) + 1) / (1 << 32) // (0, 1]: its logarithm is finite
		radius := math.Sqrt(-2 * math.Log(u))
		sin, cos := math.Sincos(2 * math.Pi * float64(w[j+1]) / (1 << 32))
		values[j], values[j+1] = float32(in.Value+in.Std*(radius*cos)), float32(in.Value+in.Std*(radius*sin))
	}
	return values
}

// uniform gives four numbers in (-Bound, Bound).
func (in Init) uniform(w [4]uint32) (values [4]float32) {
	for j, x := range w {
		values[j] = float32(in.Bound * ((float64(x)+0.5)/(1<<31) - 1))
	}
	return values
}

// streamKey hashes a seed and a name with 64-bit FNV-1a.
func streamKey(seed uint64, name string) [2]uint32 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", seed, name)
	k := h.Sum64()
	return [2]uint32{uint32(k), uint32(k >> 32)}
}

// philox is Philox4x32-10 (Salmon et al. 2011).
func philox(c [4]uint32, k [2]uint32) [4]uint32 {
	for range 10 {
		p0, p1 := uint64(c[0])*0xD2511F53, uint64(c[2])*0xCD9E8D57
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ k[1], uint32(p0)}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return c
}
