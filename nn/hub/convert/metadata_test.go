package convert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

// readParts reads a GGUF file of some metadata and tensors: what it says, in text.
func readParts(t *testing.T, metadata gguf.Metadata, tensors []gguf.Tensor) (says string, notes []string, err error) {
	t.Helper()
	var file bytes.Buffer
	if err := gguf.Write(&file, metadata, tensors); err != nil {
		return "", nil, err
	}
	f, err := gguf.Parse("x.gguf", file.Bytes())
	if err != nil {
		return "", nil, err
	}
	s := &source{path: "x.gguf"}
	if err := s.readGGUF(f, testDeps().Families); err != nil {
		return "", s.notes, err
	}
	if s.tokenizer.err != nil {
		return "", s.notes, s.tokenizer.err
	}
	config, err := json.Marshal(s.model.Config())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(string(config), s.special, string(s.tokenizer.tokenizer), string(s.tokenizer.config)), s.notes, nil
}

// with returns metadata with one entry in place of that of its key; nil takes it out.
func with(metadata gguf.Metadata, key string, value any) gguf.Metadata {
	changed := slices.DeleteFunc(slices.Clone(metadata), func(kv gguf.KV) bool { return kv.Key == key })
	if value != nil {
		changed = append(changed, gguf.KV{Key: key, Value: value})
	}
	return changed
}

// otherMetadata are values of the keys that are used, other ones than in the files that
// ggufParts writes.
var otherMetadata = map[string]any{
	"general.architecture": "qwen2", "general.alignment": uint32(64), "ARCH.block_count": uint32(1), "ARCH.context_length": uint32(96), "ARCH.embedding_length": uint32(64),
	"ARCH.feed_forward_length": uint32(96), "ARCH.attention.head_count": uint32(2), "ARCH.attention.layer_norm_epsilon": float32(0.5), "ARCH.attention.head_count_kv": uint32(4),
	"ARCH.attention.key_length": uint32(16), "ARCH.attention.value_length": uint32(16), "ARCH.attention.layer_norm_rms_epsilon": float32(0.5), "ARCH.attention.sliding_window": uint32(9),
	"ARCH.rope.dimension_count": uint32(4), "ARCH.rope.freq_base": float32(77), "ARCH.rope.scaling.type": "linear", "ARCH.rope.scaling.factor": float32(3),
	"ARCH.rope.scaling.original_context_length": uint32(8), "ARCH.rope.scaling.yarn_beta_fast": float32(20), "ARCH.rope.scaling.yarn_beta_slow": float32(2),
	"tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "qwen2", "tokenizer.ggml.tokens": []string{"x"}, "tokenizer.ggml.token_type": []int32{1}, "tokenizer.ggml.merges": []string{"t h"},
	"tokenizer.ggml.bos_token_id": uint32(2), "tokenizer.ggml.eos_token_id": uint32(2), "tokenizer.ggml.eot_token_id": uint32(2), "tokenizer.ggml.eom_token_id": uint32(2),
	"tokenizer.ggml.padding_token_id": uint32(2), "tokenizer.ggml.unknown_token_id": uint32(260), "tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.add_eos_token": true,
	"tokenizer.chat_template": "other",
}

// elsewhere are keys that other tests change: of parts, of SentencePiece, of files of old.
var elsewhere = []string{"split.no", "split.count", "split.tensors.count", "tokenizer.ggml.scores", "tokenizer.ggml.add_space_prefix",
	"tokenizer.ggml.remove_extra_whitespaces", "tokenizer.ggml.precompiled_charsmap", "ARCH.rope.scale_linear"}

// TestMetadataKeys walks the table of the keys of GGUF metadata, for each architecture:
// each used key changes what is read or is an error, no harmless one does, and each
// refused one is an error that names it, unless its value asks for nothing.
func TestMetadataKeys(t *testing.T) {
	for _, kind := range []string{"yarn", "qwen2", "qwen3", "gpt2"} {
		metadata, tensors := ggufParts(t, kind)
		architecture, _, _ := metadata.String("general.architecture")
		if kind != "yarn" && kind != "gpt2" {
			for _, kv := range []gguf.KV{{Key: "rope.scaling.type", Value: "yarn"}, {Key: "rope.scaling.factor", Value: float32(4)}} {
				metadata = append(metadata, gguf.KV{Key: architecture + "." + kv.Key, Value: kv.Value})
			}
		}
		want, notes, err := readParts(t, metadata, tensors)
		if err != nil || len(notes) > 0 {
			t.Fatal(kind, err, notes)
		}
		for _, row := range metadataKeys {
			key := strings.ReplaceAll(row.Name, archPrefix, architecture+".")
			if begin, star := strings.CutSuffix(key, "*"); star {
				key = begin + "something"
			}
			if found, ok := metadataKeys.Find(rowName(key, architecture), architecture); !ok || found.Name != row.Name || found.Use != row.Use {
				continue // of another architecture
			}
			switch row.Use {
			case nn.Used:
				value, ok := otherMetadata[row.Name]
				if row.Name == "general.architecture" && value == architecture {
					value = "gpt2"
				}
				if !ok {
					if !slices.Contains(elsewhere, row.Name) {
						t.Errorf("%s: key %s is used, and the test has no value of it", kind, key)
					}
					continue
				}
				if got, _, err := readParts(t, with(metadata, key, value), tensors); err == nil && got == want && key != "general.alignment" {
					t.Errorf("%s: key %s = %v is used and changes nothing", kind, key, value)
				}
			case nn.Harmless:
				for _, value := range []any{uint32(7), true, "x", []int32{1}} {
					if got, notes, err := readParts(t, with(metadata, key, value), tensors); err != nil || got != want || len(notes) > 0 || row.Why == "" {
						t.Errorf("%s: harmless %s = %v gives %v, %q", kind, key, value, err, notes)
					}
				}
			case nn.Refused:
				for _, value := range []any{uint32(7), "x", []int32{1}} {
					if _, _, err := readParts(t, with(metadata, key, value), tensors); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("key %q: ", key)) || !strings.HasSuffix(err.Error(), row.Why) || row.Why == "" {
						t.Errorf("%s: refused %s = %v gives %v", kind, key, value, err)
					}
				}
				for _, text := range append([]string{`""`}, row.Off...) {
					var value any
					if err := json.Unmarshal([]byte(text), &value); err != nil {
						t.Fatal(err)
					}
					if number, ok := value.(float64); ok {
						value = float32(number)
					}
					if got, notes, err := readParts(t, with(metadata, key, value), tensors); err != nil || got != want || len(notes) > 0 {
						t.Errorf("%s: refused %s = %v, which asks for nothing, gives %v, %q", kind, key, value, err, notes)
					}
				}
			}
		}
		_, notes, err = readParts(t, append(metadata, gguf.KV{Key: architecture + ".surprise", Value: true}, gguf.KV{Key: "other.context_length", Value: "x"}), tensors)
		if want := fmt.Sprintf("x.gguf: the keys %s.surprise, other.context_length are not known here and change nothing", architecture); err != nil || len(notes) != 1 || notes[0] != want {
			t.Errorf("%s: unknown keys give %q, %v", kind, notes, err)
		}
	}
}

// TestMetadataDefaults holds what llama.cpp takes where a key is missing.
func TestMetadataDefaults(t *testing.T) {
	metadata, tensors := ggufParts(t, "llama")
	scaling := func(change ...gguf.KV) string {
		t.Helper()
		m := metadata
		for _, kv := range change {
			m = with(m, kv.Key, kv.Value)
		}
		says, _, err := readParts(t, m, tensors)
		if err != nil {
			return err.Error()
		}
		_, after, found := strings.Cut(says, `"rope_scaling":{`)
		if !found {
			return ""
		}
		text, _, _ := strings.Cut(after, "}")
		return text
	}
	factor := gguf.KV{Key: "llama.rope.scaling.factor", Value: float32(4)}
	kind := func(name string) gguf.KV { return gguf.KV{Key: "llama.rope.scaling.type", Value: name} }
	for _, c := range []struct{ got, want string }{
		{scaling(), ""},
		{scaling(factor), `"type":"linear","factor":4`},
		{scaling(gguf.KV{Key: "llama.rope.scale_linear", Value: float32(2)}), `"type":"linear","factor":2`},
		{scaling(factor, gguf.KV{Key: "llama.rope.scale_linear", Value: float32(2)}), `"type":"linear","factor":4`},
		{scaling(factor, kind("none")), ""},
		{scaling(kind("linear")), ""},
		{scaling(kind("linear"), gguf.KV{Key: factor.Key, Value: float32(1)}), ""},
		{scaling(kind("yarn"), factor), `"type":"yarn","factor":4,"original":64,"beta_fast":32,"beta_slow":1,"attention_factor":1.138629436111989`},
		{scaling(kind("longrope"), factor), `key "llama.rope.scaling.type": "longrope" is not supported`},
	} {
		if c.got != c.want {
			t.Errorf("scaling %s, want %s", c.got, c.want)
		}
	}
	scaled, scaledTensors := ggufParts(t, "llama3")
	if _, _, err := readParts(t, append(scaled, factor), scaledTensors); err == nil || !strings.Contains(err.Error(), `linear by 4 beside the tensor "rope_freqs.weight"`) {
		t.Errorf("two scalings: %v", err)
	}
}

// TestFrameOfGGUF holds which tokens stand around a text of a byte-level BPE.
func TestFrameOfGGUF(t *testing.T) {
	metadata, tensors := ggufParts(t, "llama")
	for _, c := range []struct {
		pre     string
		bos     any // add_bos_token
		eos     any
		want    string
		without string // a key
	}{
		{"gpt-2", nil, nil, "", ""},
		{"llama-bpe", nil, nil, "260 X", ""},
		{"tekken", nil, nil, "260 X", ""},
		{"llama-bpe", false, nil, "", ""},
		{"gpt-2", true, nil, "260 X", ""},
		{"gpt-2", true, true, "260 X 261", ""},
		{"gpt-2", nil, true, "X 261", ""},
		{"gpt-2", true, nil, "", "tokenizer.ggml.bos_token_id"},
	} {
		m := with(metadata, "tokenizer.ggml.pre", c.pre)
		m = with(with(m, "tokenizer.ggml.add_bos_token", c.bos), "tokenizer.ggml.add_eos_token", c.eos)
		if c.without != "" {
			m = with(m, c.without, nil)
		}
		f := &source{path: "x.gguf"}
		var file bytes.Buffer
		if err := gguf.Write(&file, m, tensors); err != nil {
			t.Fatal(err)
		}
		parsed, err := gguf.Parse("x.gguf", file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := f.readGGUF(parsed, testDeps().Families); err != nil {
			t.Fatal(err)
		}
		doc, err := hf.ReadDocument(bytes.NewReader(f.tokenizer.tokenizer))
		if err != nil {
			t.Fatal(err)
		}
		tokenizer, err := bpe.FromDocument(doc)
		if err != nil {
			t.Fatal(err)
		}
		frame := tokenizer.Frame()
		var parts []string
		for _, id := range frame.Before {
			parts = append(parts, fmt.Sprint(id))
		}
		if parts = append(parts, "X"); len(frame.After) > 0 {
			parts = append(parts, fmt.Sprint(frame.After[0]))
		}
		got := strings.Join(parts, " ")
		if got == "X" {
			got = ""
		}
		if got != c.want {
			t.Errorf("%s, add_bos_token %v, add_eos_token %v: %q, want %q", c.pre, c.bos, c.eos, got, c.want)
		}
	}
}
