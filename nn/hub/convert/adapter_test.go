package convert

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/zoo"
)

// writeAdapter writes an adapter with random weights to every linear layer of m.
func writeAdapter(t *testing.T, dir string, m nn.Model) {
	t.Helper()
	lora := nn.Adapter{Rank: 4, Alpha: 6}.WithDefaults()
	adapted, err := zoo.Families().New(nn.SpecOf(m), nn.Tuning{Adapter: lora})
	if err != nil {
		t.Fatal(err)
	}
	var tensors []safetensors.Tensor
	for _, tensor := range randomTensors(adapted) {
		if strings.Contains(tensor.Name, ".lora_") {
			tensors = append(tensors, tensor)
		}
	}
	config, err := peft.Config{Rank: 4, Alpha: 6, Targets: modules(lora.Targets)}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, peft.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := safetensors.Write(file, peft.Tensors(tensors), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, peft.ConfigFile), config, 0o666); err != nil {
		t.Fatal(err)
	}
}

// largest is the largest difference of two sets of weights, and the largest weight.
func largest(a, b map[string][]float32) (difference, weight float64) {
	for name := range a {
		for i, x := range a[name] {
			difference = max(difference, math.Abs(float64(x-b[name][i])))
			weight = max(weight, math.Abs(float64(x)))
		}
	}
	return difference, weight
}

// TestMergeIntoNarrowTypes: a weight that changes is rounded to the type of its file,
// which the certificate knows.
func TestMergeIntoNarrowTypes(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	m := newModel(t, models()["llama"])
	writeModel(t, at("wide"), m, randomTensors(m), testTokenizer(t, bpe.GPT4, true))
	writeAdapter(t, at("adapter"), m)
	bf16 := gguf.BF16
	if _, err := Convert(t.Context(), at("wide"), at("narrow"), Options{Format: HuggingFace, Type: &bf16}, testDeps()); err != nil {
		t.Fatal(err)
	}
	for _, format := range []Format{HuggingFace, GGUF} {
		r, err := Convert(t.Context(), at("narrow"), at("merged-"+string(format)), Options{Format: format, Adapter: at("adapter"), Verify: true}, testDeps())
		if err != nil {
			t.Fatal(err)
		}
		if p := r.Parity; p.Exact || p.LargestDifference == 0 || p.AverageDifference == 0 || p.AverageDifference >= p.LargestDifference {
			t.Errorf("%s: parity %+v", format, p)
		}
	}
}

// TestCompare holds the differences of a certificate.
func TestCompare(t *testing.T) {
	var c Certificate
	c.compare([]float32{1, -4, 2, 0}, []float32{1, -3, 2.5, 0.25})
	if c.LargestDifference != 1 || c.AverageDifference != 1.75/4 || c.LargestLogit != 4 {
		t.Errorf("%+v", c)
	}
}

// TestMergeAndUnmerge merges an adapter into models of each layout of weights, as
// a directory and as a GGUF file, and takes it out again.
// modules are targets as peft writes them.
func modules(targets []string) peft.Modules {
	if slices.Equal(targets, []string{nn.AllLinear}) {
		return peft.Modules{Expression: nn.AllLinear}
	}
	return peft.Modules{Names: targets}
}

func TestMergeAndUnmerge(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			m := newModel(t, models()[name])
			writeModel(t, at("base"), m, randomTensors(m), testTokenizer(t, bpe.GPT4, true))
			writeAdapter(t, at("adapter"), m)
			_, base := values(t, at("base"))
			a, err := peft.Open(vfs.OS{}, at("adapter"))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if _, err := a.Fit(m.Params()); err != nil {
				t.Fatal(err)
			}
			want := map[string][]float32{}
			for _, p := range m.Params() {
				want[p.Name] = slices.Clone(base[p.Name])
				if d, err := a.Delta(p, nil); err != nil {
					t.Fatal(err)
				} else if d != nil {
					d.Merge(want[p.Name], 0)
				}
			}
			convert := func(from, to string, opt Options) Report {
				t.Helper()
				opt.Adapter, opt.Verify = at("adapter"), true
				r, err := Convert(t.Context(), at(from), at(to), opt, testDeps())
				if err != nil {
					t.Fatal(err)
				}
				if p := r.Parity; p.Exact != (opt.Type == nil) || (p.LargestDifference == 0) != p.Exact || r.Adapter == "" || r.Unmerged != opt.Unmerge {
					t.Errorf("%s → %s: %+v, parity %+v", from, to, r, p)
				}
				return r
			}
			convert("base", "merged", Options{Format: HuggingFace})
			convert("base", "merged.gguf", Options{Format: GGUF})
			for _, to := range []string{"merged", "merged.gguf"} {
				_, got := values(t, at(to))
				if off, _ := largest(want, got); off != 0 {
					t.Errorf("%s is off by %g from what the deltas give", to, off)
				}
			}
			if off, _ := largest(base, want); off == 0 {
				t.Fatal("the adapter changes nothing")
			}
			convert("merged", "back", Options{Format: HuggingFace, Unmerge: true})
			convert("merged.gguf", "again", Options{Format: HuggingFace, Unmerge: true})
			for _, to := range []string{"back", "again"} {
				_, got := values(t, at(to))
				// Half a unit in the last place of the merged weight, and of the result.
				if off, weight := largest(want, got); off == 0 || weight == 0 {
					t.Errorf("%s is the merged model", to)
				}
				_, merged := largest(base, want)
				if off, _ := largest(base, got); off > merged*0x1p-23*8 {
					t.Errorf("%s: the base is off by %g, weights are up to %g", to, off, merged)
				}
			}
			half := gguf.BF16
			convert("base", "half", Options{Format: HuggingFace, Type: &half})
		})
	}
}

// TestMergedTwice refuses a checkpoint that has the adapter in its weights.
func TestMergedTwice(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	m := newModel(t, models()["llama"])
	writeModel(t, at("merged"), m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	writeAdapter(t, filepath.Join(at("merged"), peft.Dir), m)
	opt := Options{Format: HuggingFace, Adapter: filepath.Join(at("merged"), peft.Dir)}
	if _, err := Convert(t.Context(), at("merged"), at("out"), opt, testDeps()); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("merged twice: %v", err)
	}
	opt.Unmerge = true
	if _, err := Convert(t.Context(), at("merged"), at("out"), opt, testDeps()); err != nil {
		t.Errorf("taken out: %v", err)
	}
}

func TestExportAdapter(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	m := newModel(t, models()["gpt2"])
	writeAdapter(t, at("adapter"), m)
	half := gguf.F16
	for name, tc := range map[string]struct {
		typ  *gguf.Type
		want string
	}{"same": {nil, "map[F32:16]"}, "half": {&half, "map[F16:16]"}} {
		r, err := ExportAdapter(t.Context(), at("adapter"), at(name), Options{Type: tc.typ}, testDeps())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Types; got["F32"]+got["F16"] != 16 || r.Format != PEFT {
			t.Errorf("%s: %+v", name, r)
		}
		a, err := peft.Open(vfs.OS{}, at(name))
		if err != nil {
			t.Fatal(err)
		}
		if lora, err := a.Fit(m.Params()); err != nil || lora.Rank != 4 || lora.Alpha != 6 || lora.Targets[0] != nn.AllLinear {
			t.Errorf("%s: %+v, %v", name, lora, err)
		}
		a.Close()
		if _, err := ExportAdapter(t.Context(), at("adapter"), at(name), Options{}, testDeps()); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("again: %v", err)
		}
	}
	same := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(at(name), peft.WeightsFile))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	f, err := safetensors.Parse("a", same("adapter"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := safetensors.Parse("b", same("same"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range f.Tensors() {
		if got, _ := g.Tensor(want.Name); !slices.Equal(got.Data, want.Data) {
			t.Errorf("tensor %s has changed", want.Name)
		}
	}
}
