package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotrain/train/convert"
)

// TestExportImport trains, exports to both formats, imports the GGUF file and
// samples: all go on alike.
func TestExportImport(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, "pretrain", "--config", writeConfig(t, dir))
	for _, step := range []struct {
		args   []string
		format convert.Format
		types  map[string]int
	}{
		{[]string{"export", in("run"), in("model.gguf")}, convert.GGUF, map[string]int{"F32": 28}},
		{[]string{"export", in("run"), in("half.gguf"), "--type", "bf16"}, convert.GGUF, map[string]int{"BF16": 9, "F32": 19}},
		{[]string{"export", in("run"), in("hf"), "--type", "f32"}, convert.HuggingFace, map[string]int{"F32": 28}},
		{[]string{"import", in("model.gguf"), in("back")}, convert.HuggingFace, map[string]int{"F32": 28}},
	} {
		var r convert.Report
		mustJSON(t, &r, step.args...)
		if r.Format != step.format || r.ModelType != "gpt2" || r.Parity == nil || r.Parity.Prompt == "" {
			t.Errorf("%s gives %+v", strings.Join(step.args, " "), r)
		}
		for name, n := range step.types {
			if r.Types[name] != n {
				t.Errorf("%s: tensors %v, want %v", strings.Join(step.args, " "), r.Types, step.types)
			}
		}
		if lossy := step.types["BF16"] > 0; (r.Parity.LargestDifference == 0) == lossy {
			t.Errorf("%s: logits differ by %g", strings.Join(step.args, " "), r.Parity.LargestDifference)
		}
	}
	if _, err := os.Stat(in("model.parity.json")); err != nil {
		t.Error(err)
	}
	sample := func(model string) string {
		return must(t, "sample", "--model", in(model), "--prompt", "line 1", "--greedy", "--max-tokens", "12")
	}
	if a, b, c := sample("run"), sample("hf"), sample("back"); a != b || a != c {
		t.Errorf("samples %q, %q, %q", a, b, c)
	}
	text := must(t, "export", in("run"), in("again.gguf"), "--type", "q8_0", "--verify=false")
	if !strings.Contains(text, "is F16: its rows of 16 are no whole blocks of 32") || strings.Contains(text, "logits") {
		t.Errorf("export to q8_0 prints %q", text)
	}
}
