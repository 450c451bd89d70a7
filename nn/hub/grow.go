package hub

import (
	"fmt"
	"slices"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
)

// LoadBase fills the parameters of m, which has no adapter's values yet, from the weights
// in dir, as LoadParams does, and lets the vocabulary grow: where the tables of tokens
// have more rows than those in dir, the further ones are the mean of the others, as
// transformers' resize_token_embeddings begins them but for its noise of a standard
// deviation of 3e-5 of theirs.
func LoadBase(store *exec.Store, dir string, m nn.Model) error {
	params := nn.Base(m.Params())
	head, grown := m.Config().(nn.HeadConfig)
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		return err
	}
	defer weights.Close()
	match, err := matchTensors(weights, params, spared(m))
	if err != nil {
		return err
	}
	params = slices.DeleteFunc(params, func(p nn.Param) bool { return match.Tensors[p.Name] == "" })
	var whole []nn.Param
	for _, p := range params {
		t, _ := weights.Tensor(match.Tensors[p.Name])
		if !grown || !grows(p, t, head) {
			whole = append(whole, p)
		} else if err := loadRows(store, p, t); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	find := func(param string) (safetensors.Tensor, bool) { return weights.Tensor(match.Tensors[param]) }
	return LoadStates(store, dir, find, ParamTensors(whole), otherModel)
}

// spared tells which parameters of m a base may lack, and which tensors it may have beside: those
// of heads.
func spared(m nn.Model) func(name string) bool {
	if _, ok := m.(*nn.Scored); ok {
		head, _, _ := m.Config().(nn.HeadConfig).Head()
		return func(name string) bool { return name == nn.ScoreName || name == head }
	}
	if encoder, ok := m.Config().(nn.EncoderConfig); ok {
		return encoder.OfHead
	}
	return func(string) bool { return false }
}

// grows tells whether p is a table of tokens with more rows than its tensor.
func grows(p nn.Param, t safetensors.Tensor, c nn.HeadConfig) bool {
	head, table, _ := c.Head()
	return (p.Name == head || p.Name == table) && len(t.Shape) == 2 && t.Shape[1] == p.Shape[1] && t.Shape[0] > 0 && t.Shape[0] < p.Shape[0]
}

// loadRows writes the rows of t into the state of p, and their mean, which is added up
// row by row in float64, into the rows behind.
func loadRows(store *exec.Store, p nn.Param, t safetensors.Tensor) error {
	rows, cols := t.Shape[0], t.Shape[1]
	sum := make([]float64, cols)
	part := make([]float32, max(1, StreamElements/cols)*cols)
	for row := 0; row < rows; row += len(part) / cols {
		values := part[:min(len(part), (rows-row)*cols)]
		if err := copyPart(t, values, row*cols); err != nil {
			return err
		}
		for i, x := range values {
			sum[i%cols] += float64(x)
		}
		if err := store.WriteAt(p.State(), row*cols, values); err != nil {
			return err
		}
	}
	mean := part[:cols]
	for i, s := range sum {
		mean[i] = float32(s / float64(rows))
	}
	for row := rows; row < p.Shape[0]; row++ {
		if err := store.WriteAt(p.State(), row*cols, mean); err != nil {
			return err
		}
	}
	return nil
}
