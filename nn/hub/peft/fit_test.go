package peft

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/zoo"
)

// golden is the part that is read here of a file of scripts/golden/lora.py.
type golden struct {
	Config  json.RawMessage
	Weights map[string]struct {
		Shape []int
		Data  []byte // float32, little endian
	}
}

func readGolden(t *testing.T, name string) golden {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "zoo", "testdata", "lora", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.NewDecoder(unzipped).Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

func openGolden(t *testing.T, name string) *Adapter {
	t.Helper()
	a, err := Open(vfs.OS{}, filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// model builds the golden file's model with an adapter.
func model(t *testing.T, g golden, lora nn.Adapter) nn.Model {
	t.Helper()
	s, err := zoo.Families().Parse(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	m, err := zoo.Families().New(s, nn.Tuning{Adapter: lora})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFit puts adapters that peft saved into the models that they were made for.
// What such a model computes is held against peft in package zoo, with the weights
// that are compared here.
func TestFit(t *testing.T) {
	for _, tc := range []struct {
		name string
		want nn.Adapter
	}{
		{"gpt2", nn.Adapter{Rank: 3, Alpha: 6, Targets: []string{"c_attn", "mlp.c_proj"}}},
		{"gpt2_rslora", nn.Adapter{Rank: 4, Alpha: 4, RSLoRA: true, Targets: []string{nn.AllLinear}}},
		{"llama", nn.Adapter{Rank: 2, Alpha: 8, Targets: []string{"q_proj", "v_proj"}}},
		{"llama_all", nn.Adapter{Rank: 4, Alpha: 2, Targets: []string{nn.AllLinear}}},
		{"llama_regex", nn.Adapter{Rank: 3, Alpha: 5, RSLoRA: true, Targets: []string{"0.mlp.down_proj", "0.self_attn.q_proj", "0.self_attn.v_proj"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, a := readGolden(t, tc.name), openGolden(t, tc.name)
			headless(a)
			lora, err := a.Fit(model(t, g, nn.Adapter{}).Params())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(lora, tc.want) {
				t.Errorf("lora section %+v, want %+v", lora, tc.want)
			}
			params := nn.Adapters(model(t, g, lora).Params())
			if len(params) != len(a.Tensors) {
				t.Errorf("the model has %d parameters of the adapter, the file %d tensors", len(params), len(a.Tensors))
			}
			for _, p := range params {
				tensor := a.Tensors[p.Name]
				values := make([]float32, p.Shape.Size())
				if err := tensor.CopyFloat32(values); err != nil || !p.Shape.Equal(tensor.Shape) {
					t.Fatalf("%s: shape %v, want %v; %v", p.Name, tensor.Shape, p.Shape, err)
				}
				if !bytes.Equal(safetensors.Bytes(values), g.Weights[p.Name].Data) {
					t.Errorf("%s is not peft's", p.Name)
				}
			}
		})
	}
}

// headless renames the tensors as in an adapter of a model without head.
func headless(a *Adapter) {
	renamed := map[string]safetensors.Tensor{}
	for name, tensor := range a.Tensors {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "transformer."), "model.")
		renamed[name] = tensor
	}
	a.Tensors = renamed
}

func TestFitRefusesOtherModels(t *testing.T) {
	gpt2, llama := readGolden(t, "gpt2"), readGolden(t, "llama")
	wide := llama
	wide.Config = []byte(strings.Replace(string(llama.Config), `"intermediate_size": `, `"intermediate_size": 1`, 1))
	for _, tc := range []struct {
		name   string
		model  golden
		change func(*Adapter)
		want   string
	}{
		{"llama", gpt2, nil, `does not belong to the model: no linear layer that can be adapted is called "model.layers.0.self_attn.q_proj"; the nearest are transformer.h.`},
		{"llama_all", wide, nil, "the model wants"},
		{"llama", llama, rename("model.layers.0.self_attn.q_proj", "lm_head"), `is called "lm_head"`},
		{"llama", llama, rename("model.layers.0.self_attn.q_proj", "q_proj"), `"q_proj" means 2 linear layers, such as model.layers.0.self_attn.q_proj and model.layers.1.self_attn.q_proj`},
		{"llama", llama, rename("model.layers.0.self_attn.q_proj", "layers.1.self_attn.q_proj"), "model.layers.1.self_attn.q_proj has two adapters"},
	} {
		a := openGolden(t, tc.name)
		if tc.change != nil {
			tc.change(a)
		}
		if _, err := a.Fit(model(t, tc.model, nn.Adapter{}).Params()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// rename calls a layer otherwise.
func rename(from, to string) func(*Adapter) {
	return func(a *Adapter) {
		for _, suffix := range suffixes {
			a.Tensors[to+suffix] = a.Tensors[from+suffix]
			delete(a.Tensors, from+suffix)
		}
	}
}

func TestDelta(t *testing.T) {
	g, a := readGolden(t, "gpt2"), openGolden(t, "gpt2")
	params := model(t, g, nn.Adapter{}).Params()
	if _, err := a.Fit(params); err != nil {
		t.Fatal(err)
	}
	var changed []string
	for _, p := range params {
		d, err := a.Delta(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d == nil {
			continue
		}
		changed = append(changed, p.Name)
		w := make([]float32, p.Shape.Size())
		d.Merge(w, 0)
		down, up := floats(t, a.Tensors[p.Layer()+".lora_A.weight"]), floats(t, a.Tensors[p.Layer()+".lora_B.weight"])
		in, out := len(down)/3, len(up)/3 // the weight is (in, out)
		for i := range w {
			want := 0.0
			for k := range 3 {
				want += 6. / 3 * float64(up[i%out*3+k]) * float64(down[k*in+i/out])
			}
			if math.Abs(float64(w[i])-want) > 1e-6 {
				t.Fatalf("%s changes by %g at %d, want %g", p.Name, w[i], i, want)
			}
		}
	}
	if len(changed) != 4 || changed[0] != "transformer.h.0.attn.c_attn.weight" {
		t.Errorf("changes of %q", changed)
	}
}

func floats(t *testing.T, tensor safetensors.Tensor) []float32 {
	t.Helper()
	values := make([]float32, tensor.Shape[0]*tensor.Shape[1])
	if err := tensor.CopyFloat32(values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestCheckApart(t *testing.T) {
	dir := t.TempDir()
	a := openGolden(t, "llama")
	if err := a.CheckApart(vfs.OS{}, dir); err != nil {
		t.Error(err)
	}
	if err := os.CopyFS(filepath.Join(dir, Dir), os.DirFS(filepath.Join("testdata", "llama_regex"))); err != nil {
		t.Fatal(err)
	}
	if err := a.CheckApart(vfs.OS{}, dir); err != nil {
		t.Errorf("another adapter: %v", err)
	}
	scaled := openGolden(t, "llama_regex")
	scaled.Alpha *= 2 // the same matrices, twice as much of them
	if err := scaled.CheckApart(vfs.OS{}, dir); err != nil {
		t.Errorf("an adapter of another scale: %v", err)
	}
	if err := openGolden(t, "llama_regex").CheckApart(vfs.OS{}, dir); err == nil || !strings.Contains(err.Error(), "is merged into the weights of "+dir+" already") {
		t.Errorf("the same adapter: %v", err)
	}
}

// TestPatterns: ranks and alphas of single layers become entries of the lora section, by peft's
// order, and are written so that peft finds the same.
func TestPatterns(t *testing.T) {
	a, g := openGolden(t, "llama_patterns"), readGolden(t, "llama_patterns")
	lora, err := a.Fit(model(t, g, nn.Adapter{}).Params())
	if err != nil {
		t.Fatal(err)
	}
	if want := "[0.self_attn.q_proj=1 1.self_attn.q_proj=2] [down_proj=7]"; fmt.Sprint(lora.Ranks, lora.Alphas) != want {
		t.Errorf("%v %v, want %s", lora.Ranks, lora.Alphas, want)
	}
	text, err := Config{Rank: 3, Alpha: 5, Ranks: PatternOf(lora.Ranks), Alphas: PatternOf([]string{"all-linear=7"})}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := ParseConfig(ConfigFile, text)
	if err != nil || c.rankOf("model.layers.1.self_attn.q_proj") != 2 || c.rankOf("model.layers.1.mlp.down_proj") != 3 || c.Alphas.of("model.layers.1.mlp.down_proj", 5) != 7 {
		t.Errorf("%s: %+v, %v", text, c, err)
	}
	if scale := lora.ScaleOf("model.layers.0.self_attn.q_proj"); scale != 5 {
		t.Errorf("scale %g, want 5/√1", scale)
	}
	m := model(t, g, lora)
	for _, p := range nn.Adapters(m.Params()) {
		if !slices.Equal(a.Tensors[p.Name].Shape, p.Shape) {
			t.Errorf("%s is %v, the file has %v", p.Name, p.Shape, a.Tensors[p.Name].Shape)
		}
	}
}
