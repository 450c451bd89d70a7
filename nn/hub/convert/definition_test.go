package convert

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub/gguf"
)

// float32s is a tensor of numbers.
func float32s(shape []int, values ...float32) tensor {
	t := tensor{shape: shape, typ: gguf.F32}
	for _, v := range values {
		t.data = binary.LittleEndian.AppendUint32(t.data, math.Float32bits(v))
	}
	return t
}

// TestComparisonByHand: how two tensors differ, number by number; what is no finite number differs by the largest there is.
func TestComparisonByHand(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		a, b []float32
		want comparison
	}{
		{[]float32{1, -2, 3}, []float32{1, -2, 3}, comparison{true, 0, 0, 14}},
		{[]float32{1, -2, 3}, []float32{1.5, -2, 1}, comparison{false, 2, 4.25, 14}},
		{[]float32{0}, []float32{float32(math.Copysign(0, -1))}, comparison{false, 0, 0, 0}},
		{[]float32{nan}, []float32{nan}, comparison{true, 0, 0, math.MaxFloat64}},
		{[]float32{1}, []float32{nan}, comparison{false, math.MaxFloat64, math.MaxFloat32 * math.MaxFloat32, 1}},
		{[]float32{2}, []float32{inf}, comparison{false, math.MaxFloat64, math.MaxFloat32 * math.MaxFloat32, 4}},
		{[]float32{inf}, []float32{2}, comparison{false, math.MaxFloat64, math.MaxFloat32 * math.MaxFloat32, math.MaxFloat64}},
	} {
		got, err := compareNumbers(float32s([]int{len(test.a)}, test.a...), float32s([]int{len(test.b)}, test.b...))
		if math.IsNaN(float64(test.a[0])) {
			got.squares = test.want.squares // of what is none
		}
		if err != nil || got != test.want {
			t.Errorf("%v and %v: %+v, %v; want %+v", test.a, test.b, got, err, test.want)
		}
	}
	got, err := compareNumbers(float32s([]int{2, 1}, 1, 2), float32s([]int{1, 2}, 1, 2))
	if err != nil || got.same || got.largest != math.MaxFloat64 || got.errors != math.MaxFloat64 {
		t.Errorf("other shapes: %+v, %v", got, err)
	}
}

// TestRoundingOfTensors: the errors of several tensors of a type are those of all of their numbers.
func TestRoundingOfTensors(t *testing.T) {
	var r Rounding
	if r.Relative() != 0 {
		t.Errorf("of nothing: %g", r.Relative())
	}
	r.add(3, 12, 300) // RMS 2 of 10
	if r.RMS != 2 || r.Signal != 10 || r.Relative() != 0.2 || r.Tensors != 1 || r.Numbers != 3 {
		t.Errorf("%+v", r)
	}
	r.add(1, 4, 100) // the same again
	if r.RMS != 2 || r.Signal != 10 || r.Tensors != 2 || r.Numbers != 4 {
		t.Errorf("%+v", r)
	}
	r.add(12, 0, 0)
	if r.RMS != 1 || r.Signal != 5 || r.Numbers != 16 {
		t.Errorf("%+v", r)
	}
}

// TestFramesOfTexts: where BOS and EOS stand around one text and around two.
func TestFramesOfTexts(t *testing.T) {
	tokens := []string{"<s>", "</s>", "x"}
	for _, test := range []struct {
		metadata gguf.Metadata
		bos      bool
		want     string
	}{
		{nil, false, "null"}, {nil, true, "<s> A | <s> A <s> B"},
		{gguf.Metadata{{Key: "tokenizer.ggml.add_bos_token", Value: true}}, false, "<s> A | <s> A <s> B"}, {gguf.Metadata{{Key: "tokenizer.ggml.add_bos_token", Value: false}}, true, "null"},
		{gguf.Metadata{{Key: "tokenizer.ggml.add_eos_token", Value: true}}, false, "A </s> | A </s> B </s>"}, {gguf.Metadata{{Key: "tokenizer.ggml.add_eos_token", Value: true}}, true, "<s> A </s> | <s> A </s> <s> B </s>"},
	} {
		raw, err := frameProcessor(test.metadata, tokens, nn.SpecialTokens{BOS: 0, EOS: []int{1, 2}}, test.bos)
		if err != nil {
			t.Fatal(err)
		}
		type piece struct{ SpecialToken, Sequence *struct{ ID string } }
		var frame *struct{ Single, Pair []piece }
		if err := json.Unmarshal(raw, &frame); err != nil {
			t.Fatal(err)
		}
		got := "null"
		if frame != nil {
			spell := func(pieces []piece) string {
				var names []string
				for _, p := range pieces {
					if p.Sequence != nil {
						names = append(names, p.Sequence.ID)
					} else {
						names = append(names, p.SpecialToken.ID)
					}
				}
				return strings.Join(names, " ")
			}
			got = spell(frame.Single) + " | " + spell(frame.Pair)
		}
		if got != test.want {
			t.Errorf("%v, %t: %s, want %s", test.metadata, test.bos, got, test.want)
		}
	}
	for _, special := range []nn.SpecialTokens{{BOS: 3}, {BOS: -1, EOS: []int{3}}} {
		if _, err := frameProcessor(gguf.Metadata{{Key: "tokenizer.ggml.add_eos_token", Value: true}}, tokens, special, true); err == nil {
			t.Errorf("%+v of 3 tokens", special)
		}
	}
}

// TestNamesOfModels: a model is called like its directory or file, whose only ending is .gguf.
func TestNamesOfModels(t *testing.T) {
	for path, want := range map[string]string{"/m/tiny-v1.5": "tiny-v1.5", "/m/tiny-v1.5.gguf": "tiny-v1.5", "/m/a/": "a", "/m/x.safetensors": "x.safetensors"} {
		if got := modelName(path); got != want {
			t.Errorf("%s is called %s, want %s", path, got, want)
		}
	}
}

// contextOf is a model of which only the context is asked.
type contextOf struct {
	nn.LanguageModel
	context int
}

func (m contextOf) Config() any { return &gpt2.Config{Context: m.context} }

// TestWindowsOfAText: a text is measured in windows that fit behind what begins each, all of it up to 16 windows.
func TestWindowsOfAText(t *testing.T) {
	b, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.Config()
	cfg.Frame = hf.Frame{Before: []int32{256}}
	framed, err := bpe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	lengths := func(s *source, n int) (all []int) {
		windows, err := s.windows(bytes.Repeat([]byte("x"), n))
		if err != nil {
			return nil
		}
		for _, w := range windows {
			all = append(all, len(w))
			if begins := s.encoder == framed; begins != (w[0] == 256) {
				t.Errorf("a window begins with %d", w[0])
			}
		}
		return all
	}
	for _, test := range []struct {
		encoder    data.Tokenizer
		context, n int
		want       []int
	}{
		{b, 8, 20, []int{8, 8, 4}}, {framed, 8, 20, []int{8, 8, 7}}, {framed, 8, 14, []int{8, 8}}, {b, 8, 9, []int{8}}, {b, 8, 8, []int{8}}, {b, 8, 2, []int{2}}, {b, 8, 1, nil}, {b, 1, 5, nil}, {framed, 2, 5, nil}, {framed, 3, 5, []int{3, 3}},
		{b, 1000, 300, []int{256, 44}}, {framed, 1000, 255, []int{256}}, {b, 2, 40, slices.Repeat([]int{2}, 16)},
	} {
		if got := lengths(&source{encoder: test.encoder, model: contextOf{context: test.context}}, test.n); !slices.Equal(got, test.want) {
			t.Errorf("%d tokens in a context of %d: windows of %v, want %v", test.n, test.context, got, test.want)
		}
	}
	if windows, err := (&source{}).windows(nil); windows != nil || err != nil {
		t.Errorf("no text: %v, %v", windows, err)
	}
	if _, err := (&source{}).windows([]byte("xx")); err == nil {
		t.Error("a text is measured without a tokenizer")
	}
}

// TestRolesOfTokens: each id of GGUF's metadata gives its role to the token, if it is a special one.
func TestRolesOfTokens(t *testing.T) {
	added := []hf.AddedToken{{ID: 0, Content: "<unk>", Special: true}, {ID: 1, Content: "<s>", Special: true}, {ID: 2, Content: "</s>", Special: true}, {ID: 3, Content: "<pad>", Special: true}, {ID: 4, Content: "word"}}
	for key, role := range map[string]string{"unknown": "unk_token", "bos": "bos_token", "eos": "eos_token", "padding": "pad_token"} {
		for id := range uint32(6) {
			raw, err := ggufTokenizerConfig(gguf.Metadata{{Key: "tokenizer.ggml." + key + "_token_id", Value: id}}, added, 77)
			if err != nil {
				t.Fatal(err)
			}
			var config map[string]any
			if err := json.Unmarshal(raw, &config); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false, "model_max_length": 77.0}
			if id < 4 {
				want[role] = added[id].Content
			}
			if !maps.Equal(config, want) {
				t.Errorf("%s of %d: %v, want %v", key, id, config, want)
			}
		}
	}
}
