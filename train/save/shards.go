package save

import (
	"path"
	"slices"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train/checkpoint"
)

// Model is a model of a run as checkpoints have it.
type Model struct {
	nn.Model
	// Base is the checkpoint that the model began from, "" for none.
	Base string
	// Copies is the checkpoint of another model of which it began as a copy, "" for none.
	Copies string
	// Beside gives the files that stand beside its weights; nil for none.
	Beside func() ([]checkpoint.File, error)
}

// role is the folder of the model's files, "" for that of the checkpoint.
func (m Model) role() string { return m.Tuning().Role }

// adapted tells whether the model has an adapter.
func (m Model) adapted() bool { return m.Tuning().Adapter.Rank > 0 }

// file is the path of a file of the model.
func (m Model) file(name string) string { return path.Join(m.role(), name) }

// Share is what a rank writes of a checkpoint. Several ranks write, in place of
// model.safetensors and OptimizerFile, a shard of each, and
// model.safetensors.index.json, which says where a weight is: Hugging Face's own
// format of large models. An adapter is small: rank 0 writes it.
type Share struct {
	rank      mesh.Rank
	models    []modelShare
	optimizer []hub.Tensor
	rows      Rows
	carried   []hub.Tensor
	carries   bool // some rank has such
}

// modelShare is a Share's part of one model.
type modelShare struct {
	Model
	weights [][]hub.Tensor // by the rank that writes them; nil where only the adapter is saved
	adapter []hub.Tensor   // of rank 0
}

// ShareOf tells which tensors the rank of a layout writes, of the models, of the
// states of their optimizers and of what steps hand on, which the rank has of its rows.
func ShareOf(layout plan.Layout, models []Model, optimizer, carried []*ir.Value, rows Rows) Share {
	rank := layout.Rank
	s := Share{rank: rank, rows: rows, carried: rows.carried(carried, rank.First())}
	s.carries = len(carried) > 0
	for _, m := range models {
		s.models = append(s.models, shareOfModel(m, rank))
	}
	for _, v := range optimizer {
		s.optimizer = append(s.optimizer, hub.Tensor{Name: v.Name, State: v.Name, Shape: v.Shape})
	}
	if layout.Owner == nil { // else they are this rank's alone
		s.optimizer = mesh.Balance(s.optimizer, rank.Count(), hub.Tensor.Bytes)[rank.Index()]
	}
	return s
}

func shareOfModel(m Model, rank mesh.Rank) modelShare {
	s := modelShare{Model: m}
	if rank.First() {
		s.adapter = hub.ParamTensors(nn.Adapters(m.Params()))
	}
	if !m.whole() {
		return s
	}
	var trained, frozen []hub.Tensor
	for _, t := range m.tensors() {
		if t.Frozen {
			frozen = append(frozen, t)
		} else {
			trained = append(trained, t)
		}
	}
	// Balanced apart, since asynchronous saves copy what is trained only.
	s.weights = mesh.Balance(trained, rank.Count(), hub.Tensor.Bytes)
	for i, part := range mesh.Balance(frozen, rank.Count(), hub.Tensor.Bytes) {
		s.weights[i] = append(s.weights[i], part...)
	}
	return s
}

// mine are the weights that a rank writes.
func (m modelShare) mine(rank mesh.Rank) []hub.Tensor {
	if m.weights == nil {
		return nil
	}
	return m.weights[rank.Index()]
}

// reads lists the states that the rank reads as it saves, each once, sorted.
func (s Share) reads() []string {
	tensors := slices.Concat(s.optimizer, s.carried)
	for _, m := range s.models {
		tensors = append(append(tensors, m.mine(s.rank)...), m.adapter...)
	}
	var names []string
	for _, t := range tensors {
		names = append(names, t.Reads()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// constant tells which states never change.
func (s Share) constant() map[string]bool {
	frozen := map[string]bool{}
	for _, m := range s.models {
		for _, p := range m.Params() {
			frozen[p.State()] = p.Constant()
		}
	}
	return frozen
}

// files are those of tensors that the rank writes, and the indices, which rank 0
// does.
func (s Share) files(from hub.States) []checkpoint.File {
	var files []checkpoint.File
	for _, m := range s.models {
		if m.whole() {
			files = append(files, hub.TensorsFile(m.file(shardName(safetensors.SingleName, s.rank)), hub.Contents(m.mine(s.rank), from), hub.ModelMetadata()))
		}
	}
	files = append(files, hub.TensorsFile(shardName(OptimizerFile, s.rank), hub.Contents(s.optimizer, from), nil))
	if s.carries {
		files = append(files, hub.TensorsFile(shardName(CarriedFile, s.rank), hub.Contents(s.carried, from), s.rows.metadata()))
	}
	if !s.rank.Alone() && s.rank.First() {
		for _, m := range s.models {
			if m.whole() {
				files = append(files, m.index())
			}
		}
	}
	return files
}

// index is safetensors.IndexName over the parts of the ranks.
func (m modelShare) index() checkpoint.File {
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"` // bytes of all tensors
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	index.WeightMap = map[string]string{}
	for rank, part := range m.weights {
		for _, t := range part {
			index.Metadata.TotalSize += t.Bytes()
			index.WeightMap[t.Name] = shardName(safetensors.SingleName, mesh.Of(rank, len(m.weights)))
		}
	}
	return checkpoint.JSON(m.file(safetensors.IndexName), index)
}

// shardName is the file of a rank's part.
func shardName(file string, rank mesh.Rank) string {
	return hub.ShardName(file, rank.Index(), rank.Count())
}
