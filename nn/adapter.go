package nn

import (
	"errors"
	"fmt"
	"math"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"example.com/gotrain/autograd"
)

// Adapter is the lora section of a configuration: beside every target, a frozen
// linear layer with weights W, stand two trained matrices A (r, in) and B
// (out, r) (Hu et al. 2021, "LoRA"):
//
//	y = x·Wᵀ + bias + Scale·(dropout(x)·Aᵀ)·Bᵀ
//
// With DoRA the rows of W + Scale·B·A that give the outputs keep their direction only, and
// have a trained length m (out) (Liu et al. 2024):
//
//	y = (m/‖W + Scale·B·A‖)∘(x·Wᵀ + Scale·(x·Aᵀ)·Bᵀ) + bias
//
// where the norm counts as constant, and with dropout y = x·Wᵀ + bias + the same of dropout(x)
// less dropout(x)·Wᵀ, as in peft.
//
// The parameters are "NAME.lora_A.weight" and "NAME.lora_B.weight" beside
// "NAME.weight". A begins as Hugging Face's peft begins it, Kaiming-uniform with
// a = √5, which is U(-1/√in, 1/√in), and B at zero: the adapted model begins as
// its base. m is "NAME.lora_magnitude_vector", which begins as ‖W‖ (Norms). Rank 0
// means no adapter: all parameters are trained.
type Adapter struct {
	Rank    int     `yaml:"rank"`    // r, 0 = none
	Alpha   float64 `yaml:"alpha"`   // default rank, which makes Scale 1 without rslora
	Dropout float64 `yaml:"dropout"` // of what A multiplies, in training only
	// Targets name linear layers by their last parts, such as q_proj or
	// self_attn.q_proj, or whole; AllLinear means every linear layer but the
	// head. Default AllLinear.
	Targets []string `yaml:"targets"`
	RSLoRA  bool     `yaml:"rslora"` // divide alpha by √rank (Kalajdzievski 2023), not by rank
	DoRA    bool     `yaml:"dora"`   // train the lengths of rows apart from their directions
	// Ranks and Alphas are those of single layers, "q_proj=8", where they differ from Rank
	// and Alpha; the first entry that means a layer counts.
	Ranks  []string `yaml:"ranks"`
	Alphas []string `yaml:"alphas"`
	// Base is how the frozen base lies in memory, default Float32: under NF4 this is QLoRA
	// (Dettmers et al. 2023).
	Base Storage `yaml:"base"`
	// Merge has checkpoints hold the merged model, and the adapter in a folder, in place
	// of the adapter alone. Nothing that is computed depends on it.
	Merge bool `yaml:"merge"`
}

// AllLinear is the target that means every linear layer but the head.
const AllLinear = "all-linear"

// Suffixes of the parameters of an adapter, behind the name of the layer.
const (
	LoRAA = ".lora_A.weight"
	LoRAB = ".lora_B.weight"
	DoRAM = ".lora_magnitude_vector"
)

// MaxRank is far above any useful rank.
const MaxRank = 1 << 14

// Validate returns all faults of a, joined, each with its cure, or nil.
func (a Adapter) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("lora."+format, args...))
		}
	}
	check(a.Rank >= 0 && a.Rank <= MaxRank, "rank is %d; use 1 to %d, or 0 to train all parameters", a.Rank, MaxRank)
	check(a.Alpha >= 0 && !math.IsInf(a.Alpha, 0), "alpha is %g; use a positive number, or 0 for the rank", a.Alpha)
	check(a.Dropout >= 0 && a.Dropout < 1, "dropout is %g; use a number in [0, 1)", a.Dropout)
	if err := a.Base.Validate(); err != nil {
		check(false, "base %w", err)
	}
	check(a.Rank > 0 || a.Base == "" || a.Base == Float32, "base is %s, but without lora.rank the base is trained, in float32: set lora.rank, or leave lora.base out", a.Base)
	errs = append(errs, checkEntries("ranks", a.Ranks, MaxRank, true)...)
	errs = append(errs, checkEntries("alphas", a.Alphas, math.MaxFloat64, false)...)
	check(!slices.Contains(a.Targets, ""), "targets: one is empty; name layers such as q_proj, or %s", AllLinear)
	return errors.Join(errs...)
}

// WithDefaults fills in alpha, targets and base.
func (a Adapter) WithDefaults() Adapter {
	if a.Rank == 0 {
		return Adapter{}
	}
	Default(&a.Alpha, float64(a.Rank))
	Default(&a.Base, Float32)
	if len(a.Targets) == 0 {
		a.Targets = []string{AllLinear}
	}
	return a
}

// Scale is what the product B·A is multiplied by: alpha/rank, under RSLoRA
// alpha/√rank.
func (a Adapter) Scale() float64 {
	a = a.WithDefaults()
	switch {
	case a.Rank == 0:
		return 0
	case a.RSLoRA:
		return a.Alpha / math.Sqrt(float64(a.Rank))
	}
	return a.Alpha / float64(a.Rank)
}

// adapts tells whether layer is a target of a.
func (a Adapter) adapts(layer string) bool {
	return a.Rank > 0 && slices.ContainsFunc(a.Targets, func(t string) bool { return isTarget(t, layer) })
}

func isTarget(target, layer string) bool {
	return target == AllLinear || isNamed(layer, target)
}

// isNamed tells whether name is the layer's, whole or its last parts.
func isNamed(layer, name string) bool {
	return layer == name || strings.HasSuffix(layer, "."+name)
}

// Linears returns the weights of a model that an adapter may change, those of the
// linear layers but the head.
func Linears(params []Param) []Param {
	return slices.DeleteFunc(slices.Clone(params), func(p Param) bool { return !p.Matrix || p.Adapter })
}

// Layer is the name of the layer whose weight p is.
func (p Param) Layer() string { return strings.TrimSuffix(p.Name, ".weight") }

// Adapted returns the weights of a model that a changes.
func (a Adapter) Adapted(params []Param) []Param {
	return slices.DeleteFunc(Linears(params), func(p Param) bool { return !a.adapts(p.Layer()) })
}

// TargetsOf returns the shortest Targets that mean the weights adapted, some of
// Linears(params), and no others.
func TargetsOf(adapted, params []Param) []string {
	linears := Linears(params)
	if len(adapted) == len(linears) {
		return []string{AllLinear}
	}
	wanted := map[string]bool{}
	for _, p := range adapted {
		wanted[p.Layer()] = true
	}
	var targets []string
	for _, p := range adapted {
		targets = append(targets, shortestTarget(p.Layer(), wanted, linears))
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}

// shortestTarget is the shortest end of layer that means none but wanted layers.
func shortestTarget(layer string, wanted map[string]bool, linears []Param) string {
	for start := len(layer); start > 0; {
		start = strings.LastIndexByte(layer[:start], '.')
		name := layer[start+1:]
		if !slices.ContainsFunc(linears, func(p Param) bool { return isNamed(p.Layer(), name) && !wanted[p.Layer()] }) {
			return name
		}
	}
	return layer
}

// FindLinear returns the weight of the one linear layer that name means: the
// layer's own or its last parts.
func FindLinear(params []Param, name string) (Param, error) {
	var found []Param
	linears := Linears(params)
	for _, p := range linears {
		if isNamed(p.Layer(), name) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		var names []string
		for _, p := range linears {
			names = append(names, p.Layer())
		}
		return Param{}, fmt.Errorf("no linear layer that can be adapted is called %q; the nearest are %s", name, strings.Join(nearest(name, names), ", "))
	}
	return Param{}, fmt.Errorf("%q means %d linear layers, such as %s and %s", name, len(found), found[0].Layer(), found[1].Layer())
}

// adapt is y = x·w + bias as Linear(name, x) has it, with what the adapter changes where the
// layer is a target.
func (b *Builder) adapt(name string, x, w, bias *autograd.Node, out int) *autograd.Node {
	a, layout := b.tuning.Adapter, b.style.Layout
	layer := b.name(name)
	b.layers = append(b.layers, layer)
	base := func(x, bias *autograd.Node) *autograd.Node {
		return b.layer(name, func() *autograd.Node { return autograd.Linear(x, w, bias, layout) })
	}
	if !a.adapts(layer) {
		return base(x, bias)
	}
	drop := b.RNG != nil && a.Dropout > 0
	first := bias
	if a.DoRA && !drop {
		first = nil // it is added behind the factors
	}
	y, in := base(x, first), x.Shape().Cols()
	rank, scale := a.RankOf(layer), float32(a.ScaleOf(layer))
	down := b.param(Param{Name: name + LoRAA, Shape: []int{rank, in}, Init: Init{Bound: 1 / math.Sqrt(float64(in))}, Decay: true, Matrix: true, Adapter: true})
	up := b.param(Param{Name: name + LoRAB, Shape: []int{out, rank}, Decay: true, Matrix: true, Adapter: true})
	var lengths *autograd.Node
	if a.DoRA {
		lengths = b.param(Param{Name: name + DoRAM, Shape: []int{out}, Adapter: true})
	}
	return b.layer(name+".lora", func() *autograd.Node {
		x := b.drop(x, a.Dropout)
		h := autograd.MatMul(x, down, false, true) // (N, in) × (r, in)ᵀ → (N, r)
		h = autograd.Scale(h, scale)
		change := autograd.MatMul(h, up, false, true) // (N, r) × (out, r)ᵀ → (N, out)
		if !a.DoRA {
			return autograd.Add(y, change)
		}
		factors := autograd.Mul(lengths, autograd.InverseNorms(w, down, up, layout, scale))
		if !drop {
			return autograd.ScaleColumns(autograd.Add(y, change), factors, bias)
		}
		dropped := autograd.Linear(x, w, nil, layout)
		return autograd.Add(y, autograd.Sub(autograd.ScaleColumns(autograd.Add(dropped, change), factors, nil), dropped))
	})
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// checkSets returns what is wrong with the sets of parameters that the
// configuration of b asks for, once all are declared.
func (b *Builder) checkSets() error {
	var errs []error
	var names []string
	trainable := false
	for _, p := range b.params {
		names = append(names, p.Name)
		trainable = trainable || !p.Frozen || b.tuning.Average
	}
	for _, pattern := range b.tuning.Freeze {
		if _, err := path.Match(pattern, ""); err != nil {
			errs = append(errs, fmt.Errorf("train.freeze: %q is no pattern: write [ and ] in pairs, and \\ before one that is meant itself", pattern))
		} else if !slices.ContainsFunc(names, func(name string) bool { return matches(pattern, name) }) {
			errs = append(errs, fmt.Errorf("train.freeze: no parameter matches %q; the nearest are %s", pattern, strings.Join(nearest(pattern, names), ", ")))
		}
	}
	if a := b.tuning.Adapter; a.Rank > 0 {
		for _, target := range a.Targets {
			if !slices.ContainsFunc(b.layers, func(layer string) bool { return isTarget(target, layer) }) {
				errs = append(errs, fmt.Errorf("lora.targets: no linear layer is called %q; the nearest are %s, or use %s", target, strings.Join(nearest(target, b.layers), ", "), AllLinear))
			}
		}
	}
	errs = append(errs, b.checkLayers("ranks", b.tuning.Adapter.Ranks)...)
	errs = append(errs, b.checkLayers("alphas", b.tuning.Adapter.Alphas)...)
	if len(errs) == 0 && !trainable {
		errs = append(errs, errors.New("train.freeze: every parameter is frozen; leave some to be trained"))
	}
	return errors.Join(errs...)
}

// nearest returns up to three of the names that are least unlike word, which
// may hold the wildcards of a pattern or be the last part of a name.
func nearest(word string, names []string) []string {
	type scored struct {
		name     string
		distance int
	}
	var all []scored
	for _, name := range names {
		d := editDistance(word, name)
		for i := range name {
			if name[i] == '.' {
				d = min(d, editDistance(word, name[i+1:]))
			}
		}
		all = append(all, scored{name, d})
	}
	slices.SortStableFunc(all, func(a, b scored) int { return a.distance - b.distance })
	var best []string
	for _, s := range all[:min(3, len(all))] {
		best = append(best, s.name)
	}
	return best
}

// editDistance is Levenshtein's, where a * stands for anything.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal, free := row[0], a[i-1] == '*'
		if !free {
			row[0] = i
		}
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			insert := row[j-1] + 1
			if free {
				cost, insert = 0, row[j-1]
			}
			diagonal, row[j] = row[j], min(row[j]+1, insert, diagonal+cost)
			if free {
				row[j] = min(row[j], diagonal)
			}
		}
	}
	return row[len(b)]
}

// Delta is the change Scale·B·A that an adapter makes to a weight, in the
// weight's layout; with DoRA the sum is multiplied by a factor for each output.
//
// The arithmetic is float32 throughout and the same on every machine: an element
// is Scale·(Σ B[o,k]·A[k,i]), the sum over ascending k from 0, every product and
// every sum rounded, and one more rounding as it is added to the weight. So a
// weight merges to the same bits in one piece or in parts, an adapter whose B is
// zero leaves it as it is, and Unmerge gives back a weight w to within
// the last bit of w and of w + delta: exactly it need not be, so what must be
// exact keeps the base.
type Delta struct {
	left, right []float32 // (rows, r), (r, cols)
	rank, cols  int
	scale       float32
	factors     []float32 // of DoRA by output, else nil
	layout      autograd.WeightLayout
}

// NewDelta returns the change that a (r, in) and b (out, r), which it does not
// modify, make to a weight in layout.
func NewDelta(layout autograd.WeightLayout, a, b []float32, rank int, scale float64) *Delta {
	d := &Delta{left: b, right: a, rank: rank, scale: float32(scale), layout: layout}
	if layout == autograd.InOut { // (B·A)ᵀ = Aᵀ·Bᵀ
		d.left, d.right = transpose(a, rank), transpose(b, len(b)/rank)
	}
	d.cols = len(d.right) / rank
	return d
}

// transpose returns x (rows, cols) as (cols, rows).
func transpose(x []float32, rows int) []float32 {
	cols := len(x) / rows
	y := make([]float32, len(x))
	for r := range rows {
		for c := range cols {
			y[c*rows+r] = x[r*cols+c]
		}
	}
	return y
}

// Merge adds the change to w, the elements of the weight from offset on.
func (d *Delta) Merge(w []float32, offset int) { d.add(w, offset, d.scale) }

// Unmerge takes the change from w, the elements of a merged weight from offset
// on. Of DoRA it is no inverse: the lengths of the rows of the base are gone.
func (d *Delta) Unmerge(w []float32, offset int) { d.add(w, offset, -d.scale) }

// mergeBlock is the number of elements that a goroutine takes at a time.
const mergeBlock = 1 << 15

func (d *Delta) add(w []float32, offset int, scale float32) {
	var wg sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for start := 0; start < len(w); start += mergeBlock {
		limit <- struct{}{}
		wg.Go(func() {
			sum := make([]float32, d.cols)
			part := w[start:min(start+mergeBlock, len(w))]
			for at := offset + start; len(part) > 0; {
				row, col := at/d.cols, at%d.cols
				n := min(len(part), d.cols-col)
				d.sum(sum[:n], row, col)
				for i, s := range sum[:n] {
					part[i] += float32(scale * s)
				}
				d.rescale(part[:n], row, col)
				part, at = part[n:], at+n
			}
			<-limit
		})
	}
	wg.Wait()
}

// sum computes elements [col, col+len(sum)) of a row of left·right. The
// conversions keep compilers from fusing a product with a sum.
func (d *Delta) sum(sum []float32, row, col int) {
	clear(sum)
	for k, l := range d.left[row*d.rank:][:d.rank] {
		right := d.right[k*d.cols+col:][:len(sum)]
		for i, r := range right {
			sum[i] += float32(l * r)
		}
	}
}

// rescale multiplies elements [col, col+len(part)) of a row by the factors of their outputs.
func (d *Delta) rescale(part []float32, row, col int) {
	switch {
	case d.factors == nil:
	case d.layout == autograd.OutIn:
		for i := range part {
			part[i] *= d.factors[row]
		}
	default:
		for i := range part {
			part[i] *= d.factors[col+i]
		}
	}
}

// Elements calls yield with the elements of a weight as float32, in order, a part from an offset
// on at a time, which yield may change.
type Elements func(yield func(offset int, values []float32) error) error

// Direct makes d the change of DoRA to the weight p with those elements: the rows that give the
// outputs get the lengths magnitude.
func (d *Delta) Direct(p Param, magnitude []float32, elements Elements) error {
	norms, err := Norms(p, d, elements)
	if err != nil {
		return err
	}
	for i, norm := range norms {
		if norms[i] = 0; norm != 0 {
			norms[i] = magnitude[i] / norm
		}
	}
	d.factors = norms
	return nil
}

// Norms returns the lengths of the rows of the weight p that give the outputs of its layer, with
// change made to its elements, nil for none. They are what the magnitudes of DoRA begin as.
func Norms(p Param, change *Delta, elements Elements) ([]float32, error) {
	out, in := p.Features()
	squares := make([]float64, out)
	err := elements(func(offset int, values []float32) error {
		if change != nil {
			change.Merge(values, offset)
		}
		for i, x := range values {
			o := (offset + i) / in
			if p.Layout == autograd.InOut {
				o = (offset + i) % out
			}
			squares[o] += float64(x) * float64(x)
		}
		return nil
	})
	norms := make([]float32, out)
	for i, s := range squares {
		norms[i] = float32(math.Sqrt(s))
	}
	return norms, err
}
