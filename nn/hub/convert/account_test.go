package convert

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/safetensors"
)

// withKeys adds keys to a JSON file.
func withKeys(t *testing.T, file string, keys map[string]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	for key, value := range keys {
		object[key] = json.RawMessage(value)
	}
	if text, err = json.Marshal(object); err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text))
}

// keysOf lists what changed as key: source → result.
func keysOf(changes []KeyChange) map[string]string {
	all := map[string]string{}
	for _, c := range changes {
		all[c.Key] = strings.Join(strings.Fields(string(c.Source)+" → "+string(c.Result)), " ")
		if c.Why == "" {
			all[c.Key] = "without a reason"
		}
	}
	return all
}

// TestAccount names in the certificate what the result does not have of the source.
func TestAccount(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	m := newModel(t, models()["gpt2"])
	extra := []safetensors.Tensor{
		{Name: "h.0.attn.bias", DType: safetensors.U8, Shape: []int{1, 1, 2, 2}, Data: []byte{1, 0, 1, 1}},
		{Name: "lm_head.weight", DType: safetensors.F32},
	}
	tensors := randomTensors(m)
	extra[1].Shape, extra[1].Data = tensors[0].Shape, tensors[0].Data
	writeModel(t, src, m, append(tensors, extra...), testTokenizer(t, bpe.GPT2, false))
	withKeys(t, filepath.Join(src, "config.json"), map[string]string{"attn_pdrop": "0.25", "n_ctx": "32", "_name_or_path": `"a/b"`, "surprise": "[1]", "use_cache": "false"})
	r, err := Convert(t.Context(), src, dst, Options{Format: HuggingFace, Verify: true}, testDeps())
	if err != nil {
		t.Fatal(err)
	}
	a := r.Parity.Account
	if len(r.Notes) != 1 || !strings.HasSuffix(r.Notes[0], "config.json: the key surprise is not known here and changes nothing") {
		t.Errorf("notes %q", r.Notes)
	}
	want := []hub.LeftOut{{Tensor: "h.0.attn.bias", Why: "the causal mask, which is computed"},
		{Tensor: "lm_head.weight", Why: "a copy of transformer.wte.weight, to which the head is tied"}}
	if !reflect.DeepEqual(a.LeftOut, want) && !reflect.DeepEqual(a.LeftOut, []hub.LeftOut{want[1], want[0]}) {
		t.Errorf("left out %+v", a.LeftOut)
	}
	if n := len(m.Params()); a.Stored != n+2 || a.Kept != n || a.Equal != n || a.LargestDifference != 0 {
		t.Errorf("%+v", a)
	}
	if got, want := keysOf(a.Keys), map[string]string{"n_ctx": "32 → 64", "_name_or_path": `"a/b" →`, "surprise": "[1] →", "use_cache": "false → true",
		"eos_token_id": "259 → [ 261, 259 ]"}; !reflect.DeepEqual(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	// From GGUF and back with rounding.
	file := filepath.Join(dir, "x.gguf")
	if r, err = Convert(t.Context(), src, file, Options{Format: GGUF, Verify: true, Type: &[]gguf.Type{gguf.Q8_0}[0]}, testDeps()); err != nil {
		t.Fatal(err)
	}
	if a = r.Parity.Account; a.Kept == a.Equal || a.LargestDifference == 0 || a.Furthest == "" || len(a.LeftOut) != 2 || keysOf(a.Keys)["n_ctx"] != "32 →" {
		t.Errorf("to GGUF: %+v", a)
	}
	if r, err = Convert(t.Context(), file, filepath.Join(dir, "back"), Options{Format: HuggingFace, Verify: true}, testDeps()); err != nil {
		t.Fatal(err)
	}
	if a = r.Parity.Account; a.Kept != a.Equal || a.Stored != a.Kept || keysOf(a.Keys)["general.file_type"] != "7 →" || keysOf(a.Keys)["gpt2.block_count"] != "" {
		t.Errorf("from GGUF: %+v", a)
	}
	var stored Certificate
	text, err := os.ReadFile(filepath.Join(dir, "back", ParityName))
	if err != nil || json.Unmarshal(text, &stored) != nil || !reflect.DeepEqual(stored.Account.LeftOut, []hub.LeftOut{}) {
		t.Errorf("parity.json: %s, %v", text, err)
	}
}

// TestAccountNotices: a result that lacks a number or a tensor of the source is an error.
func TestAccountNotices(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	m := newModel(t, models()["llama"])
	writeModel(t, src, m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	opened := func() *source {
		s, err := open(src, testDeps())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.close() })
		return s
	}
	s, result := opened(), opened()
	s.stored = append(s.stored, "forgotten.weight")
	if _, err := account(s, result, testDeps().Families); err == nil || !strings.Contains(err.Error(), `tensor "forgotten.weight" is not in the result`) {
		t.Errorf("a forgotten tensor: %v", err)
	}
	s = opened()
	s.left = []hub.LeftOut{{Tensor: "model.norm.weight"}}
	if _, err := account(s, result, testDeps().Families); err == nil || !strings.Contains(err.Error(), `tensor "model.norm.weight" is left out and parameter`) {
		t.Errorf("a tensor of two uses: %v", err)
	}
	s = opened()
	other := make([]byte, len(result.tensors[3].data))
	copy(other, result.tensors[3].data)
	other[7] ^= 0x80 // the sign of the second number
	result.tensors[3].data = other
	a, err := account(s, result, testDeps().Families)
	if err != nil || a.Equal != a.Kept-1 || a.Furthest != m.Params()[3].Name {
		t.Errorf("another number: %+v, %v", a, err)
	}
}

// TestGGUFFolder imports a model in parts by its folder.
func TestGGUFFolder(t *testing.T) {
	metadata, tensors := ggufParts(t, "qwen2")
	dir := t.TempDir()
	src := filepath.Join(dir, "my [v2] $model")
	if err := os.Mkdir(src, 0o777); err != nil {
		t.Fatal(err)
	}
	cut := len(tensors) / 2
	for i, part := range [][]gguf.Tensor{tensors[:cut], tensors[cut:]} {
		m := gguf.Metadata{{Key: "split.no", Value: uint16(i)}, {Key: "split.count", Value: uint16(2)}, {Key: "split.tensors.count", Value: int32(len(tensors))}}
		if i == 0 {
			m = append(m, metadata...)
		}
		writeGGUF(t, filepath.Join(src, []string{"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}[i]), m, part)
	}
	for i, path := range []string{src, filepath.Join(src, "m-00001-of-00002.gguf"), filepath.Join(src, "m-00002-of-00002.gguf")} {
		r, err := Convert(t.Context(), path, filepath.Join(dir, "dst"+string(rune('a'+i))), Options{Format: HuggingFace, Verify: true}, testDeps())
		if err != nil || r.Parity.Account.Stored != len(tensors) {
			t.Errorf("%s: %+v, %v", path, r.Parity, err)
		}
	}
	if err := os.Remove(filepath.Join(src, "m-00002-of-00002.gguf")); err != nil {
		t.Fatal(err)
	}
	if _, err := Convert(t.Context(), src, filepath.Join(dir, "x"), Options{Format: HuggingFace}, testDeps()); err == nil || !strings.Contains(err.Error(), "is part 1 of 2, and m-00002-of-00002.gguf is not there") {
		t.Errorf("without the second part: %v", err)
	}
	write(t, filepath.Join(dir, "model.safetensors"), "x")
	if _, err := Convert(t.Context(), filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "x"), Options{Format: HuggingFace}, testDeps()); err == nil || !strings.Contains(err.Error(), "holds weights alone: name its directory") {
		t.Errorf("weights alone: %v", err)
	}
}
