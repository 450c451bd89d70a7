package convert

import (
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/llama"
)

// TestScalingsThatGGUFLacks: what llama.cpp would compute otherwise is refused, and dynamic
// scaling, which begins beyond the context, is left out.
func TestScalingsThatGGUFLacks(t *testing.T) {
	for want, scaling := range map[string]llama.RopeScaling{
		"llama.cpp's yarn has bounds of whole pairs":                 {Type: "yarn", Factor: 4, Original: 16, Truncate: nn.Bool(false)},
		"llama.cpp's yarn scales attention by":                       {Type: "yarn", Factor: 4, Original: 16, AttentionFactor: 1.5},
		`GGUF has no scaling of rotary positions of type "longrope"`: {Type: "longrope", Original: 16, ShortFactor: []float64{1, 1, 1, 1}, LongFactor: []float64{1, 2, 3, 4}},
		"": {Type: "dynamic", Factor: 4},
	} {
		dir := t.TempDir()
		m := newModel(t, nn.Spec{Family: llama.Name, Config: &llama.Config{Layers: 1, Heads: 4, Width: 32, FFN: 32, Context: 64, Vocab: 272, RopeScaling: &scaling}})
		writeModel(t, filepath.Join(dir, "hf"), m, randomTensors(m), testTokenizer(t, 0, false))
		for _, to := range []string{"m.gguf", "copy"} {
			opt := Options{Format: GGUF, Verify: true}
			if to == "copy" {
				opt.Format = HuggingFace
			}
			_, err := Convert(t.Context(), filepath.Join(dir, "hf"), filepath.Join(dir, to), opt, testDeps())
			if bad := want != "" && opt.Format == GGUF; (err != nil) != bad || bad && !strings.Contains(err.Error(), want) {
				t.Errorf("%s as %s: %v, want %q", scaling.Type, opt.Format, err, want)
			}
		}
	}
}
