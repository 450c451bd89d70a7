package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// TestModelSection reads the model section of a run that was saved when one
// section had the keys of all families, and the sections of users: an assignment
// may name the family.
func TestModelSection(t *testing.T) {
	for _, tc := range []struct {
		section     string
		assignments []string
		family, err string
	}{
		{"{family: gpt2, layers: 2, heads: 2, kv_heads: 2, head_dim: 8, width: 16, context: 12, vocab: 31, dropout: 0.1, qkv_bias: false, qk_norm: false, sliding_window: 0}", nil, "gpt2", ""},
		{"{rope_theta: 1e5}", []string{"model.family=llama"}, "llama", ""},
		{"{family: llama, rope_scaling: {type: yarn, factor: 2}}", []string{"model.rope_scaling.factor=4"}, "llama", ""},
		{"{family: llama}", []string{"model.family=toy", "model.channels=4"}, "toy", ""},
		{"{rope_theta: 1e5}", nil, "", "2:9: model.rope_theta: belongs to family llama or gemma3: leave it out"},
		{"{family: toy, layers: 3}", nil, "", "2:22: model.layers: belongs to family gpt2, llama or gemma3: leave it out"},
		{"{family: toy, chanels: 3}", nil, "", `unknown key "chanels"; did you mean "channels"?`},
		{"{family: lama}", nil, "", `model.family is "lama"; use gpt2, llama, gemma3 or toy (did you mean "llama"?)`},
		{"{layers: 0}", nil, "", "model.layers: is missing"},
	} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte("data: {train: [x]}\nmodel: "+tc.section+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		families := slices.DeleteFunc(slices.Clone(table.Families), func(f nn.Family) bool { return !slices.Contains([]string{"gpt2", "llama", "gemma3"}, f.Name) })
		families = append(families, nn.Family{Name: "toy", Config: func() any {
			return &struct {
				Channels int `yaml:"channels"`
			}{3}
		}})
		cfg, err := config.Load(file, tc.assignments, recipe.Table{Families: families, Recipes: table.Recipes}.Config())
		switch {
		case tc.err == "" && err != nil, tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%s %q: %v, want %q", tc.section, tc.assignments, err, tc.err)
		case err == nil && cfg.Model.Name() != tc.family:
			t.Errorf("%s %q: family %s", tc.section, tc.assignments, cfg.Model.Name())
		}
	}
}
