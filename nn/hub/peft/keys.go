package peft

import (
	"slices"

	"example.com/gotrain/nn"
)

// keys are those of adapter_config.json, for a LoRA. A key that is not here is an error
// where it asks for something, and else a note.
var keys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "peft_type", "base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out",
		"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
	nn.Keys{
		{Name: "init_lora_weights", Use: nn.Refused, Why: "peft takes the first values of such an adapter from the weights of the base, which it changes as it loads: save the adapter with path_initial_model_for_weight_conversion, or " + cureMerge,
			Off: []string{"true", `"gaussian"`, `"eva"`, `"orthogonal"`, `"lora_ga"`}},
		{Name: "bias", Use: nn.Refused, Why: "biases of the base were trained too; " + plain, Off: []string{`"none"`}},
	},
	nn.KeyRows(nn.Refused, "parts of the base were trained whole; "+plain, nil, "modules_to_save", "trainable_token_indices"),
	nn.KeyRows(nn.Refused, plain, nil, "use_qalora", "use_bdlora", "lora_bias", "target_parameters", "layer_replication", "alora_invocation_tokens", "arrow_config",
		"kasa_config", "monteclora_config", "velora_config", "megatron_config"),
	nn.KeyRows(nn.Harmless, "it tells where the adapter comes from", nil, "auto_mapping", "revision", "peft_version", "task_type", "inference_mode"),
	nn.KeyRows(nn.Harmless, "it belongs to init_lora_weights or to what is refused", nil, "loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size",
		"megatron_core", "ensure_weight_tying"),
	nn.KeyRows(nn.Harmless, "it decides where the same numbers are computed", nil, "runtime_config"),
)

// plain is what is read, and what to do with anything else.
const plain = "only LoRA and DoRA are supported: " + cureMerge
