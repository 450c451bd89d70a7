package train

import (
	"slices"

	"gotrain/autograd/mesh"
	"gotrain/nn"
	"gotrain/nn/hub"
	"gotrain/nn/hub/safetensors"
	"gotrain/train/checkpoint"
)

// A checkpoint of several ranks holds, in place of hub.ModelFile and OptimizerFile,
// a shard of each from every rank and safetensors.IndexName, which says where a
// weight is: Hugging Face's own format of large models. Which rank writes a
// tensor is of no consequence to those who read, so a run goes on with any
// number of ranks.

// share is what a rank writes of a checkpoint.
type share struct {
	weights   [][]hub.Tensor // of the model, by the rank that writes them
	optimizer []hub.Tensor
	adapter   []hub.Tensor
}

// shareOf tells which tensors this rank writes, rank 0 those of an adapter.
func shareOf(cfg Config, m nn.Model, programs *Programs) share {
	p := cfg.Rank
	var trained, frozen []hub.Tensor
	for _, t := range hub.ModelTensors(m) {
		if t.Frozen {
			frozen = append(frozen, t)
		} else {
			trained = append(trained, t)
		}
	}
	// Balanced apart, since saves beside the steps copy what is trained only.
	s := share{weights: mesh.Balance(trained, p.Count(), hub.Tensor.Bytes), optimizer: programs.optimizerTensors()}
	for rank, part := range mesh.Balance(frozen, p.Count(), hub.Tensor.Bytes) {
		s.weights[rank] = append(s.weights[rank], part...)
	}
	if cfg.Cluster.Zero == 0 { // else it is this rank's alone
		s.optimizer = mesh.Balance(s.optimizer, p.Count(), hub.Tensor.Bytes)[p.Index()]
	}
	if p.First() {
		s.adapter = hub.ParamTensors(nn.Adapters(m.Params()))
	}
	return s
}

// reads lists the states that the rank reads as it saves, each once, sorted.
func (s share) reads(p mesh.Rank) []string {
	var names []string
	for _, t := range slices.Concat(s.weights[p.Index()], s.optimizer, s.adapter) {
		names = append(names, t.Reads()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// files are those that the rank writes of the share, and that of the index, which
// rank 0 does.
func (s share) files(p mesh.Rank, from hub.States) []checkpoint.File {
	files := []checkpoint.File{
		hub.TensorsFile(hub.ShardName(hub.ModelFile, p.Index(), p.Count()), hub.Contents(s.weights[p.Index()], from), hub.ModelMetadata()),
		hub.TensorsFile(hub.ShardName(OptimizerFile, p.Index(), p.Count()), hub.Contents(s.optimizer, from), nil),
	}
	if !p.Alone() && p.First() {
		files = append(files, indexFile(s.weights))
	}
	return files
}

// indexFile is safetensors.IndexName over the parts of the ranks.
func indexFile(parts [][]hub.Tensor) checkpoint.File {
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"` // bytes of all tensors
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	index.WeightMap = map[string]string{}
	for rank, part := range parts {
		for _, t := range part {
			index.Metadata.TotalSize += t.Bytes()
			index.WeightMap[t.Name] = hub.ShardName(hub.ModelFile, rank, len(parts))
		}
	}
	return jsonFile(safetensors.IndexName, index)
}
