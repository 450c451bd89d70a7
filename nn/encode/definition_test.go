package encode

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/tokenizers"
)

// TestNumbers: what is computed on the host, by hand.
func TestNumbers(t *testing.T) {
	if got := mean([]float32{1, 10, 2, 20, 6, 60, 100, 1000}, 3, 4); !slices.Equal(got, []float32{3, 30}) {
		t.Errorf("the mean of three states is %v", got)
	}
	p := Probabilities([]float32{1, 3, 1000, 1000})
	if math.Abs(p[2]-0.5) > 1e-12 || p[3] != p[2] || p[0] != 0 {
		t.Errorf("%v", p)
	}
	if p := Probabilities([]float32{0, float32(math.Log(3))}); math.Abs(p[1]-0.75) > 1e-6 || math.Abs(p[0]-0.25) > 1e-6 {
		t.Errorf("%v", p)
	}
	if likeliest([]float32{-3, -1, -2, -1}) != 1 || likeliest([]float32{5, 1}) != 0 {
		t.Error("the likeliest is the first of the largest")
	}
	if (Told{Classes: []float32{-2, 4, 3}}).Class() != 1 {
		t.Error("the class is the likeliest")
	}
	told := Told{Mean: []float32{3, 4}, First: []float32{0, 2}}
	for _, c := range []struct {
		p    Pooling
		want []float32
		name string
		of   Want
	}{
		{Pooling{}, []float32{3, 4}, "mean", Mean}, {Pooling{First: true}, []float32{0, 2}, "first", First},
		{Pooling{Unit: true}, []float32{0.6, 0.8}, "mean", Mean}, {Pooling{First: true, Unit: true}, []float32{0, 1}, "first", First},
	} {
		if got := c.p.Of(told); !slices.Equal(got, c.want) || c.p.Name() != c.name || c.p.Want() != c.of {
			t.Errorf("%+v: %v, %s, %d", c.p, got, c.p.Name(), c.p.Want())
		}
	}
}

// TestConfusion: 3 of 4 texts of class 0 and 1 of 2 of class 1 are told; of class 2 there is none, and once it is
// said; class 3 is neither.
func TestConfusion(t *testing.T) {
	var c Confusion
	c.Init(4)
	for _, one := range [][2]int{{0, 0}, {0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 2}} {
		c.Count(one[0], one[1])
	}
	for class, want := range []ClassScore{
		{Precision: 1, Recall: 0.75, F1: 6. / 7, Texts: 4, said: 3}, {Precision: 0.5, Recall: 0.5, F1: 0.5, Texts: 2, said: 2}, {said: 1}, {},
	} {
		if got := c.Of(class); got != want {
			t.Errorf("class %d: %+v, want %+v", class, got, want)
		}
	}
	if c.Accuracy() != 4./6 || math.Abs(c.F1()-(6./7+0.5)/3) > 1e-12 {
		t.Errorf("accuracy %g, F1 %g", c.Accuracy(), c.F1())
	}
	var none Confusion
	none.Init(2)
	if none.Accuracy() != 0 || none.F1() != 0 {
		t.Errorf("of nothing: %g, %g", none.Accuracy(), none.F1())
	}
}

// TestReadPooling reads what sentence-transformers writes, old and new.
func TestReadPooling(t *testing.T) {
	const module = `{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}`
	pooling := func(more string) string {
		return "[" + module + `, {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}` + more + "]"
	}
	for _, c := range []struct {
		modules, modes, limits string
		want                   Pooling
		found                  bool
		fault                  string
	}{
		{"", "", "", Pooling{}, false, ""},
		{"", `{"pooling_mode_cls_token": true}`, `{"max_seq_length": 6}`, Pooling{}, false, ""}, // without modules.json they are of something else
		{"[" + module + "]", "", "", Pooling{}, true, ""},
		{pooling(""), `{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false, "include_prompt": true}`, `{"max_seq_length": 256, "do_lower_case": false}`, Pooling{First: true, Tokens: 256}, true, ""},
		{pooling(""), `{"pooling_mode_mean_tokens": true, "word_embedding_dimension": 384}`, "", Pooling{}, true, ""},
		{pooling(`, {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}`), `{"pooling_mode": "cls"}`, `{"max_seq_length": null}`, Pooling{First: true, Unit: true}, true, ""},
		{pooling(""), `{"pooling_mode": "mean"}`, `{"max_seq_length": -1}`, Pooling{}, true, ""},
		{pooling(""), `{"pooling_mode": "max"}`, "", Pooling{}, true, `["pooling_mode_max"] is not supported`},
		{pooling(""), `{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}`, "", Pooling{}, true, `["pooling_mode_cls_token" "pooling_mode_mean_tokens"] is not supported`},
		{pooling(""), `{}`, "", Pooling{}, true, "[] is not supported"},
		{pooling(""), "", "", Pooling{}, true, "config.json is missing, though modules.json names it"},
		{pooling(`, {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}`), `{"pooling_mode_mean_tokens": true}`, "", Pooling{}, true, `a module of type "sentence_transformers.models.Dense" is not supported`},
		{"{", "", "", Pooling{}, true, "modules.json: "},
		{"[" + module + "]", "", "{", Pooling{}, true, "sentence_bert_config.json: "},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "1_Pooling"), 0o777); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"modules.json": c.modules, "1_Pooling/config.json": c.modes, "sentence_bert_config.json": c.limits} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got, found, err := ReadPooling(dir)
		if found != c.found || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) || err == nil && got != c.want {
			t.Errorf("%s, %s, %s: %+v, found %t, %v; want %+v", c.modules, c.modes, c.limits, got, found, err, c.want)
		}
	}
}

// TestCandidatesAreWords: tokens that begin a word are told without the space before it.
func TestCandidatesAreWords(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, tokens.Vocab()+7) // a model's table may be longer
	logits[' '], logits['a'], logits['\n'], logits[tokens.Vocab()] = 9, 8, 7, 10
	got := TextsOf(tokens, tokenizers.Marks{}, 4).Candidates(logits, 3)
	if len(got) != 3 || got[0].ID != ' ' || got[0].Token != "" || got[1].ID != 'a' || got[1].Token != "a" || got[2].ID != '\n' || got[2].Token != "" {
		t.Errorf("%+v", got)
	}
	if none := TextsOf(tokens, tokenizers.Marks{}, 4).Candidates(logits, 0); len(none) != 0 {
		t.Errorf("none of them: %+v", none)
	}
}
