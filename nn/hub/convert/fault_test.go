package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/llama"
)

// left lists what a directory holds.
func left(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestDirectoryFaults wants an error that names the fault, and nothing written.
func TestDirectoryFaults(t *testing.T) {
	m := newModel(t, models()["llama"])
	tokenizer := testTokenizer(t, bpe.GPT2, false)
	for want, damage := range map[string]func(t *testing.T, src string){
		"holds no config.json":    func(t *testing.T, src string) { remove(t, src, "config.json") },
		"holds neither":           func(t *testing.T, src string) { remove(t, src, "model.safetensors") },
		"holds no tokenizer.json": func(t *testing.T, src string) { remove(t, src, "tokenizer.json") },
		`config.json: model_type "mamba" is not supported: layers with a recurrent state are missing`: func(t *testing.T, src string) {
			write(t, filepath.Join(src, "config.json"), `{"model_type": "mamba"}`)
		},
		`tensor "model.norm.weight" has shape [3], the configuration wants (32)`: func(t *testing.T, src string) {
			replaceTensor(t, src, "model.norm.weight", safetensors.F32, []int{3}, 12)
		},
		`tensor "model.norm.weight" is of type I32: convert it`: func(t *testing.T, src string) {
			replaceTensor(t, src, "model.norm.weight", safetensors.I32, []int{32}, 128)
		},
		`there is no tensor for parameter "model.norm.weight"`: func(t *testing.T, src string) {
			replaceTensor(t, src, "model.norm.weight", safetensors.I32, nil, 0)
		},
		"the tokenizer has 264 tokens, the model 262": func(t *testing.T, src string) {
			c := models()["llama"]
			c.Config.(*llama.Config).Vocab = 262
			small := newModel(t, c)
			writeModel(t, src, small, randomTensors(small), tokenizer)
		},
		"the logits are not finite": func(t *testing.T, src string) {
			file := filepath.Join(src, "model.safetensors")
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			write(t, file, string(text[:len(text)-4])+"\x00\x00\xc0\x7f")
		},
		"tokenizer_config.json": func(t *testing.T, src string) {
			write(t, filepath.Join(src, "tokenizer_config.json"), `{`)
			write(t, filepath.Join(src, "chat_template.jinja"), `x`)
		},
		"generation_config.json: eos_token_id": func(t *testing.T, src string) {
			write(t, filepath.Join(src, "generation_config.json"), `{"eos_token_id": "x"}`)
		},
	} {
		dir := t.TempDir()
		src := filepath.Join(dir, "src")
		writeModel(t, src, m, randomTensors(m), tokenizer)
		damage(t, src)
		_, err := Convert(t.Context(), src, filepath.Join(dir, "dst"), Options{Format: HuggingFace, Verify: true}, testDeps())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want %s", err, want)
		}
		if got := left(t, dir); got != "src" {
			t.Errorf("%s: %s is left", want, got)
		}
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// replaceTensor changes one tensor of the llama model in src; a nil shape takes it
// out.
func replaceTensor(t *testing.T, src, name string, dtype safetensors.DType, shape []int, size int) {
	t.Helper()
	var tensors []safetensors.Tensor
	for _, tensor := range randomTensors(newModel(t, models()["llama"])) {
		if tensor.Name == name {
			if shape == nil {
				continue
			}
			tensor.DType, tensor.Shape, tensor.Data = dtype, shape, make([]byte, size)
		}
		tensors = append(tensors, tensor)
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, tensors, nil); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(src, "model.safetensors"), file.String())
}

// ggufParts writes the llama model as GGUF and reads it.
func ggufParts(t testing.TB, kind string) (gguf.Metadata, []gguf.Tensor) {
	t.Helper()
	dir := t.TempDir()
	m := newModel(t, models()[kind])
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "x.gguf")
	writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	if _, err := Convert(t.Context(), src, dst, Options{Format: GGUF}, testDeps()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(dst, text)
	if err != nil {
		t.Fatal(err)
	}
	return f.Metadata(), f.Tensors()
}

// TestGGUFFaults changes one metadata entry or tensor of a good file.
func TestGGUFFaults(t *testing.T) {
	metadata, tensors := ggufParts(t, "llama3")
	for _, c := range []struct {
		want  string
		key   string
		value any // nil takes the key out
	}{
		{`"mamba" is not one of ["llama" "qwen2" "qwen3" "gemma3" "gpt2"]`, "general.architecture", "mamba"},
		{`key "general.architecture": is of type uint32, want a string`, "general.architecture", uint32(1)},
		{`key "llama.block_count" is missing`, "llama.block_count", nil},
		{`there is no tensor "blk.2.attn_norm.weight" for parameter "model.layers.2.input_layernorm.weight"`, "llama.block_count", uint32(3)},
		{`belongs to no parameter of this llama`, "llama.block_count", uint32(1)},
		{`model.layers: 1000000 is outside`, "llama.block_count", uint32(1000000)},
		{`key "llama.feed_forward_length": is of type []uint32`, "llama.feed_forward_length", []uint32{64, 64}},
		{`tensor "blk.0.ffn_gate.weight" has shape [64 32], the configuration wants (80, 32)`, "llama.feed_forward_length", uint32(80)},
		{`key "llama.attention.head_count" is 0`, "llama.attention.head_count", uint32(0)},
		{`key "llama.rope.dimension_count" is 4`, "llama.rope.dimension_count", uint32(4)},
		{`key "llama.expert_count": 8 is not supported: experts`, "llama.expert_count", uint32(8)},
		{`holds a scaling of rotary positions other than Llama 3's`, "llama.rope.freq_base", float32(10)},
		{`tokenizers of kind "bert" are not read`, "tokenizer.ggml.model", "bert"},
		{"holds no tokenizer", "tokenizer.ggml.model", nil},
		{`key "tokenizer.ggml.pre": pre-tokenizer "default" is not known`, "tokenizer.ggml.pre", "default"},
		{`key "tokenizer.ggml.token_type" has 1 elements for 272 tokens`, "tokenizer.ggml.token_type", []int32{1}},
		{`key "tokenizer.ggml.token_type": token 271, "[PAD271]", is of type 7; known are 1 … 6`, "tokenizer.ggml.token_type", append(slices.Repeat([]int32{1}, 271), 7)},
		{`key "tokenizer.ggml.eos_token_id": 272 is outside the vocabulary of 272 tokens`, "tokenizer.ggml.eos_token_id", uint32(272)},
		{`key "tokenizer.ggml.bos_token_id": 4000 is outside the vocabulary of 272 tokens`, "tokenizer.ggml.bos_token_id", uint32(4000)},
		{`key "tokenizer.ggml.tokens": ids 0 and 1 are both "a"`, "tokenizer.ggml.tokens", append([]string{"a", "a"}, make([]string, 270)...)},
	} {
		dir := t.TempDir()
		src := filepath.Join(dir, "src.gguf")
		var changed gguf.Metadata
		for _, kv := range metadata {
			if kv.Key != c.key {
				changed = append(changed, kv)
			}
		}
		if c.value != nil {
			changed = append(changed, gguf.KV{Key: c.key, Value: c.value})
		}
		writeGGUF(t, src, changed, tensors)
		_, err := Convert(t.Context(), src, filepath.Join(dir, "dst"), Options{Format: HuggingFace}, testDeps())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), src) {
			t.Errorf("%s = %v: error %v, want %s", c.key, c.value, err, c.want)
		}
		if got := left(t, dir); got != "src.gguf" {
			t.Errorf("%s = %v: %s is left", c.key, c.value, got)
		}
	}
	dir := t.TempDir()
	src := filepath.Join(dir, "src.gguf")
	iq := append([]gguf.Tensor(nil), tensors...)
	for i := range iq {
		if strings.HasSuffix(iq[i].Name, "ffn_up.weight") {
			iq[i].Type, iq[i].Data = gguf.IQ4NL, make([]byte, 64*18)
		}
	}
	writeGGUF(t, src, metadata, iq)
	if _, err := Convert(t.Context(), src, filepath.Join(dir, "dst"), Options{Format: HuggingFace}, testDeps()); err == nil || !strings.Contains(err.Error(), "IQ4_NL, which is not read") {
		t.Errorf("a tensor of type IQ4_NL: %v", err)
	}
	writeGGUF(t, src, nil, nil)
	if _, err := Convert(t.Context(), src, filepath.Join(dir, "dst"), Options{Format: HuggingFace}, testDeps()); err == nil {
		t.Error("an empty GGUF file is a model")
	}
}

func writeGGUF(t testing.TB, path string, metadata gguf.Metadata, tensors []gguf.Tensor) {
	t.Helper()
	var file bytes.Buffer
	if err := gguf.Write(&file, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	write(t, path, file.String())
}

// TestTokenizerOption takes the tokenizer of another directory where the file's is
// of an unknown kind.
func TestTokenizerOption(t *testing.T) {
	metadata, tensors := ggufParts(t, "llama")
	dir := t.TempDir()
	for i := range metadata {
		if metadata[i].Key == "tokenizer.ggml.model" {
			metadata[i].Value = "bert"
		}
	}
	writeGGUF(t, filepath.Join(dir, "x.gguf"), metadata, tensors)
	write(t, filepath.Join(dir, "tokenizer.json"), string(testTokenizer(t, bpe.Tekken, true)))
	dst := filepath.Join(dir, "dst")
	if _, err := Convert(t.Context(), filepath.Join(dir, "x.gguf"), dst, Options{Format: HuggingFace, Tokenizer: dir, Verify: true}, testDeps()); err != nil {
		t.Fatal(err)
	}
	got, err := bpe.Load(dst)
	if err != nil || got.Pattern() != bpe.Tekken {
		t.Errorf("tokenizer %v, %v", got, err)
	}
}

// TestUnknownTokenizer imports a model whose tokenizer this program does not read:
// a note says so, and the certificate is of ids.
func TestUnknownTokenizer(t *testing.T) {
	dir := t.TempDir()
	m := newModel(t, models()["llama"])
	src := filepath.Join(dir, "src")
	writeModel(t, src, m, randomTensors(m), []byte(`{"model": {"type": "Morphemes"}}`))
	r, err := Convert(t.Context(), src, filepath.Join(dir, "dst"), Options{Format: HuggingFace, Verify: true}, testDeps())
	if err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "Morphemes") {
		t.Fatalf("notes %q, %v", r.Notes, err)
	}
	if r.Parity.Prompt != "" || len(r.Parity.PromptTokens) != promptIDs || !r.Parity.SameText {
		t.Errorf("parity %+v", r.Parity)
	}
	if _, err := Convert(t.Context(), src, filepath.Join(dir, "x.gguf"), Options{Format: GGUF}, testDeps()); err == nil || !strings.Contains(err.Error(), "Morphemes") {
		t.Errorf("GGUF with such a tokenizer: %v", err)
	}
}

// failingFS fails one operation, and ends a context at another.
type failingFS struct {
	vfs.OS
	rename string // suffix of the new name at which Rename fails
	create func(name string)
}

func (f failingFS) Rename(oldname, newname string) error {
	if f.rename != "" && strings.HasSuffix(newname, f.rename) {
		return &fs.PathError{Op: "rename", Path: newname, Err: errors.New("injected")}
	}
	return f.OS.Rename(oldname, newname)
}

func (f failingFS) Create(name string) (vfs.File, error) {
	if f.create != nil {
		f.create(name)
	}
	return f.OS.Create(name)
}

// TestNothingLeft fails at the last step and interrupts at the first write.
func TestNothingLeft(t *testing.T) {
	m := newModel(t, models()["gpt2"])
	for _, format := range []Format{HuggingFace, GGUF} {
		for _, name := range []string{"dst.gguf", "tokenizer.json", "parity.json", "interrupt"} {
			dir := t.TempDir()
			src := filepath.Join(dir, "src")
			writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
			deps := testDeps()
			ctx, cancel := context.WithCancel(t.Context())
			deps.FS = failingFS{rename: name}
			if name == "interrupt" {
				deps.FS = failingFS{create: func(string) { cancel() }}
			}
			_, err := Convert(ctx, src, filepath.Join(dir, "dst.gguf"), Options{Format: format, Verify: true}, deps)
			cancel()
			if name == "tokenizer.json" && format == GGUF {
				continue // has no such file
			}
			if err == nil || name == "interrupt" != errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s: error %v", format, name, err)
			}
			if got := left(t, dir); got != "src" {
				t.Errorf("%s, %s: %s is left", format, name, got)
			}
		}
	}
}

// TestNoCounterpart exports a model that transformers does not know.
func TestNoCounterpart(t *testing.T) {
	c := models()["gpt2"]
	c.Config.(*gpt2.Config).Positions = gpt2.NoPosition
	m := newModel(t, c)
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	if _, err := Convert(t.Context(), src, filepath.Join(dir, "x.gguf"), Options{Format: GGUF}, testDeps()); err == nil || !strings.Contains(err.Error(), "learned positions") {
		t.Errorf("GGUF: %v", err)
	}
	if _, err := Convert(t.Context(), src, filepath.Join(dir, "dst"), Options{Format: HuggingFace}, testDeps()); !errors.Is(err, nn.ErrNoCounterpart) {
		t.Errorf("a directory for others: %v", err)
	}
	r, err := Convert(t.Context(), src, filepath.Join(dir, "dst"), Options{Format: HuggingFace, Own: true, Verify: true}, testDeps())
	if err != nil || r.ModelType != "gpt2" || !r.Parity.SameText {
		t.Errorf("a directory of our own: %+v, %v", r, err)
	}
}

// TestBiasesOfQwen3 exports a model that llama.cpp does not know.
func TestBiasesOfQwen3(t *testing.T) {
	c := models()["qwen3"]
	c.Config.(*llama.Config).AttentionBias = true
	m := newModel(t, c)
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	if _, err := Convert(t.Context(), src, filepath.Join(dir, "x.gguf"), Options{Format: GGUF}, testDeps()); err == nil || !strings.Contains(err.Error(), "qwen3 has no biases of this model's attention") {
		t.Errorf("GGUF: %v", err)
	}
	if r, err := Convert(t.Context(), src, filepath.Join(dir, "dst"), Options{Format: HuggingFace, Verify: true}, testDeps()); err != nil || r.ModelType != "qwen3" || r.Parity.Account.Stored != len(m.Params()) {
		t.Errorf("a directory: %+v, %v", r, err)
	}
}

// FuzzGGUF wants no panic and bounded memory from whatever a GGUF file says of a
// model.
func FuzzGGUF(f *testing.F) {
	for _, kind := range []string{"llama3", "gpt2"} {
		metadata, _ := ggufParts(f, kind)
		for _, kv := range metadata {
			value, err := json.Marshal(kv.Value)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(kind, kv.Key, string(value))
		}
	}
	f.Add("llama3", "llama.block_count", "4294967295")
	f.Add("llama3", "llama.attention.head_count_kv", "0")
	f.Add("gpt2", "gpt2.attention.head_count", "-1")
	f.Add("llama3", "llama.rope.scaling.type", `"yarn"`)
	f.Add("llama3", "llama.rope.scaling.factor", "0")
	f.Add("llama3", "tokenizer.ggml.eos_token_id", "99999")
	f.Add("llama3", "tokenizer.ggml.add_eos_token", "true")
	f.Add("gpt2", "split.count", "3")
	f.Add("gpt2", "gpt2.logit_scale", "7")
	parts := map[string]gguf.Metadata{}
	tensors := map[string][]gguf.Tensor{}
	for _, kind := range []string{"llama3", "gpt2"} {
		parts[kind], tensors[kind] = ggufParts(f, kind)
	}
	f.Fuzz(func(t *testing.T, kind, key, text string) {
		metadata, ok := parts[kind]
		var value any
		if !ok || json.Unmarshal([]byte(text), &value) != nil {
			return
		}
		switch v := value.(type) {
		case string, bool:
		case float64:
			value = int64(v)
		default:
			return
		}
		changed := gguf.Metadata{{Key: key, Value: value}}
		for _, kv := range metadata {
			if kv.Key != key {
				changed = append(changed, kv)
			}
		}
		var file bytes.Buffer
		if gguf.Write(&file, changed, tensors[kind]) != nil {
			return
		}
		parsed, err := gguf.Parse("fuzz.gguf", file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		s := &source{path: "fuzz.gguf"}
		if err := s.readGGUF(parsed, testDeps().Families); err == nil && len(s.tensors) != len(s.model.Params()) {
			t.Errorf("%d tensors for %d parameters", len(s.tensors), len(s.model.Params()))
		}
	})
}
