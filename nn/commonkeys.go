package nn

import "slices"

// CommonKeys are the keys of config.json that do not depend on the family: what
// transformers' PreTrainedConfig has, and what is known from families that compute
// something else, which under a model_type of ours nobody would.
var CommonKeys = slices.Concat(
	rows(Used, "", "model_type", "vocab_size", "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
	rows(Used, "", ownKey),
	rows(Harmless, "the model_type decides what is computed", "architectures", "auto_map", "is_decoder"),
	rows(Harmless, "weights keep the types that they are stored in", "dtype", "torch_dtype", "use_bfloat16"),
	rows(Harmless, "it tells where the model comes from", "transformers_version", "_name_or_path", "name_or_path", "_commit_hash", "unsloth_version", "unsloth_fixed",
		"is_llama_config", "transformers.js_config", "model_name"),
	rows(Harmless, "it decides what a call returns", "use_cache", "output_attentions", "output_hidden_states", "return_dict", "torchscript", "return_dict_in_generate", "output_scores", "output_past"),
	rows(Harmless, "it decides how the same numbers are computed", "chunk_size_feed_forward", "attn_implementation", "_attn_implementation", "_attn_implementation_autoset",
		"_attn_implementation_internal", "_experts_implementation", "_experts_implementation_internal", "_flash_attn_2_enabled", "use_flash_attn", "gradient_checkpointing", "trust_remote_code"),
	rows(Harmless, "it belongs to heads that classify", "problem_type", "id2label", "label2id", "num_labels", "_num_labels", "finetuning_task"),
	rows(Harmless, "it belongs to pipelines and tokenizers", "task_specific_params", "prefix", "tokenizer_class", "sep_token_id", "cls_token_id", "unk_token_id", "mask_token_id", "model_max_length"),
	rows(Harmless, "how a text is sampled is told when it is", generationKeys...),
	rows(Refused, "the model has an encoder", "is_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size", "tie_encoder_decoder", "encoder_layers"),
	rows(Refused, "heads are missing from the weights", "pruned_heads"),
	rows(Refused, "the weights are quantised: save the model with weights of float16 or float32, or take its GGUF file", "quantization_config", "compression_config", "quantization"),
	rows(Refused, "the model has parts beside the text model", "text_config", "vision_config", "audio_config", "llm_config", "thinker_config"),
	rows(Refused, "layers differ from each other", "per_layer_config", "block_configs", "layers_block_type", "no_rope_layers", "no_rope_layer_interval", "cross_layer_sharing"),
	off(Refused, "experts are not computed", []string{"0", "1"}, "num_experts", "num_local_experts", "n_routed_experts", "n_shared_experts", "moe_num_experts"),
	rows(Harmless, "it means nothing without experts", "num_experts_per_tok", "moe_intermediate_size", "router_aux_loss_coef", "output_router_logits", "norm_topk_prob", "decoder_sparse_step", "mlp_only_layers"),
	off(Refused, "layers that predict further tokens are not computed", []string{"0"}, "num_nextn_predict_layers", "num_kv_shared_layers"),
	off(Refused, "it caps or clips what the model computes", []string{"0"}, "final_logit_softcapping", "attn_logit_softcapping", "attn_logits_soft_cap", "clip_qkv", "logit_softcap"),
	off(Refused, "it multiplies what the model computes", []string{"1"}, "logit_scale", "logits_scaling", "logits_scale", "embedding_multiplier", "lm_head_multiplier", "residual_multiplier",
		"residual_scale", "attention_multiplier", "scale_emb", "embedding_scale", "mup_width_scale", "mup_embeddings_scale"),
	off(Refused, "it changes how attention is scaled", []string{"0"}, "query_pre_attn_scalar", "attention_scale", "attn_scale", "scale_depth", "dim_model_base", "attn_temperature_tuning"),
	rows(Refused, "it normalises queries and keys in a way of another family", "qk_layernorm", "use_qk_norm", "qk_norm"),
	off(Refused, "rotary positions turn whole heads here", []string{"1"}, "partial_rotary_factor", "rotary_pct", "rotary_percent", "rotary_emb_fraction"),
	rows(Refused, "positions are encoded in another way", "alibi", "use_alibi", "rope_interleaved", "interleaved_rotary", "rotary_emb_interleaved", "use_mrope", "mrope_section", "use_nope"),
	rows(Refused, "attention and feed-forward layer stand side by side", "parallel_attn", "use_parallel_residual", "parallel_residual"),
	Keys{{Name: "is_causal", Use: Refused, Why: "attention is causal here", Off: []string{"true"}, On: []string{"false"}}},
	rows(Refused, "attention looks at both sides or at chunks", "use_bidirectional_attention", "attention_chunk_size"),
)

// generationKeys are the keys of transformers' GenerationConfig beside the special
// tokens, which old models have in config.json too.
var generationKeys = []string{"max_length", "max_new_tokens", "min_length", "min_new_tokens", "early_stopping", "max_time", "stop_strings", "do_sample", "num_beams",
	"use_mtp", "cache_implementation", "cache_config", "max_cache_len", "temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff",
	"repetition_penalty", "encoder_repetition_penalty", "length_penalty", "no_repeat_ngram_size", "bad_words_ids", "renormalize_logits", "forced_bos_token_id",
	"forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "token_healing",
	"guidance_scale", "watermarking_config", "num_return_sequences", "output_logits", "encoder_no_repeat_ngram_size", "is_assistant",
	"num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold", "prompt_lookup_num_tokens", "max_matching_ngram_size",
	"assistant_early_exit", "assistant_lookbehind", "target_lookbehind", "assistant_ensemble_weight", "speculation_type", "compile_config", "disable_compile",
	"continuous_batching_config", "low_memory", "penalty_alpha", "dola_layers", "diversity_penalty", "num_beam_groups", "constraints", "force_words_ids",
	"prefill_chunk_size"}

// GenerationKeys are the keys of generation_config.json. All are kept in what is
// written; the special tokens alone are read.
var GenerationKeys = slices.Concat(
	rows(Used, "", "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
	rows(Harmless, "how a text is sampled is told when it is", generationKeys...),
	rows(Harmless, "it decides what a call returns", "use_cache", "output_attentions", "output_hidden_states", "output_scores", "return_dict_in_generate"),
	rows(Harmless, "it tells where the file comes from", "_from_model_config", "transformers_version", "trust_remote_code", "chat_format", "max_window_size", "transformers.js_config"),
)

// SamplingKeys are those of generation_config.json that change which token is the most
// likely, or how many there are, in transformers' generate. Commands that sample follow
// their flags alone, so that a value that is not Off must be said.
var SamplingKeys = slices.Concat(
	off(Harmless, "", []string{"1"}, "repetition_penalty", "encoder_repetition_penalty", "num_beams", "num_beam_groups", "guidance_scale"),
	off(Harmless, "", []string{"0"}, "no_repeat_ngram_size", "min_length", "min_new_tokens", "penalty_alpha", "diversity_penalty"),
	rows(Harmless, "", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "forced_bos_token_id", "forced_eos_token_id", "force_words_ids",
		"exponential_decay_length_penalty", "stop_strings", "watermarking_config", "dola_layers"),
)

// rows are rows of one use.
func rows(use Use, why string, names ...string) Keys { return off(use, why, nil, names...) }

// off is rows with values that ask for nothing.
func off(use Use, why string, values []string, names ...string) Keys {
	keys := make(Keys, len(names))
	for i, name := range names {
		keys[i] = Key{Name: name, Use: use, Why: why, Off: values}
	}
	return keys
}

// KeyRows are the rows of a table for keys of one use, which hold for values of
// model_type, or for all.
func KeyRows(use Use, why string, types []string, names ...string) Keys {
	keys := rows(use, why, names...)
	for i := range keys {
		keys[i].Types = types
	}
	return keys
}
