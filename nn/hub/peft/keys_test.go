package peft

import (
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/nn"
)

// TestTableOfKeys: the keys that peft writes of a LoRA (0.19), and what becomes of each.
func TestTableOfKeys(t *testing.T) {
	want := map[nn.Use]string{
		nn.Used: "alpha_pattern base_model_name_or_path exclude_modules fan_in_fan_out layers_pattern layers_to_transform lora_alpha lora_dropout peft_type r rank_pattern target_modules use_dora use_rslora",
		nn.Refused: "alora_invocation_tokens arrow_config bias init_lora_weights kasa_config layer_replication lora_bias megatron_config modules_to_save monteclora_config " +
			"target_parameters trainable_token_indices use_bdlora use_qalora velora_config",
		nn.Harmless: "auto_mapping corda_config ensure_weight_tying eva_config inference_mode loftq_config lora_ga_config megatron_core peft_version qalora_group_size revision runtime_config task_type",
	}
	got := map[nn.Use][]string{}
	for _, k := range keys {
		got[k.Use] = append(got[k.Use], k.Name)
		if k.Use != nn.Used && k.Why == "" || len(k.Types) > 0 {
			t.Errorf("%+v", k)
		}
	}
	for use, names := range want {
		slices.Sort(got[use])
		if is := strings.Join(got[use], " "); is != names {
			t.Errorf("use %d: %s\nwant %s", use, is, names)
		}
	}
}
