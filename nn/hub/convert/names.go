package convert

import (
	"strings"

	"example.com/gotrain/nn"
)

// architecture is one of GGUF's and what its tensors are called.
type architecture struct {
	name       string
	modelTypes []string // of config.json; the first unless a key says otherwise
	layer      string   // prefix of a block in Hugging Face's names, without its number
	names      []rename // of tensors outside the blocks
	blockNames []rename // of tensors in a block, without their prefix
	// interleaved says that llama.cpp rotates neighbouring elements of a head
	// where transformers rotates halves: the rows of q and k are reordered.
	interleaved bool
	// transposed says that Hugging Face stores matrices (in, out).
	transposed bool
	// activation is the one that llama.cpp computes.
	activation string
	// offsetNorms says that llama.cpp multiplies by a norm's weight where transformers
	// multiplies by 1 + weight: GGUF stores the sum.
	offsetNorms bool
}

// rename pairs Hugging Face's and GGUF's name, without ".weight" or ".bias".
type rename struct{ hf, gguf string }

var llamaNames = []rename{
	{"model.embed_tokens", "token_embd"},
	{"model.norm", "output_norm"},
	{"lm_head", "output"},
}

var llamaBlock = []rename{
	{"input_layernorm", "attn_norm"},
	{"self_attn.q_proj", "attn_q"},
	{"self_attn.k_proj", "attn_k"},
	{"self_attn.v_proj", "attn_v"},
	{"self_attn.o_proj", "attn_output"},
	{"self_attn.q_norm", "attn_q_norm"},
	{"self_attn.k_norm", "attn_k_norm"},
	{"post_attention_layernorm", "ffn_norm"},
	{"mlp.gate_proj", "ffn_gate"},
	{"mlp.up_proj", "ffn_up"},
	{"mlp.down_proj", "ffn_down"},
}

var gemma3Block = append([]rename{
	{"post_attention_layernorm", "post_attention_norm"},
	{"pre_feedforward_layernorm", "ffn_norm"},
	{"post_feedforward_layernorm", "post_ffw_norm"},
}, llamaBlock...)

var architectures = []architecture{
	{name: "llama", modelTypes: []string{"llama", "mistral"}, layer: "model.layers.", names: llamaNames, blockNames: llamaBlock, interleaved: true, activation: "silu"},
	{name: "qwen2", modelTypes: []string{"qwen2"}, layer: "model.layers.", names: llamaNames, blockNames: llamaBlock, activation: "silu"},
	{name: "qwen3", modelTypes: []string{"qwen3"}, layer: "model.layers.", names: llamaNames, blockNames: llamaBlock, activation: "silu"},
	{name: "gemma3", modelTypes: []string{"gemma3_text"}, layer: "model.layers.", names: llamaNames, blockNames: gemma3Block, activation: "gelu_pytorch_tanh", offsetNorms: true},
	{name: "gpt2", modelTypes: []string{"gpt2"}, layer: "transformer.h.", transposed: true, activation: "gelu_new",
		names: []rename{
			{"transformer.wte", "token_embd"},
			{"transformer.wpe", "position_embd"},
			{"transformer.ln_f", "output_norm"},
			{"lm_head", "output"},
		},
		blockNames: []rename{
			{"ln_1", "attn_norm"},
			{"attn.c_attn", "attn_qkv"},
			{"attn.c_proj", "attn_output"},
			{"ln_2", "ffn_norm"},
			{"mlp.c_fc", "ffn_up"},
			{"mlp.c_proj", "ffn_down"},
		}},
}

// ggufName gives GGUF's name of a parameter, "" for one that it has no name for.
func (a architecture) ggufName(param string) string {
	at := strings.LastIndexByte(param, '.')
	if at < 0 {
		return ""
	}
	name, suffix := param[:at], param[at:] // ".weight" or ".bias"
	table, prefix := a.names, ""
	if rest, ok := strings.CutPrefix(name, a.layer); ok {
		number, inner, _ := strings.Cut(rest, ".")
		table, prefix, name = a.blockNames, "blk."+number+".", inner
	}
	for _, r := range table {
		if r.hf == name {
			return prefix + r.gguf + suffix
		}
	}
	return ""
}

// interleaves tells whether the rows of a parameter are reordered: those of the
// projections to queries and keys.
func (a architecture) interleaves(p nn.Param) bool {
	return a.interleaved && (strings.Contains(p.Name, "self_attn.q_proj.") || strings.Contains(p.Name, "self_attn.k_proj."))
}

// transposes tells whether Hugging Face stores a parameter as the transpose of
// GGUF's: the matrices of linear layers of GPT-2.
func (a architecture) transposes(p nn.Param) bool { return a.transposed && p.Matrix }

// offset is what the elements of a parameter that are stored in GGUF are more than in
// Hugging Face's layout.
func (a architecture) offset(p nn.Param) float32 {
	if a.offsetNorms && strings.HasSuffix(p.Name, "norm.weight") {
		return 1
	}
	return 0
}

// toGGUF gives for row r of GGUF the row of Hugging Face. Of a head of width d,
// Hugging Face has the first halves of the rotated pairs, then the second; GGUF
// has the pairs one after the other: row h·d + 2i + j is row h·d + j·d/2 + i.
func toGGUF(d int) func(r int) int {
	return func(r int) int { return r/d*d + r%2*(d/2) + r%d/2 }
}

// fromGGUF is the inverse of toGGUF.
func fromGGUF(d int) func(r int) int {
	return func(r int) int { return r/d*d + r%d%(d/2)*2 + r%d/(d/2) }
}
