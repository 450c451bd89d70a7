package hub_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/zoo"
)

// remote is a store whose memory nobody can look into.
type remote struct{ *exec.Store }

func (remote) View(string) []float32 { return nil }

// TestLargeStates saves and loads a weight that streams in several parts, with an
// adapter that is merged on the way, from memory of the process and from elsewhere.
func TestLargeStates(t *testing.T) {
	families := append(zoo.Families(), nn.NewFamily("painter", painterConfig{Channels: 1}, newPainter, nil))
	spec := nn.Spec{Family: "painter", Config: &painterConfig{Channels: 1030}}
	m, err := families.New(spec, nn.Tuning{Adapter: nn.Adapter{Rank: 3, Alpha: 6}})
	if err != nil {
		t.Fatal(err)
	}
	store := begun(t, m)
	state := map[string][]float32{}
	for _, p := range m.Params() {
		state[p.Name] = values(t, store, p)
	}
	if len(state["mix.weight"]) <= hub.StreamElements {
		t.Fatalf("%d elements are one part", len(state["mix.weight"]))
	}
	plain := slices.Clone(state["mix.weight"])
	nn.NewDelta(m.Params()[0].Layout, state["mix.lora_A.weight"], state["mix.lora_B.weight"], 3, 2).Merge(state["mix.weight"], 0)
	if slices.Equal(plain, state["mix.weight"]) {
		t.Fatal("the adapter changes nothing")
	}
	for _, from := range []hub.States{store, remote{store}} {
		dir := filepath.Join(t.TempDir(), "painter")
		if err := hub.Save(vfs.OS{}, dir, m, from, nil); err != nil {
			t.Fatal(err)
		}
		l, err := hub.Load(dir, "", newBackend(t), vfs.OS{}, families)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(values(t, l.Store, l.Model.Params()[0]), state["mix.weight"]) {
			t.Errorf("from %T the merged weight is another one", from)
		}
	}
}

// TestAdapterFiles writes adapters as peft reads them and reads them back: every number
// of the section comes through, and so do names, layout and tensors.
func TestAdapterFiles(t *testing.T) {
	lora := nn.Adapter{Rank: 3, Alpha: 5, Dropout: 0.25, RSLoRA: true, Targets: []string{"q_proj", "c_fc"}}
	for _, c := range []struct {
		spec   nn.Spec
		layers []string
		inOut  bool
	}{
		{nn.Spec{Family: gpt2.Name, Config: &gpt2.Config{Layers: 2, Heads: 2, Width: 8, Context: 8, Vocab: 9}}, []string{"transformer.h.0.mlp.c_fc", "transformer.h.1.mlp.c_fc"}, true},
		{nn.Spec{Family: llama.Name, Config: &llama.Config{Layers: 2, Heads: 2, Width: 8, FFN: 8, Context: 8, Vocab: 9}}, []string{"model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"}, false},
	} {
		lora := lora
		lora.Targets = lora.Targets[:1]
		if c.inOut {
			lora.Targets = []string{"c_fc"}
		}
		m, err := zoo.Families().New(c.spec, nn.Tuning{Role: "policy", Adapter: lora})
		if err != nil {
			t.Fatal(err)
		}
		store := begun(t, m)
		files, err := hub.AdapterFiles(store, m, "base/model", "0123456789abcdef")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, f := range files {
			if err := vfs.WriteFile(vfs.OS{}, filepath.Join(dir, f.Name), f.Write); err != nil {
				t.Fatal(err)
			}
		}
		a, err := peft.Open(vfs.OS{}, dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		want := peft.Config{Base: "base/model", Rank: 3, Alpha: 5, Dropout: 0.25, RSLoRA: true, Targets: peft.Modules{Names: c.layers}, FanInFanOut: c.inOut}
		if !reflect.DeepEqual(a.Config, want) || !slices.Equal(a.Layers(), c.layers) || a.Trained != "0123456789abcdef" {
			t.Errorf("%s: %+v of %q, want %+v", m.Family(), a.Config, a.Layers(), want)
		}
		fitted, err := a.Fit(m.Params())
		if err != nil || !reflect.DeepEqual(fitted, lora) {
			t.Errorf("%s: fitted %+v, %v, want %+v", m.Family(), fitted, err, lora)
		}
		for _, p := range nn.Adapters(m.Params()) {
			got := make([]float32, p.Shape.Size())
			if err := a.Tensors[p.Name].CopyFloat32(got); err != nil || !slices.Equal(got, values(t, store, p)) {
				t.Errorf("%s is another one, %v", p.Name, err)
			}
		}
		checkDeltas(t, a, m, store)
	}
}

// checkDeltas compares the change of each weight with (alpha/√rank)·B·A, added up here.
func checkDeltas(t *testing.T, a *peft.Adapter, m nn.Model, store *exec.Store) {
	t.Helper()
	state := map[string][]float32{}
	for _, p := range m.Params() {
		state[p.Name] = values(t, store, p)
	}
	scale := 5 / math.Sqrt(3)
	for _, p := range m.Params() {
		d, err := a.Delta(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		down, adapted := state[p.Layer()+nn.LoRAA]
		if (d != nil) != (adapted && !p.Adapter) {
			t.Errorf("%s changes: %t", p.Name, d != nil)
		}
		if d == nil {
			continue
		}
		up, w := state[p.Layer()+nn.LoRAB], make([]float32, p.Shape.Size())
		d.Merge(w, 0)
		in := len(down) / 3
		for i := range w {
			o, col := i/in, i%in
			if p.Layout == autograd.InOut {
				o, col = i%(len(up)/3), i/(len(up)/3)
			}
			want := 0.0
			for k := range 3 {
				want += scale * float64(up[3*o+k]) * float64(down[k*in+col])
			}
			if math.Abs(float64(w[i])-want) > 1e-6 {
				t.Fatalf("%s changes by %g at %d, want %g", p.Name, w[i], i, want)
			}
		}
	}
}

// TestModelTensors: what a checkpoint of an adapter holds. A weight that the adapter
// changes is made of three states and none of them may be taken for frozen.
func TestModelTensors(t *testing.T) {
	m := newGPT2(t, nn.Tuning{Role: "policy", Adapter: nn.Adapter{Rank: 2, Targets: []string{"c_fc"}}})
	changing := 0
	for _, tensor := range hub.ModelTensors(m) {
		reads := []string{"policy." + tensor.Name}
		if layer, ok := strings.CutSuffix(tensor.Name, "mlp.c_fc.weight"); ok {
			changing++
			reads = append(reads, "policy."+layer+"mlp.c_fc.lora_A.weight", "policy."+layer+"mlp.c_fc.lora_B.weight")
		}
		if tensor.Frozen != (len(reads) == 1) || !slices.Equal(tensor.Reads(), reads) || tensor.Bytes() != 4*int64(tensor.Shape.Size()) {
			t.Errorf("%s: frozen %t, reads %q, %d bytes", tensor.Name, tensor.Frozen, tensor.Reads(), tensor.Bytes())
		}
	}
	if changing != 1 || len(hub.ModelTensors(m)) != len(nn.Base(m.Params())) {
		t.Errorf("%d tensors change", changing)
	}
}

// TestFingerprint: names, types, shapes and bytes count, the layout of files does not.
func TestFingerprint(t *testing.T) {
	dirs := 0
	sum := func(files map[string][]safetensors.Tensor) string {
		t.Helper()
		dirs++
		dir, index := t.TempDir(), map[string]string{}
		for name, tensors := range files {
			var b bytes.Buffer
			if err := safetensors.Write(&b, tensors, nil); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			for _, tensor := range tensors {
				index[tensor.Name] = name
			}
		}
		if len(files) > 1 {
			text, err := json.Marshal(map[string]any{"weight_map": index})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, safetensors.IndexName), text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		s, err := hub.Fingerprint(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s.String()
	}
	a := safetensors.Tensor{Name: "a", DType: safetensors.F32, Shape: []int{2, 3}, Data: safetensors.Bytes([]float32{1, 2, 3, 4, 5, 6})}
	b := safetensors.Tensor{Name: "b", DType: safetensors.F32, Shape: []int{1}, Data: safetensors.Bytes([]float32{7})}
	want := sum(map[string][]safetensors.Tensor{"model.safetensors": {a, b}})
	if got := sum(map[string][]safetensors.Tensor{"model-00001-of-00002.safetensors": {b}, "model-00002-of-00002.safetensors": {a}}); got != want {
		t.Errorf("in two files: %s, in one %s", got, want)
	}
	seen := map[string]string{want: "the original"}
	for name, change := range map[string]func(a, b *safetensors.Tensor){
		"a name":       func(a, _ *safetensors.Tensor) { a.Name = "c" },
		"names":        func(a, b *safetensors.Tensor) { a.Name, b.Name = "b", "a" },
		"a shape":      func(a, _ *safetensors.Tensor) { a.Shape = []int{3, 2} },
		"a type":       func(_, b *safetensors.Tensor) { b.DType = safetensors.I32 },
		"a value":      func(a, _ *safetensors.Tensor) { a.Data = safetensors.Bytes([]float32{1, 2, 3, 4, 5, 7}) },
		"a last value": func(_, b *safetensors.Tensor) { b.Data = safetensors.Bytes([]float32{8}) },
	} {
		a, b := a, b
		change(&a, &b)
		got := sum(map[string][]safetensors.Tensor{"model.safetensors": {a, b}})
		if other, twice := seen[got]; twice {
			t.Errorf("another %s has the fingerprint of %s", name, other)
		}
		seen[got] = name
	}
}

// TestFreshIdentity: a model that is trained from scratch begins and ends with the
// end-of-text token; one without a tokenizer's has none.
func TestFreshIdentity(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	id := hub.FreshIdentity(tokens, hf.Roles{}, 24)
	if !reflect.DeepEqual(id.Special, nn.SpecialTokens{BOS: 256, PAD: -1, EOS: []int{256}}) || id.Roles.BOS != bpe.EndOfText || id.Roles.EOS != bpe.EndOfText || id.Roles.MaxLength != 24 || id.Roles.Pad != "" {
		t.Errorf("%+v", id)
	}
	bare, err := bpe.New(bpe.Config{Pattern: bpe.GPT2, Tokens: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if id := hub.FreshIdentity(bare, hf.Roles{}, 24); !reflect.DeepEqual(id.Special, nn.SpecialTokens{BOS: -1, PAD: -1}) || id.Roles.EOS != "" {
		t.Errorf("without end of text: %+v", id)
	}
}

// TestReadIdentityOfLength: the context of the run counts, not what the base says.
func TestReadIdentityOfLength(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"config.json": `{"bos_token_id": 3, "pad_token_id": 4, "eos_token_id": [5, 6]}`, "tokenizer_config.json": `{"model_max_length": 4096}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	id, err := hub.ReadIdentity(hub.Place{Dir: dir, Base: dir}, tokens, 64)
	if err != nil || id.Roles.MaxLength != 64 || !reflect.DeepEqual(id.Special, nn.SpecialTokens{BOS: 3, PAD: 4, EOS: []int{5, 6}}) {
		t.Errorf("%+v, %v", id, err)
	}
}

// TestEndTokens: all tokens that config.json names end a text.
func TestEndTokens(t *testing.T) {
	l := hub.Loaded{Identity: hub.Identity{Special: nn.SpecialTokens{EOS: []int{7, 3, 9}}}}
	if got := l.EndTokens(); !slices.Equal(got, []int32{7, 3, 9}) {
		t.Errorf("ends %v", got)
	}
}

// TestShards opens tensors in one file and in several, and refuses a set that is not
// whole.
func TestShards(t *testing.T) {
	dir := t.TempDir()
	put := func(name, tensor string, value float32) {
		t.Helper()
		var b bytes.Buffer
		if err := safetensors.Write(&b, []safetensors.Tensor{{Name: tensor, DType: safetensors.F32, Shape: []int{1}, Data: safetensors.Bytes([]float32{value})}}, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	find := func(file, tensor string) (float32, error) {
		t.Helper()
		shards, err := hub.OpenTensors(dir, file)
		if err != nil {
			return 0, err
		}
		defer shards.Close()
		found, ok := shards.Tensor(tensor)
		if !ok {
			return -1, nil
		}
		var x [1]float32
		return x[0], found.CopyFloat32(x[:])
	}
	put("a.safetensors", "x", 1)
	for i := range 3 {
		put(hub.ShardName("b.safetensors", i, 3), string(rune('x'+i)), 1)
	}
	for _, c := range []struct{ file, tensor string }{{"a.safetensors", "x"}, {"b.safetensors", "x"}, {"b.safetensors", "y"}, {"b.safetensors", "z"}} {
		if x, err := find(c.file, c.tensor); err != nil || x < 0 {
			t.Errorf("%s in %s: %g, %v", c.tensor, c.file, x, err)
		}
	}
	if x, err := find("b.safetensors", "w"); err != nil || x != -1 {
		t.Errorf("a tensor that is not there: %g, %v", x, err)
	}
	if name := hub.ShardName("b.safetensors", 2, 3); name != "b-00003-of-00003.safetensors" || hub.ShardName("b.safetensors", 0, 1) != "b.safetensors" {
		t.Errorf("the last shard is called %s", name)
	}
	for _, lost := range []int{2, 1, 0} {
		path := filepath.Join(dir, hub.ShardName("b.safetensors", lost, 3))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := find("b.safetensors", "x"); err == nil || !strings.Contains(err.Error(), "are not all") {
			t.Errorf("without shard %d: %v", lost, err)
		}
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLoadStatesOfOtherTypes reads float16, bfloat16 and float64 into float32 states.
func TestLoadStatesOfOtherTypes(t *testing.T) {
	store := exec.NewStore(newBackend(t))
	var tensors []hub.Tensor
	file := map[string]safetensors.Tensor{
		"half":   {DType: safetensors.F16, Data: safetensors.Bytes([]uint16{0x3c00, 0xc100, 0x0001})},
		"brain":  {DType: safetensors.BF16, Data: safetensors.Bytes([]uint16{0x3f80, 0xc020, 0x3e00})},
		"double": {DType: safetensors.F64, Data: safetensors.Bytes([]float64{1, -2.5, 0.125})},
	}
	for name := range file {
		if _, err := store.Ensure("role."+name, ir.F32, ir.Shape{3}); err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, hub.Tensor{Name: name, State: "role." + name, Shape: ir.Shape{3}})
	}
	find := func(name string) (safetensors.Tensor, bool) {
		tensor, ok := file[name]
		tensor.Name, tensor.Shape = name, []int{3}
		return tensor, ok
	}
	if err := hub.LoadStates(store, "file", find, tensors, "cure"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{"half": {1, -2.5, 0x1p-24}, "brain": {1, -2.5, 0.125}, "double": {1, -2.5, 0.125}} {
		got := make([]float32, 3)
		if err := store.Read("role."+name, got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
}
