package hub

import (
	"bytes"
	"encoding/json"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
)

// AsStored has those of tensors, the weights of m, written in bfloat16 that are so in dir, where
// they come from: a number that no adapter changes stays as it is, and the sum of one that does
// is rounded once. Parameters that are trained themselves, beside the adapter, are float32.
func AsStored(tensors []Tensor, dir string, m nn.Model) error {
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		return err
	}
	defer weights.Close()
	match, err := matchTensors(weights, nn.Base(m.Params()), spared(m))
	if err != nil {
		return err
	}
	for i := range tensors {
		t, ok := weights.Tensor(match.Tensors[tensors[i].Name])
		tensors[i].bf16 = ok && t.DType == safetensors.BF16 && (tensors[i].Frozen || tensors[i].merge != nil)
	}
	return nil
}

// WithDType is config.json with the type that most numbers of tensors are written in.
func WithDType(config vfs.Content, tensors []Tensor) (vfs.Content, error) {
	narrow, all := 0, 0
	for _, t := range tensors {
		all += t.Shape.Size()
		if t.bf16 {
			narrow += t.Shape.Size()
		}
	}
	if 2*narrow <= all {
		return config, nil // float32, as it says
	}
	var text bytes.Buffer
	if err := config.Write(&text); err != nil {
		return config, err
	}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(text.Bytes(), &keys); err != nil {
		return config, err
	}
	keys["dtype"] = json.RawMessage(`"bfloat16"`)
	changed, err := json.MarshalIndent(keys, "", "  ")
	return vfs.Bytes(config.Name, append(changed, '\n')), err
}
