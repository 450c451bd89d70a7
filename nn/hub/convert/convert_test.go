package convert

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/zoo"
)

func testDeps() Deps {
	return Deps{
		FS:       vfs.OS{},
		Families: zoo.Families(),
		Backend:  func() (exec.Backend, error) { return cpu.New(cpu.Config{Threads: 1}) },
	}
}

// testTokenizer has single bytes, three merges and four special tokens, 263 ids of
// which one is unused.
func testTokenizer(t testing.TB, pattern bpe.Pattern, ignoreMerges bool) []byte {
	t.Helper()
	c := bpe.Config{Pattern: pattern, IgnoreMerges: ignoreMerges, Tokens: make([]string, 259)}
	for b := range 256 {
		c.Tokens[b] = string([]byte{byte(b)})
	}
	c.Tokens[256], c.Tokens[257], c.Tokens[258] = " t", "he", " the"
	c.Merges = []bpe.Merge{{Left: ' ', Right: 't'}, {Left: 'h', Right: 'e'}, {Left: 256, Right: 257}}
	for i, name := range []string{bpe.EndOfText, "<|im_start|>", "<|im_end|>"} {
		c.Added = append(c.Added, bpe.AddedToken{ID: int32(259 + i), Content: name, Special: true})
	}
	c.Added = append(c.Added, bpe.AddedToken{ID: 263, Content: "<tool>"})
	tokenizer, err := bpe.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer.AppendJSON(nil)
}

const testTokenizerConfig = `{"eos_token": {"content": "<|im_end|>"}, "chat_template": "{{ messages }} <&>"}`

// models are one of each kind that GGUF knows, as small as can be.
func models() map[string]nn.Spec {
	with := func(change func(*llama.Config)) nn.Spec {
		c := llama.Config{Layers: 2, Heads: 4, KVHeads: 2, Width: 32, FFN: 64, Context: 64, Vocab: 272}
		change(&c)
		return nn.Spec{Family: llama.Name, Config: &c}
	}
	gemma := func(change func(*gemma3.Config)) nn.Spec {
		c := gemma3.Config{Layers: 7, Heads: 4, KVHeads: 2, HeadDim: 6, Width: 32, FFN: 64, Context: 64, Vocab: 272, SlidingWindow: 8}
		change(&c)
		return nn.Spec{Family: gemma3.Name, Config: &c}
	}
	return map[string]nn.Spec{
		"llama":            with(func(*llama.Config) {}),
		"tied":             with(func(c *llama.Config) { c.Tied = nn.Bool(true) }),
		"biased":           with(func(c *llama.Config) { c.Bias = nn.Bool(true) }),
		"attention biased": with(func(c *llama.Config) { c.AttentionBias = true }),
		"mlp biased":       with(func(c *llama.Config) { c.MLPBias = true }),
		"wide":             with(func(c *llama.Config) { c.HeadDim = 16 }),
		"mistral":          with(func(c *llama.Config) { c.SlidingWindow = 8 }),
		"qwen2":            with(func(c *llama.Config) { c.QKVBias = true }),
		"qwen3":            with(func(c *llama.Config) { c.QKNorm, c.SlidingWindow = true, 16 }),
		"llama3": with(func(c *llama.Config) {
			c.RopeTheta, c.RopeScaling = 500000, &llama.RopeScaling{Type: "llama3", Factor: 8, Original: 8192}
		}),
		"linear": with(func(c *llama.Config) { c.RopeScaling = &llama.RopeScaling{Type: "linear", Factor: 4} }),
		"yarn": with(func(c *llama.Config) {
			c.RopeScaling = &llama.RopeScaling{Type: "yarn", Factor: 4, Original: 16, BetaFast: 16}
		}),
		"gemma3":        gemma(func(*gemma3.Config) {}),
		"gemma3 scaled": gemma(func(c *gemma3.Config) { c.RopeFactor, c.Tied = 8, nn.Bool(false) }),
		"gpt2":          {Family: gpt2.Name, Config: &gpt2.Config{Layers: 2, Heads: 4, Width: 32, Context: 64, Vocab: 272}},
		"untied":        {Family: gpt2.Name, Config: &gpt2.Config{Layers: 1, Heads: 2, Width: 32, FFN: 96, Context: 48, Vocab: 272, Tied: nn.Bool(false)}},
	}
}

// randomTensors are weights of m: multiples of 2⁻⁸ below 1, which every type but
// Q8_0 holds exactly.
func randomTensors(m nn.Model) []safetensors.Tensor {
	state := uint32(1)
	var tensors []safetensors.Tensor
	for _, p := range m.Params() {
		values := make([]float32, p.Shape.Size())
		for i := range values {
			state = state*1664525 + 1013904223
			values[i] = float32(int32(state)>>24) / 256
		}
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, DType: safetensors.F32, Shape: p.Shape, Data: safetensors.Bytes(values)})
	}
	return tensors
}

// writeModel writes a Hugging Face directory with the tensors.
func writeModel(t testing.TB, dir string, m nn.Model, tensors []safetensors.Tensor, tokenizer []byte) {
	t.Helper()
	config, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: 260, PAD: 259, EOS: []int{259}})
	if err != nil {
		t.Fatal(err)
	}
	var weights bytes.Buffer
	if err := safetensors.Write(&weights, tensors, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"config.json": config, "generation_config.json": []byte(`{"eos_token_id": [261, 259], "temperature": 0.5}`),
		"tokenizer.json": tokenizer, "tokenizer_config.json": []byte(testTokenizerConfig), "model.safetensors": weights.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func newModel(t testing.TB, s nn.Spec) nn.Model {
	t.Helper()
	m, err := zoo.Families().New(s, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// values decodes all parameters of the model at path.
func values(t *testing.T, path string) (nn.Model, map[string][]float32) {
	t.Helper()
	s, err := open(path, testDeps())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	out := map[string][]float32{}
	for _, tensor := range s.tensors {
		err := tensor.floats(func(_ int, part []float32) error {
			out[tensor.name] = append(out[tensor.name], part...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s.model, out
}

// TestRoundTrip takes each kind of model from a directory to GGUF and back: the
// weights, the configuration and what is computed must be the same.
func TestRoundTrip(t *testing.T) {
	for name, c := range models() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			writeModel(t, at("hf"), newModel(t, c), randomTensors(newModel(t, c)), testTokenizer(t, bpe.GPT4, true))
			wantModel, want := values(t, at("hf"))
			file := at("model.gguf")
			for _, step := range []struct {
				from, to string
				format   Format
			}{{at("hf"), file, GGUF}, {file, at("back"), HuggingFace}, {file, at("again.gguf"), GGUF}} {
				r, err := Convert(t.Context(), step.from, step.to, Options{Format: step.format, Verify: true}, testDeps())
				if err != nil {
					t.Fatal(err)
				}
				if p := r.Parity; !p.Exact || p.LargestDifference != 0 || !p.SameText || p.LargestLogit == 0 || p.Prompt == "" || len(p.SourceTokens) != greedyTokens && wantModel.(nn.LanguageModel).Context() > 48 {
					t.Errorf("parity %+v", p)
				}
				gotModel, got := values(t, step.to)
				if a, b := configText(t, gotModel), configText(t, wantModel); a != b {
					t.Errorf("configuration\n%s, want\n%s", a, b)
				}
				for name := range want {
					if !slices.Equal(got[name], want[name]) {
						t.Errorf("%s: parameter %s has changed", step.to, name)
					}
				}
			}
			sameTensors(t, file, at("again.gguf"))
		})
	}
}

// sameTensors compares the bytes of the tensors in two GGUF files.
func sameTensors(t *testing.T, a, b string) {
	t.Helper()
	f, err := gguf.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := gguf.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, want := range f.Tensors() {
		if got, _ := g.Tensor(want.Name); got.Type != want.Type || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: tensor %s differs from that of %s", b, want.Name, a)
		}
	}
}

// configText is a configuration without what GGUF does not keep.
func configText(t *testing.T, m nn.Model) string {
	t.Helper()
	c := m.Config().(nn.TextConfig)
	text := c.Text()
	text.Dropout = 0
	c.SetText(text)
	encoded, err := json.MarshalIndent(c, m.Family(), " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// TestTypes exports to every type of both formats.
func TestTypes(t *testing.T) {
	dir := t.TempDir()
	m := newModel(t, models()["llama"])
	src := filepath.Join(dir, "src")
	writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	_, want := values(t, src)
	for _, c := range []struct {
		format Format
		typ    gguf.Type
		types  string // of the report
		off    float64
	}{
		{HuggingFace, gguf.F32, "map[F32:21]", 0},
		{HuggingFace, gguf.F16, "map[F16:21]", 0},
		{HuggingFace, gguf.BF16, "map[BF16:21]", 0},
		{GGUF, gguf.F32, "map[F32:21]", 0},
		{GGUF, gguf.F16, "map[F16:16 F32:5]", 0},
		{GGUF, gguf.BF16, "map[BF16:16 F32:5]", 0},
		{GGUF, gguf.Q8_0, "map[F32:5 Q8_0:16]", 0.5 / 2 / 127 * 1.01},
	} {
		dst := filepath.Join(dir, fmt.Sprintf("%s-%v", c.format, c.typ))
		r, err := Convert(t.Context(), src, dst, Options{Format: c.format, Type: &c.typ, Verify: true}, testDeps())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.Types); got != c.types || r.Parity.Exact != (c.typ == gguf.F32) {
			t.Errorf("%s %v: types %s, want %s; exact %v", c.format, c.typ, got, c.types, r.Parity.Exact)
		}
		if d := r.Parity.LargestDifference; (d == 0) != (c.off == 0) || r.Parameters != 36000 {
			t.Errorf("%s %v: logits differ by %g, %d parameters", c.format, c.typ, d, r.Parameters)
		}
		_, got := values(t, dst)
		var off float64
		for name := range want {
			for i := range want[name] {
				off = max(off, math.Abs(float64(want[name][i]-got[name][i])))
			}
		}
		if off > c.off || off == 0 != (c.off == 0) {
			t.Errorf("%s %v: weights differ by %g, want at most %g", c.format, c.typ, off, c.off)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "hf-BF16", "config.json"))
	if err != nil || !bytes.Contains(text, []byte(`"dtype": "bfloat16"`)) {
		t.Errorf("config.json of a bfloat16 export: %s %v", text, err)
	}
	q8 := gguf.Q8_0
	if _, err := Convert(t.Context(), src, filepath.Join(dir, "x"), Options{Format: HuggingFace, Type: &q8}, testDeps()); err == nil {
		t.Error("safetensors are written as Q8_0")
	}
}

// TestReferenceLayout compares the tensors of GGUF with llama.cpp's definition of
// its row order, reshape(heads, 2, d/2, in).swapaxes(1, 2), and with the transpose.
func TestReferenceLayout(t *testing.T) {
	dir := t.TempDir()
	read := func(name string) (map[string][]float32, *gguf.File) {
		m := newModel(t, models()[name])
		src, dst := filepath.Join(dir, name), filepath.Join(dir, name+".gguf")
		writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.Qwen2, false))
		if _, err := Convert(t.Context(), src, dst, Options{Format: GGUF}, testDeps()); err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Open(dst)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		_, v := values(t, src)
		return v, f
	}
	element := func(f *gguf.File, name string, i int) float32 {
		tensor, _ := f.Tensor(name)
		return math.Float32frombits(binary.LittleEndian.Uint32(tensor.Data[4*i:]))
	}
	v, f := read("llama")
	const heads, d, in = 2, 8, 32 // of the keys
	for h := range heads {
		for j := range 2 {
			for i := range d / 2 {
				for col := range in {
					want := v["model.layers.1.self_attn.k_proj.weight"][((h*2+j)*d/2+i)*in+col]
					if got := element(f, "blk.1.attn_k.weight", ((h*d/2+i)*2+j)*in+col); got != want {
						t.Fatalf("attn_k, head %d, half %d, pair %d, column %d: %g, want %g", h, j, i, col, got, want)
					}
				}
			}
		}
	}
	v, f = read("qwen2")
	for i, want := range v["model.layers.1.self_attn.k_proj.weight"] {
		if got := element(f, "blk.1.attn_k.weight", i); got != want {
			t.Fatalf("qwen2's keys are reordered: element %d is %g, want %g", i, got, want)
		}
	}
	v, f = read("gpt2")
	for r := range 32 {
		for c := range 128 {
			want := v["transformer.h.0.mlp.c_fc.weight"][r*128+c]
			if got := element(f, "blk.0.ffn_up.weight", c*32+r); got != want {
				t.Fatalf("ffn_up (%d, %d) is %g, want %g", c, r, got, want)
			}
		}
	}
}

// TestMetadata looks at what llama.cpp reads.
func TestMetadata(t *testing.T) {
	dir := t.TempDir()
	m := newModel(t, models()["llama3"])
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "x.gguf")
	writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.GPT4, true))
	if _, err := Convert(t.Context(), src, dst, Options{Format: GGUF}, testDeps()); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for key, want := range map[string]any{
		"general.architecture": "llama", "general.name": "src", "general.file_type": uint32(0),
		"llama.vocab_size": uint32(272), "llama.rope.freq_base": float32(500000), "llama.attention.head_count_kv": uint32(2),
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.add_bos_token": false,
		"tokenizer.ggml.bos_token_id": uint32(260), "tokenizer.ggml.eos_token_id": uint32(261), "tokenizer.ggml.eot_token_id": uint32(259),
		"tokenizer.ggml.padding_token_id": uint32(259), "tokenizer.chat_template": "{{ messages }} <&>",
	} {
		if got, ok := f.Metadata().Get(key); !ok || got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	tokens, _, _ := f.Metadata().Strings("tokenizer.ggml.tokens")
	types, _, _ := f.Metadata().Ints("tokenizer.ggml.token_type")
	for id, want := range map[int]string{0: "Ā 1", ' ': "Ġ 1", 258: "Ġthe 1", 261: "<|im_end|> 3", 262: "[PAD262] 5", 263: "<tool> 4", 271: "[PAD271] 5"} {
		if got := fmt.Sprint(tokens[id], " ", types[id]); got != want {
			t.Errorf("token %d is %q, want %q", id, got, want)
		}
	}
	merges, _, _ := f.Metadata().Strings("tokenizer.ggml.merges")
	if want := []string{"Ġ t", "h e", "Ġt he"}; !slices.Equal(merges, want) {
		t.Errorf("merges %q, want %q", merges, want)
	}
	factors, ok := f.Tensor(ropeFactors)
	if !ok || !slices.Equal(factors.Shape, []int{4}) {
		t.Errorf("rope factors %+v", factors)
	}
}

// TestSplitters takes every pre-tokenizer that is written to GGUF and back.
func TestSplitters(t *testing.T) {
	for _, s := range splitters {
		text := testTokenizer(t, s.pattern, s.ignoreMerges)
		files := tokenizerFiles{tokenizer: text, config: []byte(testTokenizerConfig)}
		m, notes, err := tokenizerMetadata(files, 272, nn.SpecialTokens{BOS: 260, PAD: -1})
		if err != nil || len(notes) > 0 {
			t.Fatal(s.pre, err, notes)
		}
		for i := range m {
			if m[i].Key == "tokenizer.ggml.pre" {
				m[i].Value = s.pre
			}
			if m[i].Key == "tokenizer.ggml.add_bos_token" {
				m[i].Value = true
			}
		}
		back, err := ggufTokenizer(m, 64, nn.SpecialTokens{BOS: 260, PAD: -1})
		if err != nil {
			t.Fatal(s.pre, err)
		}
		got, err := bpe.ReadJSON(bytes.NewReader(back.tokenizer), s.pre)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := bpe.ReadJSON(bytes.NewReader(text), s.pre)
		if c := got.Config(); c.Pattern != s.pattern || c.IgnoreMerges != s.ignoreMerges {
			t.Errorf("%s is read as %v, %v", s.pre, c.Pattern, c.IgnoreMerges)
		}
		if a, b := got.AppendEncode(nil, []byte(tokenizerProbe+" the <tool>")), want.AppendEncode(nil, []byte(tokenizerProbe+" the <tool>")); !slices.Equal(a, b) {
			t.Errorf("%s: tokens %v, want %v", s.pre, a, b)
		}
		if len(got.Frame().Before) != 1 || len(want.Frame().Before) != 0 {
			t.Errorf("%s: the BOS token is not added", s.pre)
		}
		if template, err := chatTemplate(back.config); template != "{{ messages }} <&>" || err != nil {
			t.Errorf("chat template %q, %v", template, err)
		}
	}
	tokenizer, err := bpe.ReadJSON(bytes.NewReader(testTokenizer(t, bpe.CL100K, false)), "")
	if err != nil {
		t.Fatal(err)
	}
	if pre, notes, err := preName(tokenizer); pre != "dbrx" || len(notes) != 1 || err != nil {
		t.Errorf("cl100k is %s, %v, %v", pre, notes, err)
	}
}

// TestDirectory imports shards in mixed types, names without prefix, a copy of the
// tied head, and a chat template in a file of its own.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	m := newModel(t, models()["gpt2"])
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "deep", "dst")
	var all []safetensors.Tensor
	for i, tensor := range randomTensors(m) {
		if i%3 == 1 { // exact, as the values are
			half := make([]byte, len(tensor.Data)/2)
			for i := range len(half) / 2 {
				copy(half[2*i:], tensor.Data[4*i+2:4*i+4])
			}
			tensor.DType, tensor.Data = safetensors.BF16, half
		}
		tensor.Name = strings.TrimPrefix(tensor.Name, "transformer.")
		all = append(all, tensor)
	}
	want := randomTensors(m)
	head := want[0]
	head.Name = "lm_head.weight"
	writeModel(t, src, m, nil, testTokenizer(t, bpe.GPT2, false))
	if err := os.Remove(filepath.Join(src, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	index := map[string]string{}
	for name, tensors := range map[string][]safetensors.Tensor{"a.safetensors": append(all[:7:7], head), "b.safetensors": all[7:]} {
		var file bytes.Buffer
		if err := safetensors.Write(&file, tensors, nil); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(src, name), file.String())
		for _, tensor := range tensors {
			index[tensor.Name] = name
		}
	}
	text, err := json.Marshal(map[string]any{"weight_map": index})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(src, safetensors.IndexName), string(text))
	write(t, filepath.Join(src, "chat_template.jinja"), "{{ own }}")
	r, err := Convert(t.Context(), src, dst, Options{Format: HuggingFace, Verify: true}, testDeps())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Parity.Exact || r.Parity.LargestDifference != 0 || fmt.Sprint(r.Types) != "map[BF16:9 F32:19]" || r.ModelType != "gpt2" {
		t.Errorf("report %+v, parity %+v", r, r.Parity)
	}
	_, got := values(t, dst)
	for _, tensor := range want {
		if v := got[tensor.Name]; !bytes.Equal(safetensors.Bytes(v), tensor.Data) {
			t.Errorf("parameter %s has changed", tensor.Name)
		}
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dst, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if template, _ := chatTemplate([]byte(read("tokenizer_config.json"))); template != "{{ own }}" {
		t.Errorf("chat template %q", template)
	}
	if text := read("generation_config.json"); !strings.Contains(text, "temperature") {
		t.Errorf("generation_config.json is %s", text)
	}
	special, err := nn.ParseSpecialTokens("config.json", []byte(read("config.json")))
	if err != nil || !slices.Equal(special.EOS, []int{261, 259}) {
		t.Errorf("special tokens %+v, %v", special, err)
	}
	var c Certificate
	if err := json.Unmarshal([]byte(read(ParityName)), &c); err != nil || !c.SameText || c.Result != dst {
		t.Errorf("%s: %+v, %v", ParityName, c, err)
	}
	if _, err := Convert(t.Context(), src, dst, Options{Format: HuggingFace}, testDeps()); !errors.Is(err, ErrExists) {
		t.Errorf("a second import: %v", err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
