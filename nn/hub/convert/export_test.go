package convert

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/spm"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/zoo"
)

// exports is testdata/exports.json.gz; scripts/golden/exports.py, which wrote it with
// the Python packages gguf, safetensors and sentencepiece, documents it.
type exports struct {
	Models map[string]struct {
		Config    json.RawMessage
		GGUF      map[string]struct{ Metadata, Tensors map[string][]any }
		Directory map[string]string
		Factors   []float64
	}
	Pieces map[string]map[string][]any
	BPE    map[string]struct {
		Vocab    int
		Roles    json.RawMessage
		Metadata map[string]any
	}
}

func readExports(t *testing.T) exports {
	t.Helper()
	file, err := os.Open("testdata/exports.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var e exports
	if err := json.NewDecoder(unzipped).Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

// tiedNumbers are the weights of a parameter as the script makes them: ties of Q8_0,
// bfloat16, float16 and its subnormals in every other 32, arbitrary numbers between.
func tiedNumbers(name string, n int) []float32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	state, values := h.Sum32(), make([]float32, n)
	for i := range values {
		state = state*1664525 + 1013904223
		x, sign := state>>8, -1.0
		if state>>31 != 0 {
			sign = 1
		}
		y := float64(x / 4)
		switch {
		case i/32%2 != 0:
			y = float64(x) / (1 << 26)
		case i%32 == 0:
			y = 127. / 128
		case x%4 == 0:
			y = (math.Mod(y, 126) + 0.5) / 128
		case x%4 == 1:
			y = (257 + 2*math.Mod(y, 127)) / (1 << 12)
		case x%4 == 2:
			y = (2049 + 2*math.Mod(y, 1023)) / (1 << 14)
		default:
			y = (1 + 2*math.Mod(y, 1000)) / (1 << 25)
		}
		values[i] = float32(sign * y)
	}
	return values
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestExportsAsOthersWrite exports small models to each type and compares metadata and
// bytes with those of llama.cpp's writer, and the directory with that of safetensors.
func TestExportsAsOthersWrite(t *testing.T) {
	types := map[string]gguf.Type{"F32": gguf.F32, "F16": gguf.F16, "BF16": gguf.BF16, "Q8_0": gguf.Q8_0}
	for name, want := range readExports(t).Models {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			spec, err := zoo.Families().Parse(want.Config)
			if err != nil {
				t.Fatal(err)
			}
			m := newModel(t, spec)
			var tensors []safetensors.Tensor
			for _, p := range m.Params() {
				tensors = append(tensors, safetensors.Tensor{Name: p.Name, DType: safetensors.F32, Shape: p.Shape, Data: safetensors.Bytes(tiedNumbers(p.Name, p.Shape.Size()))})
			}
			src := filepath.Join(dir, "src")
			writeModel(t, src, m, tensors, testTokenizer(t, bpe.GPT2, false))
			for name, typ := range types {
				file := filepath.Join(dir, name+".gguf")
				if _, err := Convert(t.Context(), src, file, Options{Format: GGUF, Type: &typ}, testDeps()); err != nil {
					t.Fatal(err)
				}
				checkGGUF(t, file, want.GGUF[name].Metadata, want.GGUF[name].Tensors, want.Factors)
				sum, directory := want.Directory[name]
				if !directory {
					continue
				}
				dst := filepath.Join(dir, name)
				if _, err := Convert(t.Context(), src, dst, Options{Format: HuggingFace, Type: &typ}, testDeps()); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(filepath.Join(dst, "model.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				if digest(data) != sum {
					t.Errorf("model.safetensors in %s differs from that of safetensors.torch", name)
				}
				checkDType(t, filepath.Join(dst, "config.json"), map[string]string{"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[name])
			}
		})
	}
}

func checkDType(t *testing.T, file, want string) {
	t.Helper()
	var config struct{ DType string }
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil || config.DType != want {
		t.Errorf("%s: dtype %q (%v), want %q", file, config.DType, err, want)
	}
}

// ours are the metadata that llama.cpp's writer does not give a model by itself: names,
// and the window, which llama.cpp ignores for these architectures.
func ours(key string) bool {
	return strings.HasPrefix(key, "tokenizer.") || key == "general.name" || key == "general.type" || strings.HasSuffix(key, ".attention.sliding_window")
}

func checkGGUF(t *testing.T, file string, metadata, tensors map[string][]any, factors []float64) {
	t.Helper()
	f, err := gguf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kinds := map[string]string{"uint32": "UINT32", "float32": "FLOAT32", "string": "STRING"}
	got := map[string][]any{}
	for _, kv := range f.Metadata() {
		value := kv.Value
		switch v := value.(type) {
		case uint32:
			value = float64(v)
		case float32:
			value = float64(v)
		}
		if !ours(kv.Key) {
			got[kv.Key] = []any{kinds[fmt.Sprintf("%T", kv.Value)], value}
		}
	}
	if !reflect.DeepEqual(got, metadata) {
		t.Errorf("%s: metadata\n%v, llama.cpp's\n%v", filepath.Base(file), got, metadata)
	}
	for _, tensor := range f.Tensors() {
		if tensor.Name == "rope_freqs.weight" {
			checkFactors(t, tensor, factors)
			factors = nil
			continue
		}
		shape := make([]any, len(tensor.Shape))
		for i, n := range tensor.Shape {
			shape[i] = float64(n)
		}
		if got := []any{tensor.Type.String(), shape, digest(tensor.Data)}; !reflect.DeepEqual(got, tensors[tensor.Name]) {
			t.Errorf("%s: tensor %s is %v, llama.cpp's %v", filepath.Base(file), tensor.Name, got, tensors[tensor.Name])
		}
		delete(tensors, tensor.Name)
	}
	if len(tensors) > 0 || factors != nil {
		t.Errorf("%s lacks tensors: %v, factors %v", filepath.Base(file), tensors, factors)
	}
}

func checkFactors(t *testing.T, tensor gguf.Tensor, want []float64) {
	t.Helper()
	got := make([]float32, len(want))
	if err := tensor.CopyFloat32(got); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 1e-5*want[i] {
			t.Errorf("factor %d of the rotation is %g, transformers' %g", i, got[i], want[i])
		}
	}
}

// TestPiecesAsSentencePiece compares tokens, scores and types with those that llama.cpp
// reads from a tokenizer.model, where ours come from its tokenizer.json. Scores count
// within float32; those of pieces that are no ordinary ones nothing reads.
func TestPiecesAsSentencePiece(t *testing.T) {
	for name, want := range readExports(t).Pieces {
		original, err := spm.Load(pieceModels + name + ".model")
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := tokenizerMetadata(tokenizerFiles{tokenizer: original.AppendJSON(nil), config: []byte("{}")}, original.Vocab(), nn.SpecialTokens{BOS: -1, PAD: -1})
		if err != nil {
			t.Fatal(err)
		}
		tokens, _, _ := m.Strings("tokenizer.ggml.tokens")
		types, _, _ := m.Ints("tokenizer.ggml.token_type")
		value, _ := m.Get("tokenizer.ggml.scores")
		scores, _ := value.([]float32)
		if len(tokens) != len(want["tokenizer.ggml.tokens"]) || len(types) != len(tokens) || len(scores) != len(tokens) {
			t.Fatalf("%s: %d tokens, %d types, %d scores", name, len(tokens), len(types), len(scores))
		}
		for id, token := range tokens {
			kind := int(want["tokenizer.ggml.token_type"][id].(float64))
			if kind == int(spm.UserDefined) {
				continue // SentencePiece's Python package does not tell these from ordinary ones
			}
			score := want["tokenizer.ggml.scores"][id].(float64)
			if token != want["tokenizer.ggml.tokens"][id] || types[id] != kind && types[id] != int(spm.UserDefined) {
				t.Errorf("%s: token %d is %q of type %d, sentencepiece has %q of type %d", name, id, token, types[id], want["tokenizer.ggml.tokens"][id], kind)
			}
			if types[id] == int(spm.Normal) && math.Abs(float64(scores[id])-score) > 1e-6*math.Abs(score) {
				t.Errorf("%s: token %d, %q, scores %g, in sentencepiece %g", name, id, token, scores[id], score)
			}
		}
	}
}

// TestBytesAsSpecialVocab compares a byte-level tokenizer's metadata with those that
// the package gguf reads from the same files.
func TestBytesAsSpecialVocab(t *testing.T) {
	for name, want := range readExports(t).BPE {
		text, err := os.ReadFile("../../../data/bpe/testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		tokenizer, err := bpe.ReadJSON(bytes.NewReader(text), name)
		if err != nil {
			t.Fatal(err)
		}
		var roles struct {
			EOS string `json:"eos_token"`
			BOS string `json:"bos_token"`
		}
		if err := json.Unmarshal(want.Roles, &roles); err != nil {
			t.Fatal(err)
		}
		bos, _ := tokenizer.Special(roles.BOS)
		eos, _ := tokenizer.Special(roles.EOS)
		m, _, err := tokenizerMetadata(tokenizerFiles{tokenizer: text, config: want.Roles}, want.Vocab, nn.SpecialTokens{BOS: int(bos), PAD: int(bos), EOS: []int{int(eos)}})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]any{"general.architecture": "gpt2"}
		for _, kv := range m {
			switch v := kv.Value.(type) {
			case uint32:
				got[kv.Key] = float64(v)
			case []string:
				got[kv.Key] = fmt.Sprintf("%q", v)
			case []int32:
				got[kv.Key] = fmt.Sprint(v)
			default:
				got[kv.Key] = v
			}
		}
		for key, value := range want.Metadata {
			if list, ok := value.([]any); ok {
				var texts []string
				var numbers []int32
				for _, e := range list {
					switch e := e.(type) {
					case string:
						texts = append(texts, e)
					case float64:
						numbers = append(numbers, int32(e))
					}
				}
				if value = fmt.Sprintf("%q", texts); numbers != nil {
					value = fmt.Sprint(numbers)
				}
			}
			if !reflect.DeepEqual(got[key], value) {
				t.Errorf("%s: %s is\n%.300v, the package gguf has\n%.300v", name, key, got[key], value)
			}
		}
	}
}

// TestNamesOfLlamaCpp holds the names that llama.cpp's src/llama-vocab.cpp knows: they
// choose its split pattern.
func TestNamesOfLlamaCpp(t *testing.T) {
	for _, c := range []struct {
		pattern      bpe.Pattern
		ignoreMerges bool
		want         string
	}{
		{bpe.GPT2, false, "gpt-2"}, {bpe.GPT4, true, "llama-bpe"}, {bpe.GPT4, false, "dbrx"}, {bpe.Qwen2, false, "qwen2"}, {bpe.Qwen35, false, "qwen35"},
		{bpe.O200K, false, "gpt-4o"}, {bpe.Tekken, true, "tekken"}, {bpe.Digits, false, "smollm"},
	} {
		tokenizer, err := bpe.ReadJSON(bytes.NewReader(testTokenizer(t, c.pattern, c.ignoreMerges)), "")
		if err != nil {
			t.Fatal(err)
		}
		if pre, notes, err := preName(tokenizer); pre != c.want || len(notes) > 0 || err != nil {
			t.Errorf("%v, ignore_merges %t: %s, %v, %v, want %s", c.pattern, c.ignoreMerges, pre, notes, err, c.want)
		}
	}
}

// TestAddsBOS: a text begins with BOS where the template of a single text does.
func TestAddsBOS(t *testing.T) {
	const bos, text, eos = `{"SpecialToken": {"id": "<s>", "type_id": 0}}`, `{"Sequence": {"id": "A", "type_id": 0}}`, `{"SpecialToken": {"id": "</s>", "type_id": 0}}`
	template := func(parts ...string) string {
		return `{"type": "TemplateProcessing", "single": [` + strings.Join(parts, ", ") + `], "pair": [` + bos + `], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}`
	}
	for processor, want := range map[string]bool{
		"null": false, `{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false}`: false,
		template(bos, text): true, template(bos, text, eos): true, template(text, eos): false, template(text): false,
		`{"type": "Sequence", "processors": [{"type": "ByteLevel"}, ` + template(bos, text) + `]}`: true,
		`{"type": "Sequence", "processors": [{"type": "ByteLevel"}, ` + template(text, eos) + `]}`: false,
	} {
		if got := addsBOS([]byte(processor)); got != want {
			t.Errorf("%s: %t", processor, got)
		}
	}
	// And so it stands in the metadata.
	text1 := bytes.Replace(testTokenizer(t, bpe.GPT2, false), []byte(`"post_processor": null`), []byte(`"post_processor": `+template(strings.ReplaceAll(bos, "<s>", bpe.EndOfText), text)), 1)
	text1 = bytes.Replace(text1, []byte(`{"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}`), []byte(`{"`+bpe.EndOfText+`": {"id": "`+bpe.EndOfText+`", "ids": [259], "tokens": ["`+bpe.EndOfText+`"]}}`), 1)
	text1 = bytes.Replace(text1, []byte(`"pair": [`+bos), []byte(`"pair": [`+strings.ReplaceAll(bos, "<s>", bpe.EndOfText)), 1)
	m, _, err := tokenizerMetadata(tokenizerFiles{tokenizer: text1, config: []byte("{}")}, 272, nn.SpecialTokens{BOS: 259, PAD: -1})
	if err != nil {
		t.Fatal(err)
	}
	if add, _, err := m.Bool("tokenizer.ggml.add_bos_token"); !add || err != nil {
		t.Errorf("add_bos_token is %t, %v", add, err)
	}
}

// TestSpecialTokensOfGeneration: what generation_config.json names goes before
// config.json, whatever the ids are; what it leaves out stays.
func TestSpecialTokensOfGeneration(t *testing.T) {
	for _, c := range []struct {
		config, generation string
		want               nn.SpecialTokens
	}{
		{`{"bos_token_id": 5, "eos_token_id": 6, "pad_token_id": 7}`, `{"bos_token_id": 1, "eos_token_id": [3, 2], "pad_token_id": 0}`, nn.SpecialTokens{BOS: 1, PAD: 0, EOS: []int{3, 2}}},
		{`{"bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0}`, `{"bos_token_id": 8, "eos_token_id": 9, "pad_token_id": 7}`, nn.SpecialTokens{BOS: 8, PAD: 7, EOS: []int{9}}},
		{`{"bos_token_id": 5, "eos_token_id": 6, "pad_token_id": 7}`, `{"temperature": 0.5}`, nn.SpecialTokens{BOS: 5, PAD: 7, EOS: []int{6}}},
		{`{"bos_token_id": 5, "eos_token_id": 6}`, `{"eos_token_id": null}`, nn.SpecialTokens{BOS: 5, PAD: -1, EOS: []int{6}}},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "generation_config.json"), c.generation)
		got, _, err := hub.Place{Dir: dir, Base: dir}.ReadSpecial([]byte(c.config), 10)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, %s: %+v, %v, want %+v", c.config, c.generation, got, err, c.want)
		}
	}
}

// TestTemplateByName takes the template called default of several.
func TestTemplateByName(t *testing.T) {
	for config, want := range map[string]string{
		`{"chat_template": [{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]}`: "b",
		`{"chat_template": [{"name": "rag", "template": "a"}]}`:                                            "",
		`{"chat_template": "c"}`: "c", `{"chat_template": null}`: "", `{}`: "",
	} {
		if got, err := chatTemplate([]byte(config)); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", config, got, err, want)
		}
	}
}

// TestRulesOfPieces: what SentencePiece does to a text before it looks for pieces, and
// what begins and ends it, stands in the metadata; so does the kind of model, t5 for a
// unigram and llama for a BPE.
func TestRulesOfPieces(t *testing.T) {
	for _, name := range []string{"bpe", "unigram"} {
		original, err := spm.Load(pieceModels + name + ".model")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 16 {
			c := original.Config()
			rules := *c.Rules
			rules.DummyPrefix, rules.RemoveExtraSpace = i&1 != 0, i&2 != 0
			c.Rules, c.Frame.Before, c.Frame.After = &rules, nil, nil
			if i&4 != 0 {
				c.Frame.Before = []int32{1}
			}
			if i&8 != 0 {
				c.Frame.After = []int32{2}
			}
			changed, err := spm.New(c)
			if err != nil {
				t.Fatal(err)
			}
			m, _, err := tokenizerMetadata(tokenizerFiles{tokenizer: changed.AppendJSON(nil), config: []byte("{}")}, changed.Vocab(), nn.SpecialTokens{BOS: -1, PAD: -1})
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]any{
				"model": map[string]string{"bpe": "llama", "unigram": "t5"}[name], "pre": "default",
				"add_space_prefix": rules.DummyPrefix, "remove_extra_whitespaces": rules.RemoveExtraSpace, "add_bos_token": i&4 != 0, "add_eos_token": i&8 != 0,
			} {
				if got, ok := m.Get("tokenizer.ggml." + key); !ok || got != want {
					t.Errorf("%s %d: %s is %v, want %v", name, i, key, got, want)
				}
			}
			back, err := ggufPieces(m, map[string]string{"bpe": "llama", "unigram": "t5"}[name], nn.SpecialTokens{BOS: 1, PAD: -1, EOS: []int{2}})
			if err != nil {
				t.Fatal(err)
			}
			if got := back.Config(); got.Rules.DummyPrefix != rules.DummyPrefix || got.Rules.RemoveExtraSpace != rules.RemoveExtraSpace || len(got.Frame.Before) != i&4/4 || len(got.Frame.After) != i&8/8 {
				t.Errorf("%s %d: read back as %+v, %+v", name, i, got.Rules, got.Frame)
			}
		}
	}
}

// TestDTypeOfTheMost: config.json names the type of most numbers, not of most tensors.
func TestDTypeOfTheMost(t *testing.T) {
	m := newModel(t, models()["llama"])
	for _, wide := range []string{"embed_tokens", "layernorm"} { // one large tensor, several small ones
		dir := t.TempDir()
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
		tensors := randomTensors(m)
		for i, tensor := range tensors {
			if strings.Contains(tensor.Name, wide) {
				continue
			}
			narrow := make([]byte, len(tensor.Data)/2)
			for i := range len(narrow) / 2 {
				copy(narrow[2*i:], tensor.Data[4*i+2:4*i+4])
			}
			tensors[i].DType, tensors[i].Data = safetensors.BF16, narrow
		}
		if wide == "embed_tokens" { // and most numbers
			for i, tensor := range tensors {
				if strings.Contains(tensor.Name, "lm_head") || strings.Contains(tensor.Name, "mlp") {
					tensors[i] = randomTensors(m)[i]
				}
			}
		}
		writeModel(t, src, m, tensors, testTokenizer(t, bpe.GPT2, false))
		if _, err := Convert(t.Context(), src, dst, Options{Format: HuggingFace}, testDeps()); err != nil {
			t.Fatal(err)
		}
		checkDType(t, filepath.Join(dst, "config.json"), map[string]string{"embed_tokens": "float32", "layernorm": "bfloat16"}[wide])
	}
}
