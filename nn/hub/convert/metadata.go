package convert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

// Where a row of metadataKeys begins with archPrefix, keys begin with the name of the
// architecture; where it ends with a star, they go on.
const archPrefix = "ARCH."

// metadataKeys are the keys of GGUF metadata; the type of a row is the architecture.
var metadataKeys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "general.architecture", "general.alignment", "split.no", "split.count", "split.tensors.count"),
	nn.Keys{{Name: "general.type", Use: nn.Refused, Why: "the file is no model", Off: []string{`"model"`}}},
	nn.KeyRows(nn.Harmless, "the tensors tell their types", nil, "general.file_type", "general.quantization_version"),
	nn.KeyRows(nn.Harmless, "how a text is sampled is told when it is", nil, "general.sampling.*"),
	nn.KeyRows(nn.Harmless, "it tells where the model comes from", nil, "general.*", "quantize.imatrix.*"),

	nn.KeyRows(nn.Used, "", nil, "ARCH.block_count", "ARCH.context_length", "ARCH.embedding_length", "ARCH.feed_forward_length", "ARCH.attention.head_count"),
	nn.KeyRows(nn.Used, "", []string{"gpt2"}, "ARCH.attention.layer_norm_epsilon"),
	nn.KeyRows(nn.Used, "", ofLlamas, "ARCH.attention.head_count_kv", "ARCH.attention.key_length", "ARCH.attention.value_length", "ARCH.attention.layer_norm_rms_epsilon",
		"ARCH.attention.sliding_window", "ARCH.rope.dimension_count", "ARCH.rope.freq_base", "ARCH.rope.scaling.type", "ARCH.rope.scaling.factor", "ARCH.rope.scale_linear",
		"ARCH.rope.scaling.original_context_length", "ARCH.rope.scaling.yarn_beta_fast", "ARCH.rope.scaling.yarn_beta_slow"),
	nn.KeyRows(nn.Used, "", ofGemma3, "ARCH.attention.head_count_kv", "ARCH.attention.key_length", "ARCH.attention.value_length", "ARCH.attention.layer_norm_rms_epsilon",
		"ARCH.attention.sliding_window", "ARCH.attention.sliding_window_pattern", "ARCH.rope.dimension_count", "ARCH.rope.freq_base", "ARCH.rope.freq_base_swa", "ARCH.rope.scaling.type",
		"ARCH.rope.scaling.factor"),
	nn.KeyRows(nn.Harmless, "the table of tokens tells it", nil, "ARCH.vocab_size"),
	nn.KeyRows(nn.Harmless, "llama.cpp reads it nowhere", nil, "ARCH.tensor_data_layout", "ARCH.rope.scaling.finetuned"),
	nn.KeyRows(nn.Harmless, "it belongs to embeddings and classifiers", nil, "ARCH.pooling_type", "ARCH.classifier.*"),
	off("experts are not computed", []string{"0"}, "ARCH.expert_count"),
	nn.KeyRows(nn.Harmless, "it means nothing without experts", nil, "ARCH.expert_*", "ARCH.leading_dense_block_count", "ARCH.interleave_moe_layer_step", "ARCH.moe_every_n_layers"),
	off("layers that predict further tokens are not computed", []string{"0"}, "ARCH.nextn_predict_layers"),
	off("attention is causal here", []string{"true"}, "ARCH.attention.causal"),
	off("it changes how attention is computed", []string{"0"}, "ARCH.attention.scale", "ARCH.attention.output_scale", "ARCH.attention.clamp_kqv", "ARCH.attention.max_alibi_bias",
		"ARCH.attention.temperature_scale", "ARCH.attention.temperature_length", "ARCH.attention.q_lora_rank", "ARCH.attention.kv_lora_rank", "ARCH.attention.shared_kv_layers",
		"ARCH.attention.key_length_mla", "ARCH.attention.value_length_mla", "ARCH.attention.key_length_swa", "ARCH.attention.value_length_swa", "ARCH.attention.sliding_window_pattern"),
	off("it multiplies what the model computes", []string{"0", "1"}, "ARCH.logit_scale", "ARCH.residual_scale", "ARCH.embedding_scale"),
	off("it caps what the model computes", []string{"0"}, "ARCH.attn_logit_softcapping", "ARCH.final_logit_softcapping", "ARCH.router_logit_softcapping"),
	off("yarn is computed with llama.cpp's own factors here", []string{"0", "1", "-1"}, "ARCH.rope.scaling.attn_factor", "ARCH.rope.scaling.yarn_attn_factor",
		"ARCH.rope.scaling.yarn_ext_factor", "ARCH.rope.scaling.yarn_log_multiplier", "ARCH.rope.scaling.alpha"),
	nn.KeyRows(nn.Refused, "layers or axes differ in their rotary positions", nil, "ARCH.rope.freq_base_swa", "ARCH.rope.dimension_count_swa", "ARCH.rope.dimension_sections"),
	nn.KeyRows(nn.Refused, "it is of another kind of model", nil, "ARCH.use_parallel_residual", "ARCH.swin_norm", "ARCH.embedding_length_out", "ARCH.ssm.*", "ARCH.wkv.*",
		"ARCH.altup.*", "ARCH.embedding_length_per_layer_input", "adapter.*", "clip.*", "diffusion.*", "xielu.*"),
	off("llama.cpp computes the activation of the architecture", []string{`"silu"`}, "ARCH.hidden_activation", "ARCH.hidden_act"),

	nn.KeyRows(nn.Used, "", nil, "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges", "tokenizer.ggml.scores",
		"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id", "tokenizer.ggml.padding_token_id",
		"tokenizer.ggml.unknown_token_id", "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix",
		"tokenizer.ggml.remove_extra_whitespaces", "tokenizer.ggml.precompiled_charsmap", "tokenizer.chat_template"),
	nn.KeyRows(nn.Harmless, "the template without a name counts", nil, "tokenizer.chat_template.*", "tokenizer.chat_templates"),
	nn.KeyRows(nn.Harmless, "tokens, merges and scores say it", nil, "tokenizer.huggingface.json"),
	nn.KeyRows(nn.Harmless, "the token has a use that no command here has", nil, "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.separator_token_id", "tokenizer.ggml.cls_token_id",
		"tokenizer.ggml.mask_token_id", "tokenizer.ggml.prefix_token_id", "tokenizer.ggml.suffix_token_id", "tokenizer.ggml.middle_token_id", "tokenizer.ggml.fim_*",
		"tokenizer.ggml.token_type_count"),
	nn.KeyRows(nn.Refused, "it changes the tokens", nil, "tokenizer.ggml.add_sep_token", "tokenizer.ggml.treat_whitespace_as_suffix", "tokenizer.ggml.normalizer.*", "tokenizer.rwkv.*"),
)

// ofLlamas are the architectures of Llama and its relatives.
var ofLlamas = []string{"llama", "qwen2", "qwen3"}

// ofGemma3 is that of Gemma 3.
var ofGemma3 = []string{"gemma3"}

// off are rows of refused keys with values that ask for nothing.
func off(why string, values []string, names ...string) nn.Keys {
	keys := nn.KeyRows(nn.Refused, why, nil, names...)
	for i := range keys {
		keys[i].Off = values
		if slices.Equal(values, []string{"true"}) {
			keys[i].On = []string{"false"}
		}
	}
	return keys
}

// rowName is the name of the row that a key may have.
func rowName(key, architecture string) string {
	if rest, ok := strings.CutPrefix(key, architecture+"."); ok {
		key = archPrefix + rest
	}
	for _, row := range metadataKeys {
		if row.Name == key {
			return key
		}
	}
	for _, row := range metadataKeys {
		if begin, star := strings.CutSuffix(row.Name, "*"); star && strings.HasPrefix(key, begin) {
			return row.Name
		}
	}
	return key
}

// checkMetadata compares the keys of a file with the table: the error names one that asks
// for what is not computed, the note all that nobody knows.
func checkMetadata(m gguf.Metadata, architecture, path string) (note string, err error) {
	var unknown []string
	for _, kv := range m {
		name := rowName(kv.Key, architecture)
		row, known := metadataKeys.Find(name, architecture)
		if !known {
			unknown = append(unknown, kv.Key)
			continue
		}
		if row.Use != nn.Refused {
			continue
		}
		value, err := json.Marshal(kv.Value)
		if err != nil {
			value = fmt.Appendf(nil, "%q", fmt.Sprint(kv.Value)) // not a finite number
		}
		if faults, _ := (nn.Keys{row}).Check(map[string]json.RawMessage{name: value}, architecture); len(faults) > 0 {
			return "", fmt.Errorf("key %q: %s", kv.Key, faults[0].Text)
		}
	}
	return nn.UnknownKeys(path, unknown), nil
}
